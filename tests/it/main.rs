//! All integration tests, in one binary.

#[cfg(feature = "emulator")]
mod emulator_auth;
#[cfg(feature = "emulator")]
mod emulator_client;
#[cfg(feature = "emulator")]
mod emulator_cryptographic;
#[cfg(feature = "emulator")]
mod emulator_errors;
#[cfg(feature = "emulator")]
mod emulator_exchanges;
#[cfg(feature = "emulator")]
mod emulator_faults;
#[cfg(feature = "emulator")]
mod emulator_life_cycle;
#[cfg(feature = "emulator")]
mod emulator_listing;
#[cfg(feature = "emulator")]
mod emulator_server;
#[cfg(feature = "emulator")]
mod emulator_state;
