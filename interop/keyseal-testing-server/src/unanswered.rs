//! The services that keyseal does not offer: every answer is an error.

use tonic::{Request, Response, Status, async_trait};

use crate::{
    Answers,
    api::{
        CreationRequest, CreationResponse, UnansweredRequest, UnansweredResponse,
        hybrid_server::Hybrid, jwt_server::Jwt, signature_server::Signature,
    },
};

fn not_offered(service: &str) -> String {
    format!("keyseal has no {service}")
}

/// Methods whose answer is an error: in field 1 where they create, in field 2 elsewhere.
macro_rules! unanswered {
    ($service:ident: create $($create:ident)*; call $($call:ident)*) => {
        #[async_trait]
        impl $service for Answers {
            $(
                async fn $create(
                    &self,
                    _: Request<unanswered!(@request $create)>,
                ) -> Result<Response<CreationResponse>, Status> {
                    let err = not_offered(stringify!($service));
                    Ok(Response::new(CreationResponse { err }))
                }
            )*
            $(
                async fn $call(
                    &self,
                    _: Request<UnansweredRequest>,
                ) -> Result<Response<UnansweredResponse>, Status> {
                    let err = not_offered(stringify!($service));
                    Ok(Response::new(UnansweredResponse { err }))
                }
            )*
        }
    };
    (@request verify) => { UnansweredRequest };
    (@request $create:ident) => { CreationRequest };
}

unanswered!(Hybrid: create create_hybrid_encrypt create_hybrid_decrypt; call encrypt decrypt);
unanswered!(Signature: create create_public_key_sign create_public_key_verify verify; call sign);
unanswered!(
    Jwt: create create_jwt_mac create_jwt_public_key_sign create_jwt_public_key_verify;
    call compute_mac_and_encode verify_mac_and_decode public_key_sign_and_encode
        public_key_verify_and_decode to_jwk_set from_jwk_set
);
