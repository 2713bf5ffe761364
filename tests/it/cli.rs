//! The program, from outside.

mod emulator;
mod files;
mod help;
mod kill;
mod kms;
mod quickstart;
mod secrets;
mod support;
mod terminal;
mod transcript;
