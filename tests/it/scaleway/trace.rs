//! What spans and events tell, and what they do not.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use keyseal::{RemoteAead, kms::scaleway::RetryPolicy};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber as _,
    span,
};

use super::scripted::{Answer, KEY_ID, SECRET_KEY, Scripted, key_of};

/// Keeps the text of every span and event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn record(&self, name: &str, fields: impl FnOnce(&mut Text)) {
        let mut text = Text(name.to_owned());
        fields(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        self.record(attributes.metadata().name(), |text| attributes.record(text));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        self.record("recorded", |text| values.record(text));
    }

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target();
        self.record(target, |text| event.record(text));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_call_is_a_span_and_each_attempt_an_event_without_secrets() {
    let service = Scripted::new([
        Answer::empty(503),
        Answer::golden(200, "replies/decrypt.json"),
    ]);
    let client = service
        .builder()
        .retry_policy(RetryPolicy::new())
        .build()
        .unwrap();
    let key = key_of(&client);
    let recorder = Recorder::default();
    let call = async { key.decrypt(b"ciphertext-canary", b"context-canary").await };
    assert_eq!(
        call.with_subscriber(recorder.clone()).await.unwrap(),
        b"hello"
    );

    let lines = recorder.0.lock().unwrap().clone();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(
        lines[0],
        format!("kms operation=\"decrypt\" region=\"fr-par\" key_id=\"{KEY_ID}\"")
    );
    assert!(
        lines[1].contains("message=answered attempt=1 latency_ms=0 status=503"),
        "{lines:?}"
    );
    assert!(lines[2].contains("attempt=1 wait_ms="), "{lines:?}");
    assert!(lines[3].contains("attempt=2 latency_ms=0 status=200 request_id=\"req-1\""));
    let text = lines.concat();
    for secret in [
        SECRET_KEY,
        "canary",
        "hello",
        "aGVsbG8",
        "Y2lwaGVydGV4dC1jYW5hcnk",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
}
