//! Laws that hold for every input. Each is a function of the bytes of one input, and panics if the
//! input breaks it. Each program in `fuzz_targets/` runs one; the tests called `fuzz_smoke` run all of
//! them, with the inputs in `seeds/` and random changes of those.

pub mod emulator_requests;
pub mod input;
pub mod laws;
pub mod service;
