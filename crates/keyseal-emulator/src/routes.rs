//! Routing: from a method and a path to an operation.

use keyseal::kms::scaleway::Uuid;

use super::errors::ApiError;

const KEY_MANAGER: &str = "/key-manager/v1alpha1/regions/";
const API_KEYS: &str = "/iam/v1alpha1/api-keys/";
/// The paths that control the emulator itself.
pub(super) const CONTROL: &str = "/emulator/";

macro_rules! operations {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// Names an operation of the API, for fault injection and for the log of exchanges.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])+ $variant,)+
        }

        impl Operation {
            /// All operations, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name that fault scripts use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Returns the operation of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|operation| operation.name() == name)
            }
        }
    };
}

operations! {
    /// `POST keys`.
    CreateKey = "create-key",
    /// `GET keys/{key_id}`.
    GetKey = "get-key",
    /// `PATCH keys/{key_id}`.
    UpdateKey = "update-key",
    /// `DELETE keys/{key_id}`.
    DeleteKey = "delete-key",
    /// `POST keys/{key_id}/restore`.
    RestoreKey = "restore-key",
    /// `POST keys/{key_id}/rotate`.
    RotateKey = "rotate-key",
    /// `POST keys/{key_id}/protect`.
    ProtectKey = "protect-key",
    /// `POST keys/{key_id}/unprotect`.
    UnprotectKey = "unprotect-key",
    /// `POST keys/{key_id}/enable`.
    EnableKey = "enable-key",
    /// `POST keys/{key_id}/disable`.
    DisableKey = "disable-key",
    /// `GET keys`.
    ListKeys = "list-keys",
    /// `POST keys/{key_id}/generate-data-key`.
    GenerateDataKey = "generate-data-key",
    /// `POST keys/{key_id}/encrypt`.
    Encrypt = "encrypt",
    /// `POST keys/{key_id}/decrypt`.
    Decrypt = "decrypt",
    /// `POST keys/{key_id}/sign`.
    Sign = "sign",
    /// `POST keys/{key_id}/verify`.
    Verify = "verify",
    /// `GET keys/{key_id}/public-key`.
    GetPublicKey = "get-public-key",
    /// `POST keys/{key_id}/import-key-material`.
    ImportKeyMaterial = "import-key-material",
    /// `POST keys/{key_id}/import-parameters`.
    GetImportParameters = "get-import-parameters",
    /// `POST keys/{key_id}/delete-key-material`.
    DeleteKeyMaterial = "delete-key-material",
    /// `GET algorithms`.
    ListAlgorithms = "list-algorithms",
    /// `GET keys/{key_id}/rotations`.
    ListKeyRotations = "list-key-rotations",
    /// `POST keys/{key_id}/wrap`.
    WrapKey = "wrap-key",
    /// `POST keys/{key_id}/unwrap`.
    UnwrapKey = "unwrap-key",
    /// `GET /metadata`, of the gateway.
    GetMetadata = "get-metadata",
    /// `GET /iam/v1alpha1/api-keys/{access_key}`.
    GetApiKey = "get-api-key",
}

/// A parsed path. Ids and regions are not checked yet: that happens after authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) operation: Operation,
    /// The region, if this is a Key Manager route.
    pub(super) region: &'a str,
    /// The key id of a route below one key, or the access key, if the route has either.
    pub(super) id: &'a str,
}

impl<'a> Route<'a> {
    pub(super) fn parse(method: &str, path: &'a str) -> Result<Self, ApiError> {
        if let Some(rest) = path.strip_prefix(KEY_MANAGER) {
            return Self::parse_key_manager(method, rest).ok_or(ApiError::UnknownRoute);
        }
        let (operation, id) = match path.strip_prefix(API_KEYS) {
            Some(access_key) if !access_key.contains('/') => (Operation::GetApiKey, access_key),
            None if path == "/metadata" => (Operation::GetMetadata, ""),
            _ => return Err(ApiError::UnknownRoute),
        };
        let found = (method == "GET").then_some(Self {
            operation,
            region: "",
            id,
        });
        found.ok_or(ApiError::UnknownRoute)
    }

    fn parse_key_manager(method: &str, rest: &'a str) -> Option<Self> {
        let mut parts = rest.split('/');
        let (region, collection, id) = (parts.next()?, parts.next()?, parts.next());
        let (action, end) = (parts.next(), parts.next());
        if end.is_some() {
            return None;
        }
        let operation = match (method, collection, id, action) {
            ("GET", "algorithms", None, None) => Operation::ListAlgorithms,
            ("GET", "keys", None, None) => Operation::ListKeys,
            ("POST", "keys", None, None) => Operation::CreateKey,
            ("GET", "keys", Some(_), None) => Operation::GetKey,
            ("PATCH", "keys", Some(_), None) => Operation::UpdateKey,
            ("DELETE", "keys", Some(_), None) => Operation::DeleteKey,
            ("GET", "keys", Some(_), Some("public-key")) => Operation::GetPublicKey,
            ("GET", "keys", Some(_), Some("rotations")) => Operation::ListKeyRotations,
            ("POST", "keys", Some(_), Some(action)) => match action {
                "decrypt" => Operation::Decrypt,
                "delete-key-material" => Operation::DeleteKeyMaterial,
                "disable" => Operation::DisableKey,
                "enable" => Operation::EnableKey,
                "encrypt" => Operation::Encrypt,
                "generate-data-key" => Operation::GenerateDataKey,
                "import-key-material" => Operation::ImportKeyMaterial,
                "import-parameters" => Operation::GetImportParameters,
                "protect" => Operation::ProtectKey,
                "restore" => Operation::RestoreKey,
                "rotate" => Operation::RotateKey,
                "sign" => Operation::Sign,
                "unprotect" => Operation::UnprotectKey,
                "unwrap" => Operation::UnwrapKey,
                "verify" => Operation::Verify,
                "wrap" => Operation::WrapKey,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            operation,
            region,
            id: id.unwrap_or_default(),
        })
    }

    pub(super) fn key_id(&self) -> Result<Uuid, ApiError> {
        self.id
            .parse()
            .map_err(|_| ApiError::format("key_id", "must be a UUID"))
    }
}

/// A region that offers Key Manager.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Region {
    #[serde(rename = "fr-par")]
    FrPar,
    #[serde(rename = "nl-ams")]
    NlAms,
    #[serde(rename = "pl-waw")]
    PlWaw,
}

impl Region {
    pub(super) fn parse(name: &str) -> Result<Self, ApiError> {
        match name {
            "fr-par" => Ok(Self::FrPar),
            "nl-ams" => Ok(Self::NlAms),
            "pl-waw" => Ok(Self::PlWaw),
            _ => Err(ApiError::constraint(
                "region",
                "must be one of fr-par, nl-ams, pl-waw",
            )),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::FrPar => "fr-par",
            Self::NlAms => "nl-ams",
            Self::PlWaw => "pl-waw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operations_are_unique_and_parse_back() {
        for operation in Operation::ALL {
            assert_eq!(Operation::named(operation.name()), Some(*operation));
        }
        assert_eq!(Operation::named("any"), None);
    }

    #[test]
    fn a_slash_in_a_key_id_is_no_route() {
        let path = "/key-manager/v1alpha1/regions/fr-par/keys/regions/fr-par/keys/x/encrypt";
        assert_eq!(Route::parse("POST", path), Err(ApiError::UnknownRoute));
    }

    #[test]
    fn paths_and_methods_that_do_not_exist_are_no_routes() {
        for (method, path) in [
            ("GET", "/"),
            ("POST", "/metadata"),
            ("GET", "/metadata/"),
            ("GET", "/iam/v1alpha1/api-keys/a/b"),
            ("PUT", "/key-manager/v1alpha1/regions/fr-par/keys/x"),
            ("GET", "/key-manager/v1alpha1/regions/fr-par/keys/x/encrypt"),
            (
                "POST",
                "/key-manager/v1alpha1/regions/fr-par/keys/x/public-key",
            ),
            ("POST", "/key-manager/v1alpha1/regions/fr-par/keys/x/shred"),
            ("GET", "/key-manager/v1alpha1/regions/fr-par"),
            ("GET", "/key-manager/v1/regions/fr-par/keys"),
        ] {
            assert_eq!(
                Route::parse(method, path),
                Err(ApiError::UnknownRoute),
                "{method} {path}"
            );
        }
    }
}
