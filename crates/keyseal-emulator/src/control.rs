//! The routes that control the emulator itself: faults, clock, locks, API keys, the log.
//!
//! They require the token of an API key with full access, because a web page that finds the port
//! must not be able to move the clock.

use keyseal::{
    SecretAccess,
    kms::scaleway::{Seconds, Timestamp},
};
use serde::Serialize;

use super::{
    auth::{Identity, Permission},
    body::Fields,
    errors::{ApiError, Reason},
    exchange::Exchange,
    fault::FaultRule,
    fault_script::RuleReply,
    http::Request,
    reply::Reply,
    routes::CONTROL,
    service::Service,
};

pub(super) fn serve(service: &Service, request: &Request) -> Result<Reply, ApiError> {
    let caller = service.authenticate(request)?;
    if !caller.has_full_access() {
        return Err(ApiError::PermissionsDenied {
            action: "write",
            resource: "emulator",
        });
    }
    let path = request.path().strip_prefix(CONTROL).unwrap_or_default();
    match (request.method(), path) {
        ("GET", "faults") => {
            let rules = service
                .faults()
                .rules()
                .iter()
                .map(RuleReply::from)
                .collect();
            Reply::of(&FaultsReply { faults: rules })
        }
        ("POST", "faults") => {
            let script = String::from_utf8_lossy(request.body());
            let rules = FaultRule::parse_script(&script);
            for rule in rules.map_err(|error| invalid("faults", error.to_string()))? {
                service.faults().add(rule);
            }
            Ok(Reply::NoContent)
        }
        ("DELETE", "faults") => {
            service.faults().clear();
            Ok(Reply::NoContent)
        }
        ("GET", "clock") => Reply::of(&ClockReply { now: service.now() }),
        ("POST", "clock") => advance_clock(service, &Fields::parse(request.body())?),
        ("POST", "identities") => {
            let identity = caller.colleague()?.created_at(service.now());
            add_identity(service, identity, &Fields::parse(request.body())?)
        }
        ("GET", "exchanges") => {
            let exchanges = service.exchanges();
            Reply::of(&ExchangesReply {
                exchanges: exchanges.iter().map(Into::into).collect(),
            })
        }
        ("DELETE", "exchanges") => {
            service.exchanges().clear();
            Ok(Reply::NoContent)
        }
        ("POST", path) => lock(service, path),
        _ => Err(ApiError::UnknownRoute),
    }
}

fn advance_clock(service: &Service, fields: &Fields) -> Result<Reply, ApiError> {
    let step = fields
        .text("advance")?
        .ok_or(ApiError::required("advance"))?;
    let help = "must be a duration in seconds, such as 604800s";
    let step = step.parse::<Seconds>();
    let step = step.map_err(|_| ApiError::format("advance", help))?;
    service.advance_clock(step.duration())?;
    Reply::of(&ClockReply { now: service.now() })
}

fn add_identity(
    service: &Service,
    mut identity: Identity,
    fields: &Fields,
) -> Result<Reply, ApiError> {
    if let Some(names) = fields.texts("permissions")? {
        identity = identity.with_permissions(permissions(&names)?);
    }
    let reply = Reply::of(&IdentityReply {
        access_key: identity.access_key(),
        secret_key: identity.secret_key(SecretAccess::insecure()),
    });
    service.add_identity(identity);
    reply
}

/// `keys/{key_id}/lock` and `keys/{key_id}/unlock`.
fn lock(service: &Service, path: &str) -> Result<Reply, ApiError> {
    let rest = path.strip_prefix("keys/").ok_or(ApiError::UnknownRoute)?;
    let (id, locked) = match rest.split_once('/') {
        Some((id, "lock")) => (id, true),
        Some((id, "unlock")) => (id, false),
        _ => return Err(ApiError::UnknownRoute),
    };
    Reply::of_key(&*service.set_locked(id, locked)?)
}

fn permissions(names: &[String]) -> Result<Vec<Permission>, ApiError> {
    let find = |name: &String| {
        let unknown = || invalid("permissions", format!("there is no permission `{name}`"));
        Permission::named(name).ok_or_else(unknown)
    };
    names.iter().map(find).collect()
}

fn invalid(name: &'static str, help: String) -> ApiError {
    ApiError::InvalidArgument {
        name,
        reason: Reason::Format,
        help: help.into(),
    }
}

#[derive(Serialize)]
struct FaultsReply {
    faults: Vec<RuleReply>,
}

#[derive(Serialize)]
struct ClockReply {
    now: Timestamp,
}

#[derive(Serialize)]
struct IdentityReply<'a> {
    access_key: &'a str,
    secret_key: &'a str,
}

#[derive(Serialize)]
struct ExchangesReply<'a> {
    exchanges: Vec<ExchangeReply<'a>>,
}

#[derive(Serialize)]
struct ExchangeReply<'a> {
    method: &'a str,
    path: &'a str,
    operation: Option<&'static str>,
    status: u16,
    request_id: &'a str,
    user_agent: &'a str,
}

impl<'a> From<&'a Exchange> for ExchangeReply<'a> {
    fn from(exchange: &'a Exchange) -> Self {
        Self {
            method: exchange.method(),
            path: exchange.path(),
            operation: exchange.operation().map(|operation| operation.name()),
            status: exchange.status(),
            request_id: exchange.request_id(),
            user_agent: exchange.user_agent(),
        }
    }
}
