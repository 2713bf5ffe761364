//! `demo`: a cluster on this machine, and a search for its secrets.

mod cluster;
mod keys;
mod load;
mod measure;
mod orders;
mod output;
mod queries;
mod search;
mod stage;
mod story;
mod table;

pub(crate) use stage::{DemoArgs, run};
pub(crate) use story::{StoryArgs, tell};
