//! Queries that run while the keys are rotated.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use datafusion::prelude::SessionContext;
use tokio::task::JoinHandle;

use super::measure::answer;
use crate::error::BoxError;

pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Load {
    /// Runs the queries over and over. Each is an SQL text and its right result.
    pub(super) fn start(ctx: SessionContext, queries: Vec<(String, String)>) -> Self {
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&done));
        let task = tokio::spawn(async move {
            for (sql, expected) in queries.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if answer(&ctx, sql).await? != *expected {
                    return Err(format!("another result while keys were rotated: {sql}").into());
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { stop, done, task }
    }

    /// Waits until this many more queries are done, or one has failed.
    pub(super) async fn wait_for(&self, queries: u64) {
        let enough = self.done.load(Ordering::Relaxed) + queries;
        while self.done.load(Ordering::Relaxed) < enough && !self.task.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Returns how many queries ended well, or why one did not.
    pub(super) async fn stop(self) -> Result<u64, BoxError> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.done.load(Ordering::Relaxed))
    }
}
