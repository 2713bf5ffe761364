//! The requests of clients, logged while the emulator serves.

use keyseal_emulator::Emulator;

use crate::{context::Context, display::printable};

/// The requests that are not logged yet.
pub(super) struct Requests<'e> {
    emulator: &'e Emulator,
    last: Option<String>,
}

impl<'e> Requests<'e> {
    pub(super) const fn of(emulator: &'e Emulator) -> Self {
        Self {
            emulator,
            last: None,
        }
    }

    /// Logs the requests since the last call.
    pub(super) fn tell(&mut self, context: &Context) {
        if !context.is_verbose() {
            return;
        }
        let all = self.emulator.exchanges();
        let known = |id: &String| all.iter().rposition(|one| one.request_id() == id);
        // The log is bounded, and clients can clear it: then everything in it is new.
        let first = self.last.as_ref().and_then(known).map_or(0, |at| at + 1);
        for exchange in all.iter().skip(first) {
            context.detail(&format!(
                "{} {} {} {}",
                exchange.status(),
                printable(exchange.method()),
                printable(exchange.path()),
                printable(exchange.user_agent())
            ));
        }
        if let Some(exchange) = all.last() {
            self.last = Some(exchange.request_id().to_owned());
        }
    }
}
