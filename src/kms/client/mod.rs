//! The HTTP client below the KMS providers: time-outs, retries, connections and tracing.
//!
//! A provider is one folder beside this module. It writes [`HttpRequest`]s (method, target, headers,
//! body, and whether the request is safe to repeat), sends them through [`Retrying`], and reads
//! [`HttpResponse`]s. Nothing here knows a service.
//!
//! There are two layers, each replaceable: [`Retrying`] (time-outs and retries) and [`Transport`]
//! (HTTP).

pub(crate) mod base_url;
pub(crate) mod http;
pub(crate) mod proxy;
mod request;
mod response;
pub(crate) mod retry;
pub(crate) mod secret_json;
pub(crate) mod trace;
mod transport;

pub use http::HttpTransport;
pub use request::{HttpHeader, HttpRequest};
pub use response::{HttpResponse, MAX_REPLY_SIZE};
pub use retry::{RetryPolicy, Retrying};
pub use transport::Transport;

pub use crate::timer::{Timer, TokioTimer};
