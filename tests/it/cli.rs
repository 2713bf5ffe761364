//! The program, from outside.

mod files;
mod help;
mod quickstart;
mod secrets;
mod support;
mod terminal;
mod transcript;
