//! Queries, timed, with what they read and how often they called the key service.

use std::time::{Duration, Instant};

use datafusion::{
    arrow::util::pretty::pretty_format_batches, error::Result, prelude::SessionContext,
};
use keyseal_ballista::local::{KeyManagerControl, Reading};

use super::{
    cluster::Cluster,
    queries::{Query, Tables, Values},
    table::Row,
};
use crate::error::BoxError;

/// Runs a query, and returns its result as text.
pub(super) async fn answer(ctx: &SessionContext, sql: &str) -> Result<String> {
    let batches = ctx.sql(sql).await?.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

pub(super) struct Bench<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) control: &'a KeyManagerControl,
    /// A session of the cluster, and one of this process.
    pub(super) remote: &'a SessionContext,
    pub(super) local: &'a SessionContext,
    pub(super) values: &'a Values,
    /// How often a query runs on each kind of table. The fastest counts: everything else on the
    /// machine only makes it slower.
    pub(super) runs: usize,
}

impl Bench<'_> {
    /// Runs a query on encrypted and on plain tables, in turn.
    pub(super) async fn measure(&self, query: &Query) -> std::result::Result<Row, BoxError> {
        let expected = answer(self.local, &query.sql(Tables::Cleartext, self.values)).await?;
        self.control.take_calls().await?;
        let mut best = [Duration::MAX; 2];
        let mut read = [Reading::default(); 2];
        let mut is_right = true;
        let mut calls = 0;
        for run in 0..self.runs {
            for (index, tables) in [Tables::Sealed, Tables::Plain].into_iter().enumerate() {
                let sql = query.sql(tables, self.values);
                let before = self.cluster.reading().await?;
                let started = Instant::now();
                let result = answer(self.remote, &sql).await?;
                let took = started.elapsed();
                is_right &= result == expected;
                let since = self.cluster.reading().await?.since(before);
                if let (Some(best), Some(read)) = (best.get_mut(index), read.get_mut(index)) {
                    *best = took.min(*best);
                    *read = since;
                }
                if run == 0 && tables == Tables::Sealed {
                    calls = self.control.take_calls().await?.len();
                }
            }
        }
        Ok(Row {
            name: query.name,
            time: best,
            bytes: read.map(|read| read.bytes),
            requests: read.map(|read| read.requests),
            calls,
            is_right,
        })
    }
}
