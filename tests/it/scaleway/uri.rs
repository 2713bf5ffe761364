//! Key URIs: how they are read and printed, and which client serves which.

use keyseal::{
    KmsErrorKind,
    kms::{
        KmsClient,
        scaleway::{KeyUri, Region, RegionConflict},
    },
};

use super::scripted::{Answer, KEY_ID, Scripted};

const CANONICAL: &str = "scw-kms://regions/nl-ams/keys/11111111-2222-4333-8444-555555555555";

#[test]
fn both_dialects_are_read_in_either_case_of_the_scheme_and_printed_in_one() {
    for (text, printed) in [
        (CANONICAL.to_owned(), CANONICAL),
        (CANONICAL.replace("scw-kms", "SCW-KMS"), CANONICAL),
        (
            format!("scw-kms://{KEY_ID}"),
            "scw-kms://11111111-2222-4333-8444-555555555555",
        ),
        (
            "Scw-Kms://ABCDEF01-2222-4333-8444-55555555555F".to_owned(),
            "scw-kms://abcdef01-2222-4333-8444-55555555555f",
        ),
    ] {
        let uri: KeyUri = text.parse().unwrap();
        assert_eq!(uri.to_string(), printed);
        assert_eq!(uri.to_string().parse::<KeyUri>().unwrap(), uri);
    }
}

/// Of the scheme, and malformed.
fn malformed() -> Vec<String> {
    let mut bad: Vec<String> = [
        "scw-kms://",
        "scw-kms:///",
        "scw-kms://key",
        "scw-kms://regions/fr-par/keys/",
        "scw-kms://regions/fr-par/keys",
        "scw-kms://regions//keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://regions/FR-PAR/keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://regions/fr-par-1/keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://Regions/fr-par/keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://regions/fr%2dpar/keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://regions/fr-par/keys/11111111222243338444555555555555",
        "scw-kms://regions/fr-par/keys//11111111-2222-4333-8444-555555555555",
        "scw-kms://fr-par/11111111-2222-4333-8444-555555555555",
        "scw-kms://user@11111111-2222-4333-8444-555555555555",
        "scw-kms://user:password@regions/fr-par/keys/11111111-2222-4333-8444-555555555555",
        "scw-kms://regions/fr-par/keys/../keys/11111111-2222-4333-8444-555555555555",
        "scw-kms:///11111111-2222-4333-8444-555555555555",
    ]
    .map(str::to_owned)
    .into();
    for behind in [
        "/", "?", "?a=b", "#", "#a", " ", "\n", "/decrypt", "%20", "\0",
    ] {
        bad.push(format!("{CANONICAL}{behind}"));
        bad.push(format!("scw-kms://{KEY_ID}{behind}"));
    }
    bad
}

#[test]
fn anything_more_or_less_is_refused_and_not_repeated() {
    for bad in malformed() {
        let error = bad.parse::<KeyUri>().unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::InvalidUri, "{bad}");
        assert!(!error.to_string().contains("password"));
    }
    for foreign in [
        "",
        "scw-kms",
        "scw-kms:/x",
        "aws-kms://x",
        KEY_ID,
        "scw-kmsé://",
    ] {
        assert!(foreign.parse::<KeyUri>().is_err(), "{foreign}");
    }
}

#[test]
fn references_are_read_in_the_forms_that_other_tools_print() {
    let canonical: KeyUri = CANONICAL.parse().unwrap();
    let bare = KeyUri::in_any_region(KEY_ID.parse().unwrap());
    for (text, uri) in [
        (CANONICAL.to_owned(), &canonical),
        (format!("scw-kms://{KEY_ID}"), &bare),
        (
            format!("srn://key-manager.scw.eu/regions/nl-ams/keys/{KEY_ID}"),
            &canonical,
        ),
        (format!("nl-ams/{KEY_ID}"), &canonical),
        (KEY_ID.to_owned(), &bare),
    ] {
        assert_eq!(
            KeyUri::from_reference(&text).as_ref().unwrap(),
            uri,
            "{text}"
        );
    }
    for bad in [
        String::new(),
        format!("/{KEY_ID}"),
        format!("NL-AMS/{KEY_ID}"),
        format!("srn://key-manager./regions/nl-ams/keys/{KEY_ID}"),
        format!("srn://secret-manager.scw.eu/regions/nl-ams/keys/{KEY_ID}"),
        format!("srn://key-manager.scw.eu/x/regions/nl-ams/keys/{KEY_ID}"),
        format!("aws-kms://{KEY_ID}"),
        format!("{KEY_ID}/nl-ams"),
    ] {
        assert!(KeyUri::from_reference(&bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_region_called_is_that_of_the_uri_or_the_client() {
    use RegionConflict::*;
    for (client, uri, conflict, called) in [
        (None, CANONICAL, Refuse, Some("nl-ams")),
        (Some("nl-ams"), CANONICAL, Refuse, Some("nl-ams")),
        (Some("fr-par"), CANONICAL, Refuse, None),
        (Some("fr-par"), CANONICAL, UseUri, Some("nl-ams")),
        (Some("fr-par"), CANONICAL, UseClient, Some("fr-par")),
        (
            Some("fr-par"),
            "scw-kms://11111111-2222-4333-8444-555555555555",
            Refuse,
            Some("fr-par"),
        ),
        (
            None,
            "scw-kms://11111111-2222-4333-8444-555555555555",
            UseClient,
            None,
        ),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/encrypt.json")]);
        let mut builder = keyseal::kms::scaleway::ScalewayClient::builder()
            .secret_key(super::scripted::SECRET_KEY)
            .region_conflict(conflict)
            .transport(service.clone());
        if let Some(region) = client {
            builder = builder.region(region);
        }
        let served = builder
            .build()
            .unwrap()
            .remote_aead(uri)
            .expect("the scheme is ours");
        match (served, called) {
            (Ok(key), Some(called)) => {
                key.encrypt(b"x", b"").await.unwrap();
                assert!(
                    service.sent()[0]
                        .target
                        .contains(&format!("/regions/{called}/"))
                );
            }
            (Err(error), None) => assert_eq!(error.kind(), KmsErrorKind::InvalidUri),
            (served, _) => panic!("{client:?} {uri} {conflict:?}: {:?}", served.err()),
        }
    }
}

#[test]
fn the_canonical_uri_of_a_key_names_its_region() {
    let key = Scripted::new([]).key();
    assert_eq!(
        key.uri().to_string(),
        format!("scw-kms://regions/fr-par/keys/{KEY_ID}")
    );
}

#[test]
fn a_client_tells_foreign_uris_from_malformed_ones() {
    let client = Scripted::new([]).client().in_region(Region::NL_AMS);
    for foreign in [
        "",
        "aws-kms://x",
        "scw-kms:",
        "xscw-kms://x",
        "gcp-kms://scw-kms://",
    ] {
        assert!(client.remote_aead(foreign).is_none(), "{foreign}");
    }
    for bad in malformed() {
        assert!(
            client
                .remote_aead(&bad)
                .is_some_and(|served| served.is_err()),
            "{bad}"
        );
    }
    assert!(
        client
            .remote_aead(CANONICAL)
            .is_some_and(|served| served.is_ok())
    );
}

#[test]
fn a_key_serves_its_own_uri_only() {
    let client = Scripted::new([]).client().in_region(Region::NL_AMS);
    let key = client.key(&CANONICAL.parse().unwrap()).unwrap();
    assert!(
        key.remote_aead(CANONICAL)
            .is_some_and(|served| served.is_ok())
    );
    assert!(key.remote_aead(&format!("SCW-KMS://{KEY_ID}")).is_some());
    for other in [
        "scw-kms://99999999-2222-4333-8444-555555555555".to_owned(),
        CANONICAL.replace("nl-ams", "fr-par"),
        format!("{CANONICAL}/"),
        "aws-kms://x".to_owned(),
    ] {
        assert!(key.remote_aead(&other).is_none(), "{other}");
    }
}
