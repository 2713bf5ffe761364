//! [`Role`]: which process of a cluster this is.

/// The part that a process plays. The key service sees it in the user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Plans queries, lists tables and reads the statistics of their files.
    Scheduler,
    /// Reads and writes tables, encrypts and decrypts columns.
    Executor,
    /// Sends queries and shows their results.
    Client,
}

impl Role {
    /// Returns its name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Executor => "executor",
            Self::Client => "client",
        }
    }
}
