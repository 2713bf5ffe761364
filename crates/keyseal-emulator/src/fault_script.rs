//! Fault rules as JSON: for the command line and the control route.

use std::time::Duration;

use keyseal::kms::scaleway::Seconds;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    fault::{ErrorBody, Fault, FaultRule},
    routes::Operation,
};

/// A fault script cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} of the fault script: {reason}")]
pub struct FaultScriptError {
    rule: usize,
    reason: String,
}

impl FaultRule {
    /// Parses a script: an array of rules, as `docs/emulator.md` describes them.
    ///
    /// # Errors
    /// [`FaultScriptError`] with the number of the rule, from 1, or 0 for the script as a whole.
    ///
    /// # Example
    /// ```
    /// use keyseal_emulator::{Emulator, FaultRule};
    ///
    /// let script = r#"[
    ///     {"fault": "latency", "duration": "0.250s"},
    ///     {"fault": "server-error", "status": 502, "operation": "decrypt", "after": 1, "times": 2}
    /// ]"#;
    /// let emulator = Emulator::new()?;
    /// for rule in FaultRule::parse_script(script)? {
    ///     emulator.inject(rule);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse_script(script: &str) -> Result<Vec<Self>, FaultScriptError> {
        let whole = |reason: &str| FaultScriptError {
            rule: 0,
            reason: reason.to_owned(),
        };
        let rules: Vec<Value> =
            serde_json::from_str(script).map_err(|_| whole("must be a JSON array of objects"))?;
        let rules = rules
            .into_iter()
            .enumerate()
            .map(|(place, rule)| match rule {
                Value::Object(members) => parse_rule(members).map_err(|reason| FaultScriptError {
                    rule: place + 1,
                    reason,
                }),
                _ => Err(whole("must be a JSON array of objects")),
            });
        rules.collect()
    }
}

fn parse_rule(members: Map<String, Value>) -> Result<FaultRule, String> {
    let mut members = Members(members);
    let fault = parse_fault(&mut members)?;
    let mut rule = FaultRule::new(fault);
    if let Some(operation) = members.text("operation")? {
        let unknown = || format!("there is no operation `{operation}`");
        rule = rule.on(Operation::named(&operation).ok_or_else(unknown)?);
    }
    if let Some(requests) = members.number("after")? {
        rule = rule.after(requests);
    }
    if let Some(times) = members.number("times")? {
        rule = rule.times(times);
    }
    match members.0.keys().next() {
        Some(unknown) => Err(format!("`{unknown}` means nothing here")),
        None => Ok(rule),
    }
}

fn parse_fault(members: &mut Members) -> Result<Fault, String> {
    let name = members.text("fault")?.ok_or("`fault` is required")?;
    Ok(match name.as_str() {
        "latency" => Fault::Latency(members.duration()?),
        "clock-jump" => Fault::ClockJump(members.duration()?),
        "reset-before" => Fault::ResetBefore,
        "reset-after" => Fault::ResetAfter,
        "rate-limited" => Fault::RateLimited,
        "rate-limited-json" => Fault::RateLimitedJson {
            retry_after: members.duration()?,
        },
        "server-error" => {
            let status = members.number("status")?.unwrap_or(500);
            let status = u16::try_from(status)
                .ok()
                .filter(|status| (400..600).contains(status));
            let body = match members.text("body")?.as_deref() {
                None | Some("html") => ErrorBody::Html,
                Some("json") => ErrorBody::Json,
                Some("empty") => ErrorBody::Empty,
                Some(_) => return Err("`body` must be html, json or empty".to_owned()),
            };
            let status = status.ok_or("`status` must be between 400 and 599")?;
            Fault::ServerError { status, body }
        }
        "truncated-json" => Fault::TruncatedJson,
        "cut-body" => Fault::CutBody,
        "wrong-content-type" => {
            let content_type = members.text("content_type")?;
            let content_type = content_type.unwrap_or_else(|| "text/html".to_owned());
            if !content_type
                .bytes()
                .all(|byte| (0x20..0x7f).contains(&byte))
            {
                return Err("`content_type` must be printable ASCII".to_owned());
            }
            Fault::WrongContentType(content_type)
        }
        "denied-authentication" => Fault::DeniedAuthentication,
        "permissions-denied" => Fault::PermissionsDenied,
        "not-found" => Fault::NotFound,
        "corrupted-ciphertext" => Fault::CorruptedCiphertext,
        "wrong-key-id" => Fault::WrongKeyId,
        other => return Err(format!("there is no fault `{other}`")),
    })
}

/// Members, each removed when it is read, so that only unknown ones are left.
struct Members(Map<String, Value>);

impl Members {
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` must be a string")),
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>, String> {
        let wrong = || format!("`{name}` must be an unsigned integer");
        self.0
            .remove(name)
            .map(|value| value.as_u64().ok_or_else(wrong))
            .transpose()
    }

    fn duration(&mut self) -> Result<Duration, String> {
        let text = self.text("duration")?.ok_or("`duration` is required")?;
        let wrong = "`duration` must be seconds with at most nine decimals, such as 0.250s";
        let seconds = text.parse::<Seconds>();
        seconds.map(Seconds::duration).map_err(|_| wrong.to_owned())
    }
}

/// A rule as the control route shows it: in the words of a script.
#[derive(Serialize)]
pub(super) struct RuleReply {
    fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

impl From<&FaultRule> for RuleReply {
    fn from(rule: &FaultRule) -> Self {
        Self {
            fault: rule.fault().name(),
            duration: rule.fault().duration(),
            operation: rule.operation().map(|operation| operation.name()),
            times: rule.remaining(),
        }
    }
}
