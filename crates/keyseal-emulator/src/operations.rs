//! From a request to an answer: checks in their order, then one function for each operation.

use std::sync::Arc;

use super::{
    auth::Identity,
    body::{Fields, Query},
    call::Call,
    cryptographic,
    errors::ApiError,
    http::Request,
    keys::Key,
    listing, manage,
    reply::{ApiKeyReply, DOMAIN, MetadataReply, Reply},
    routes::{Operation, Region, Route},
    service::Service,
};

/// Answers `request`, which is on `route`.
pub(super) fn serve(
    service: &Service,
    request: &Request,
    route: &Route<'_>,
) -> Result<Reply, ApiError> {
    if route.operation == Operation::GetMetadata {
        let (platform, partition, domain) = ("external", "scw", DOMAIN);
        return Reply::of(&MetadataReply {
            platform,
            partition,
            domain,
        });
    }
    let identity = service.authenticate(request)?;
    if route.operation == Operation::GetApiKey {
        return api_key(service, &identity, route.id);
    }
    let region = Region::parse(route.region)?;
    identity.authorize(route.operation)?;
    // Some clients send a body with these; it is ignored.
    let has_body = !matches!(request.method(), "GET" | "DELETE");
    let call = Call {
        service,
        identity,
        region,
        route,
        fields: if has_body {
            Fields::parse(request.body())?
        } else {
            Fields::default()
        },
        query: Query::parse(request.query())?,
    };
    perform(&call)
}

fn perform(call: &Call<'_>) -> Result<Reply, ApiError> {
    match call.route.operation {
        Operation::CreateKey => manage::create(call),
        Operation::GetKey => manage::get(call),
        Operation::UpdateKey => manage::update(call),
        Operation::DeleteKey => call.change(Key::delete).map(|_| Reply::NoContent),
        Operation::RestoreKey => call.changed_key(Key::restore),
        Operation::RotateKey => call.changed_key(Key::rotate),
        Operation::ProtectKey => call.changed_key(|key, now| key.set_protected(true, now)),
        Operation::UnprotectKey => call.changed_key(|key, now| key.set_protected(false, now)),
        Operation::EnableKey => call.changed_key(Key::enable),
        Operation::DisableKey => call.changed_key(Key::disable),
        Operation::ImportKeyMaterial => manage::import_key_material(call),
        Operation::GetImportParameters => manage::import_parameters(call),
        Operation::DeleteKeyMaterial => manage::delete_key_material(call),
        Operation::ListKeys => listing::keys(call),
        Operation::ListAlgorithms => listing::algorithms(call),
        Operation::ListKeyRotations => listing::rotations(call),
        Operation::GenerateDataKey => cryptographic::generate_data_key(call),
        Operation::Encrypt => cryptographic::encrypt(call),
        Operation::Decrypt => cryptographic::decrypt(call),
        Operation::Sign => cryptographic::sign(call),
        Operation::Verify => cryptographic::verify(call),
        Operation::GetPublicKey => cryptographic::public_key(call),
        // The service has these for ML-KEM keys alone, which the emulator does not have.
        Operation::WrapKey | Operation::UnwrapKey => cryptographic::refuse_usage(call),
        Operation::GetMetadata | Operation::GetApiKey => Err(ApiError::UnknownRoute),
    }
}

/// Scaleway's command-line program asks when its own API key expires.
fn api_key(service: &Service, caller: &Identity, access_key: &str) -> Result<Reply, ApiError> {
    let not_found = || ApiError::NotFound {
        resource: "api_key",
        id: access_key.to_owned(),
    };
    let identities = service.identities();
    let same_organization = |identity: &&Arc<Identity>| {
        identity.access_key() == access_key && identity.organization() == caller.organization()
    };
    let found = identities
        .iter()
        .find(same_organization)
        .ok_or_else(not_found)?;
    let (created_at, expires_at) = found.creation_and_expiry();
    Reply::of(&ApiKeyReply {
        access_key,
        secret_key: None,
        description: "",
        created_at,
        updated_at: created_at,
        expires_at,
        default_project_id: found.default_project(),
        editable: true,
        deletable: true,
        managed: false,
        creation_ip: "127.0.0.1",
    })
}
