//! A transport that answers by a script, and a clock that only sleeping moves.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use keyseal::{
    BoxFuture, KmsError, KmsErrorKind,
    kms::{
        client::{HttpRequest, HttpResponse, RetryPolicy, Timer, Transport},
        scaleway::{ScalewayClient, ScalewayClientBuilder, ScalewayKey},
    },
};

pub(crate) const SECRET_KEY: &str = "5ec2e700-0000-4000-8000-00000000d00d";
pub(crate) const PROJECT_ID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
pub(crate) const KEY_ID: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const KEY_PATH: &str =
    "/key-manager/v1alpha1/regions/fr-par/keys/11111111-2222-4333-8444-555555555555";

/// Reads a file of `tests/vectors/scaleway`.
pub(crate) fn vector(name: &str) -> String {
    let path = format!(
        "{}/tests/vectors/scaleway/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) enum Answer {
    Reply(HttpResponse),
    Fail(KmsErrorKind),
    Never,
}

impl Answer {
    pub(crate) fn golden(status: u16, name: &str) -> Self {
        Self::json(status, vector(name))
    }

    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Reply(HttpResponse::json(status, body).header("X-Request-Id", "req-1"))
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Reply(HttpResponse::new(status, Vec::new()))
    }
}

/// One request as it would have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) body: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Scripted {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Self {
            answers,
            sent: Arc::default(),
        }
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }

    pub(crate) fn builder(&self) -> ScalewayClientBuilder {
        ScalewayClient::builder()
            .secret_key(SECRET_KEY)
            .project_id(PROJECT_ID)
            .region("fr-par")
            .transport(self.clone())
            .timer(FakeTimer::default())
    }

    pub(crate) fn client(&self) -> ScalewayClient {
        self.builder()
            .retry_policy(RetryPolicy::new().max_attempts(1))
            .build()
            .unwrap()
    }

    pub(crate) fn key(&self) -> ScalewayKey {
        key_of(&self.client())
    }
}

pub(crate) fn key_of(client: &ScalewayClient) -> ScalewayKey {
    client
        .key(&format!("scw-kms://{KEY_ID}").parse().unwrap())
        .unwrap()
}

impl Transport for Scripted {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        Box::pin(async move {
            self.sent.lock().unwrap().push(Sent {
                method: request.method(),
                target: request.target().to_owned(),
                body: request
                    .body()
                    .map(|body| String::from_utf8(body.to_vec()).unwrap()),
            });
            let answer = self.answers.lock().unwrap().pop_front();
            match answer.unwrap_or_else(|| panic!("no answer is left for {request:?}")) {
                Answer::Reply(response) => Ok(response),
                Answer::Fail(kind) => Err(kind.into()),
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

/// A clock that stands still until somebody sleeps, and then is at once at the end of that.
#[derive(Clone, Default)]
pub(crate) struct FakeTimer {
    now: Arc<Mutex<Duration>>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl FakeTimer {
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Timer for FakeTimer {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let timer = self.clone();
        Box::pin(async move {
            *timer.now.lock().unwrap() += duration;
            timer.slept.lock().unwrap().push(duration);
        })
    }
}

/// All that an error says, its causes too.
pub(crate) fn full_text(error: &KmsError) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!("\n{cause}\n{cause:?}"));
        source = cause.source();
    }
    text
}
