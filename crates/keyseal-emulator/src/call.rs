//! [`Call`]: a request that may be served, and the key that it is about.

use std::sync::Arc;

use keyseal::kms::scaleway::{Timestamp, Uuid};

use super::{
    auth::Identity,
    body::{Fields, Query},
    errors::ApiError,
    keys::Key,
    reply::Reply,
    routes::{Region, Route},
    service::Service,
    state::State,
};

/// A request to Key Manager that passed authentication and authorization.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) identity: Arc<Identity>,
    pub(super) region: Region,
    pub(super) route: &'a Route<'a>,
    pub(super) fields: Fields,
    pub(super) query: Query,
}

impl Call<'_> {
    /// Finds the key of the path: in this region, in a project of the caller.
    pub(super) fn key(&self) -> Result<Arc<Key>, ApiError> {
        let id = self.route.key_id()?;
        self.service.read(|state| self.find(state, id).cloned())
    }

    /// Changes the key of the path.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut Key, Timestamp) -> Result<(), ApiError>,
    ) -> Result<Arc<Key>, ApiError> {
        let id = self.route.key_id()?;
        self.service.transact(|state, now| {
            self.find(state, id)?;
            state.change(id, |key| change(key, now.to_microseconds()))
        })
    }

    /// Changes the key of the path, and answers with the key.
    pub(super) fn changed_key(
        &self,
        change: impl FnOnce(&mut Key, Timestamp) -> Result<(), ApiError>,
    ) -> Result<Reply, ApiError> {
        Reply::of_key(&*self.change(change)?)
    }

    pub(super) fn may_see(&self, key: &Key) -> bool {
        key.region == self.region && self.identity.has_project(key.project_id)
    }

    fn find<'s>(&self, state: &'s State, id: Uuid) -> Result<&'s Arc<Key>, ApiError> {
        let key = state.key(id).filter(|key| self.may_see(key));
        key.ok_or_else(|| ApiError::key_not_found(id))
    }
}
