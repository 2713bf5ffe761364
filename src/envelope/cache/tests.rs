//! Tests of the parts of the cache. They are not in `slot.rs`, which `tests/shuttle.rs` compiles too.

use std::{
    future::pending,
    sync::{Arc, Weak},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    budget::{Amount, Budget},
    slot::{Active, Slot},
};

#[derive(Clone, Debug)]
enum Step {
    /// A DEK arrives that lives for so long.
    Install(u64),
    /// The DEK that a caller has seen takes no more messages.
    TurnOver,
    /// The last message of the current DEK is done.
    Retire,
    /// Time passes, and the sweeper comes.
    Purge(u64),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u64..20).prop_map(Step::Install),
        2 => Just(Step::TurnOver),
        1 => Just(Step::Retire),
        3 => (0_u64..10).prop_map(Step::Purge),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    /// A DEK is wiped when it is dropped: none may outlive its use.
    #[test]
    fn a_slot_holds_two_deks_at_most_and_none_that_is_retired_expired_or_cleared(steps in steps()) {
        let slot = Slot::<Arc<()>>::new();
        let mut deks: Vec<(u64, Duration, Weak<()>)> = Vec::new();
        let mut now = Duration::ZERO;
        for step in steps {
            let current = slot.current().map(|active| active.id);
            match &step {
                Step::Install(seconds) => {
                    let (id, dek) = (deks.len() as u64, Arc::new(()));
                    let expires = now + Duration::from_secs(*seconds);
                    deks.push((id, expires, Arc::downgrade(&dek)));
                    let one = Amount { messages: 1, bytes: 1 };
                    let active = Active::new(id, dek, Budget::new(one, 1), now);
                    slot.install(Arc::new(Active { expires, ..active }));
                }
                Step::TurnOver => drop(slot.turn_over(current, now, |_| Box::pin(pending()))),
                Step::Retire => drop(current.and_then(|id| slot.retire(id, now))),
                Step::Purge(seconds) => {
                    now += Duration::from_secs(*seconds);
                    drop(slot.purge(now));
                }
                Step::Close => drop(slot.close()),
            }
            let held = deks.iter().filter(|(_, _, dek)| dek.strong_count() > 0);
            let held: Vec<(u64, Duration)> = held.map(|(id, at, _)| (*id, *at)).collect();
            prop_assert!(held.len() <= 2, "{held:?} after {step:?}");
            if matches!(step, Step::Install(_)) {
                let newest = deks.last().map(|(id, at, _)| (*id, *at));
                prop_assert!(newest.is_some_and(|newest| held.contains(&newest)));
            }
            let is_wrong = |(id, expires): &(u64, Duration)| match step {
                Step::Install(_) => false,
                Step::TurnOver | Step::Retire => Some(*id) == current,
                Step::Purge(_) => *expires <= now,
                Step::Close => true,
            };
            prop_assert!(!held.iter().any(is_wrong), "{held:?} after {step:?} at {now:?}");
        }
    }
}
