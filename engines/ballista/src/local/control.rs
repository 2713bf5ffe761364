//! [`KeyManagerControl`]: the calls of an emulator, and more API keys.

use std::{collections::BTreeMap, io};

use serde_json::{Value, json};

/// The control routes of an emulator.
#[derive(Clone, Debug)]
pub struct KeyManagerControl {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl KeyManagerControl {
    /// Takes the variables of an emulator.
    ///
    /// # Errors
    /// [`io::Error`] if the address or the secret key is missing.
    pub fn new(environment: &BTreeMap<String, String>) -> io::Result<Self> {
        let variable = |name: &str| {
            let missing = || io::Error::other(format!("{name} is not set"));
            environment.get(name).cloned().ok_or_else(missing)
        };
        Ok(Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .map_err(io::Error::other)?,
            url: variable("SCW_API_URL")?,
            token: variable("SCW_SECRET_KEY")?,
        })
    }

    /// Returns the calls since the last time, by the user agent and the HTTP status.
    ///
    /// # Errors
    /// [`io::Error`] if the emulator does not answer.
    pub async fn take_calls(&self) -> io::Result<Vec<KeyManagerCall>> {
        let reply = self.ask(reqwest::Method::GET, "exchanges", None).await?;
        self.ask(reqwest::Method::DELETE, "exchanges", None).await?;
        let reply: Value = serde_json::from_str(&reply)?;
        let exchanges = reply.get("exchanges").and_then(Value::as_array);
        let text = |exchange: &Value, name: &str| {
            let value = exchange.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let calls = exchanges.into_iter().flatten().map(|exchange| {
            let status = exchange.get("status").and_then(Value::as_u64);
            KeyManagerCall {
                operation: text(exchange, "operation"),
                user_agent: text(exchange, "user_agent"),
                status: status.unwrap_or_default(),
            }
        });
        Ok(calls.collect())
    }

    /// Makes an API key with these permission sets, and returns the variables that differ.
    ///
    /// # Errors
    /// [`io::Error`] if the emulator refuses.
    pub async fn add_identity(&self, permissions: &[&str]) -> io::Result<BTreeMap<String, String>> {
        let body = json!({ "permissions": permissions }).to_string();
        let reply = self
            .ask(reqwest::Method::POST, "identities", Some(body))
            .await?;
        let reply: BTreeMap<String, String> = serde_json::from_str(&reply)?;
        let variables = [
            ("access_key", "SCW_ACCESS_KEY"),
            ("secret_key", "SCW_SECRET_KEY"),
        ];
        let named = variables
            .into_iter()
            .filter_map(|(name, variable)| Some((variable.to_owned(), reply.get(name)?.clone())));
        Ok(named.collect())
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<String>,
    ) -> io::Result<String> {
        let request = self
            .client
            .request(method, format!("{}/emulator/{path}", self.url))
            .header("X-Auth-Token", &self.token)
            .body(body.unwrap_or_default());
        let reply = async { request.send().await?.error_for_status()?.text().await };
        reply.await.map_err(io::Error::other)
    }
}

/// A call of the key service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyManagerCall {
    /// Its name, such as `Decrypt`.
    pub operation: String,
    /// The user agent, which says the role of the process.
    pub user_agent: String,
    /// The HTTP status of the answer.
    pub status: u64,
}
