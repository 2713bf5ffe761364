//! The emulator's law of `fuzz/`, on its seeds and on random changes of them.

#[allow(unreachable_pub, reason = "the fuzzer's package shows it")]
#[path = "../../../../fuzz/src/emulator_requests.rs"]
mod emulator_requests;
#[path = "../../../../fuzz/src/smoke.rs"]
mod smoke;

#[test]
fn requests_keep_the_law() {
    smoke::run(
        env!("CARGO_MANIFEST_DIR"),
        "emulator_requests",
        emulator_requests::law,
    );
}
