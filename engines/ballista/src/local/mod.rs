//! A cluster of real processes on this machine, with a Key Manager and a bucket: for the
//! demonstration and for tests.

mod control;
mod emulator;
mod guard;
mod meters;
mod needles;
mod process;
mod storage;

pub use control::{KeyManagerCall, KeyManagerControl};
pub use emulator::{EmulatorProcess, serve_emulator};
pub use guard::{exit_with_parent, guard};
pub use meters::{Reading, read_meters, write_meter};
pub use needles::Needle;
pub use process::{Process, ProcessBuilder, free_port, service_variables};
pub use storage::Storage;
