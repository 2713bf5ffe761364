//! [`Connection`]: sends calls and reads their answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    api::{self, Unbelievable},
    call::Call,
    info::KeyMetadata,
    secret_key::SecretKey,
};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::client::{HttpResponse, Retrying, Transport},
};

/// The way to the service. Clones share connections, limits and the retry budget.
#[derive(Clone)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    /// The time by which every call must have ended, by the timer's clock.
    deadline: Option<Duration>,
}

struct Shared {
    transport: Retrying<Box<dyn Transport>>,
    secret_key: SecretKey,
    user_agent: Bytes,
}

impl Connection {
    pub(super) fn new(
        transport: Retrying<Box<dyn Transport>>,
        secret_key: SecretKey,
        user_agent: String,
    ) -> Self {
        let shared = Shared {
            transport,
            secret_key,
            user_agent: user_agent.into(),
        };
        Self {
            shared: Arc::new(shared),
            deadline: None,
        }
    }

    /// Returns the same connection, whose calls must have ended in `time` from now.
    pub(super) fn within(&self, time: Duration) -> Self {
        self.until(self.shared.transport.deadline_in(time))
    }

    /// Returns the same connection, for a list whose pages share the time limit of a single call.
    pub(super) fn for_all_pages(&self) -> Self {
        self.until(self.shared.transport.deadline())
    }

    fn until(&self, deadline: Duration) -> Self {
        let earlier = self.deadline.unwrap_or(deadline).min(deadline);
        Self {
            deadline: Some(earlier),
            ..self.clone()
        }
    }

    pub(super) async fn key_metadata(&self, call: Call) -> Result<KeyMetadata, KmsError> {
        let asked = (call.region().clone(), call.key_id());
        self.answer(call, |json: Box<RawValue>| {
            KeyMetadata::parse_one(json, (&asked.0, asked.1))
        })
        .await
    }

    /// Sends `call` and converts the answer's JSON with `read`.
    pub(super) async fn answer<R, T>(
        &self,
        call: Call,
        read: impl FnOnce(R) -> Result<T, Unbelievable> + Send,
    ) -> Result<T, KmsError>
    where
        R: for<'a> Deserialize<'a>,
    {
        self.borrowed_answer(call, |response| api::parse(response).and_then(read))
            .await
    }

    /// Sends `call` and reads the answer with `read`, which may borrow secrets from it.
    pub(super) async fn borrowed_answer<T>(
        &self,
        call: Call,
        read: impl FnOnce(&HttpResponse) -> Result<T, Unbelievable> + Send,
    ) -> Result<T, KmsError> {
        let (call, response) = self.exchange(call).await?;
        read(&response).map_err(|why| {
            // The call took effect, but we do not know its result.
            let error = KmsError::new(KmsErrorKind::InvalidReply)
                .with_message(why)
                .with_status(response.status());
            describe(&call, &response, without_result(&call, error))
        })
    }

    /// Sends `call`, whose answer has no body.
    pub(super) async fn send(&self, call: Call) -> Result<(), KmsError> {
        self.exchange(call).await.map(drop)
    }

    /// Sends `call` and returns the answer if it is successful.
    async fn exchange(&self, call: Call) -> Result<(Call, HttpResponse), KmsError> {
        let shared = &self.shared;
        let call = call.with(|request| {
            request
                .secret_header("X-Auth-Token", shared.secret_key.bytes().clone())
                .header("User-Agent", shared.user_agent.clone())
                .header("Accept", Bytes::from_static(b"application/json"))
                .until(self.deadline)
        });
        let response = match shared.transport.send(call.request()).await {
            Ok(response) => response,
            Err(error) => return Err(without_result(&call, error).with_context(call.context())),
        };
        match response.status() {
            200..=299 => Ok((call, response)),
            _ => Err(describe(
                &call,
                &response,
                api::error::of_response(&call, &response),
            )),
        }
    }
}

/// Marks an error that leaves open whether a call took effect.
fn without_result(call: &Call, error: KmsError) -> KmsError {
    let is_open = match error.kind() {
        // It is not repeated, even if that were harmless.
        KmsErrorKind::InvalidReply => call.operation().changes_keys(),
        kind => !call.request().is_repeatable() && kind.may_be_done(),
    };
    if is_open {
        error.not_repeatable()
    } else {
        error
    }
}

fn describe(call: &Call, response: &HttpResponse, error: KmsError) -> KmsError {
    let error = error
        .with_context(call.context())
        .with_attempts(response.attempts());
    match response.request_id() {
        Some(id) if !api::error::echoes_a_secret(call, id) => error.with_request_id(id),
        _ => error,
    }
}
