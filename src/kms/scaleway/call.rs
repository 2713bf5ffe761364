//! [`Call`]: one request to Key Manager, with the operation and the key that it is about.

use zeroize::Zeroizing;

use super::{Region, Uuid, operation::Operation, uri::KeyUri};
use crate::kms::client::HttpRequest;

/// One request, and the facts for an error about it.
pub(super) struct Call {
    operation: Operation,
    region: Region,
    key_id: Option<Uuid>,
    request: HttpRequest,
}

impl Call {
    /// Starts a call whose target is `…/regions/<region>/<path>`.
    pub(super) fn new(operation: Operation, region: &Region, path: &str) -> Self {
        Self::about(operation, region, None, path)
    }

    /// Starts a call about a key. `action` follows the key's path and may be empty.
    pub(super) fn of_key(
        operation: Operation,
        region: &Region,
        key_id: Uuid,
        action: &str,
    ) -> Self {
        let slash = if action.is_empty() { "" } else { "/" };
        let path = format!("keys/{key_id}{slash}{action}");
        Self::about(operation, region, Some(key_id), &path)
    }

    fn about(operation: Operation, region: &Region, key_id: Option<Uuid>, path: &str) -> Self {
        let target = format!("/key-manager/v1alpha1/regions/{region}/{path}");
        let request = HttpRequest::new(operation.name(), operation.method(), target)
            .repeatable(operation.is_repeatable())
            .about(region.as_str(), key_id.map(|id| id.to_string()));
        Self {
            operation,
            region: region.clone(),
            key_id,
            request,
        }
    }

    pub(super) fn body(self, json: Zeroizing<Vec<u8>>) -> Self {
        self.with(|request| request.json_body(json))
    }

    pub(super) fn with(self, change: impl FnOnce(HttpRequest) -> HttpRequest) -> Self {
        Self {
            request: change(self.request),
            ..self
        }
    }

    pub(super) const fn operation(&self) -> Operation {
        self.operation
    }

    pub(super) const fn region(&self) -> &Region {
        &self.region
    }

    pub(super) const fn key_id(&self) -> Option<Uuid> {
        self.key_id
    }

    pub(super) const fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Names the call in an error.
    pub(super) fn context(&self) -> String {
        let name = self.operation.name();
        match self.key_id {
            Some(key_id) => format!("{name}, {}", KeyUri::new(self.region.clone(), key_id)),
            None => format!("{name} in {}", self.region),
        }
    }
}
