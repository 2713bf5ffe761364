//! Encrypt, decrypt, data keys, signatures: the outputs, and every edge case of the inputs.

use aws_lc_rs::{digest, rsa, signature};
use keyseal_emulator::Parsing;
use serde_json::{Value, json};

use super::client::{Caller, base64, unbase64};

/// The three spellings of no associated data.
const SPELLINGS: [&str; 3] = ["", r#","associated_data":null"#, r#","associated_data":"""#];

#[test]
fn the_nine_pairs_of_spellings_of_empty_associated_data_are_equal() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    for sealing in SPELLINGS {
        let body = format!(r#"{{"plaintext":"aGVsbG8="{sealing}}}"#);
        let sealed = caller.raw("POST", &format!("keys/{id}/encrypt"), body);
        assert_eq!(sealed.status(), 200);
        let sealed: Value = serde_json::from_slice(sealed.body()).unwrap();
        for opening in SPELLINGS {
            let body = format!(r#"{{"ciphertext":{}{opening}}}"#, sealed["ciphertext"]);
            let opened = caller.raw("POST", &format!("keys/{id}/decrypt"), body);
            assert_eq!(opened.status(), 200, "{sealing:?} then {opening:?}");
            let opened: Value = serde_json::from_slice(opened.body()).unwrap();
            assert_eq!(opened["plaintext"], "aGVsbG8=");
        }
    }
}

#[test]
fn data_keys_open_with_any_spelling_of_empty_associated_data() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    let answer = caller.ok(
        &id,
        "generate-data-key",
        json!({"algorithm": "aes_256_gcm"}),
    );
    assert_eq!(unbase64(&answer["plaintext"]).len(), 32);
    for spelling in SPELLINGS {
        let body = format!(r#"{{"ciphertext":{}{spelling}}}"#, answer["ciphertext"]);
        let opened = caller.raw("POST", &format!("keys/{id}/decrypt"), body);
        let opened: Value = serde_json::from_slice(opened.body()).unwrap();
        assert_eq!(opened["plaintext"], answer["plaintext"]);
    }
    let other = caller.ok(
        &id,
        "generate-data-key",
        json!({"algorithm": "aes_256_gcm"}),
    );
    assert_ne!(other["plaintext"], answer["plaintext"]);
}

#[test]
fn plaintexts_and_ciphertexts_have_their_lengths() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    for (length, wanted) in [(0, 400), (1, 200), (65_535, 200), (65_536, 400)] {
        let plaintext = base64(&vec![5; length]);
        let (status, answer) = caller.post(&id, "encrypt", json!({"plaintext": plaintext}));
        assert_eq!(status, wanted, "{length}");
        if status == 200 {
            assert_eq!(unbase64(&answer["ciphertext"]).len(), length + 33);
        } else {
            assert_eq!(answer["details"][0]["argument_name"], "plaintext");
            assert_eq!(answer["details"][0]["reason"], "constraint");
        }
    }
    let too_long = "must be between 1 and 131071 bytes";
    let does_not_open = "cipher: message authentication failed";
    for (length, help) in [
        (0, too_long),
        (1, does_not_open),
        (131_071, does_not_open),
        (131_072, too_long),
    ] {
        let ciphertext = base64(&vec![5; length]);
        let (status, answer) = caller.post(&id, "decrypt", json!({"ciphertext": ciphertext}));
        assert_eq!(
            (status, &answer["details"][0]["help_message"]),
            (400, &json!(help)),
            "{length}"
        );
    }
    for (length, wanted) in [(65_536, 200), (65_537, 400)] {
        let associated_data = base64(&vec![5; length]);
        let body = json!({"plaintext": "aGVsbG8=", "associated_data": associated_data});
        assert_eq!(caller.post(&id, "encrypt", body).0, wanted, "{length}");
    }
}

#[test]
fn every_changed_byte_and_every_cut_of_a_ciphertext_is_refused() {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    caller.ok(&id, "rotate", Value::Null);
    let answer = caller.ok(
        &id,
        "encrypt",
        json!({"plaintext": "aGVsbG8=", "associated_data": "Y3R4"}),
    );
    let ciphertext = unbase64(&answer["ciphertext"]);
    let decrypt = |ciphertext: &[u8]| {
        let body = json!({"ciphertext": base64(ciphertext), "associated_data": "Y3R4"});
        caller.post(&id, "decrypt", body).0
    };
    assert_eq!(decrypt(&ciphertext), 200);
    for place in 0..ciphertext.len() {
        let mut changed = ciphertext.clone();
        changed[place] ^= 0x01;
        assert_eq!(decrypt(&changed), 400, "byte {place}");
    }
    // The index of another live rotation, exactly.
    let mut other = ciphertext.clone();
    other[4] = 1;
    assert_eq!(decrypt(&other), 400);
    for length in 1..ciphertext.len() {
        assert_eq!(decrypt(&ciphertext[..length]), 400, "{length} bytes");
    }
    let mut longer = ciphertext;
    longer.push(0);
    assert_eq!(decrypt(&longer), 400);
}

#[test]
fn a_ciphertext_of_another_key_does_not_open() {
    let caller = Caller::new();
    let (one, other) = (caller.symmetric_key(), caller.symmetric_key());
    let ciphertext = caller.encrypt(&one, b"hello");
    assert_eq!(
        caller
            .post(&other, "decrypt", json!({"ciphertext": ciphertext}))
            .0,
        400
    );
}

#[test]
fn an_absent_data_key_algorithm_is_served_unless_parsing_is_strict() {
    let (lenient, strict) = (
        Caller::new(),
        Caller::with(|builder| builder.parsing(Parsing::Strict)),
    );
    for (body, wanted, wanted_strict) in [
        (json!({}), 200, 400),
        (
            json!({"algorithm": "unknown_symmetric_encryption"}),
            200,
            400,
        ),
        (json!({"algorithm": null}), 200, 400),
        (json!({"algorithm": "aes_256_gcm"}), 200, 200),
        (json!({"algorithm": "aes_128_gcm"}), 400, 400),
        (json!({"algorithm": 1}), 400, 400),
    ] {
        for (caller, wanted) in [(&lenient, wanted), (&strict, wanted_strict)] {
            let id = caller.symmetric_key();
            let (status, answer) = caller.post(&id, "generate-data-key", body.clone());
            assert_eq!(status, wanted, "{body} {answer}");
        }
    }
}

#[test]
fn rsa_oaep_opens_what_the_public_key_sealed_elsewhere() {
    let caller = Caller::new();
    let id = caller.key("asymmetric_encryption", "rsa_oaep_2048_sha256");
    for (length, wanted) in [(0, 400), (1, 200), (190, 200), (191, 400)] {
        let plaintext = vec![9; length];
        let (status, answer) =
            caller.post(&id, "encrypt", json!({"plaintext": base64(&plaintext)}));
        assert_eq!(status, wanted, "{length}");
        if status == 200 {
            assert_eq!(unbase64(&answer["ciphertext"]).len(), 256);
            let body = json!({"ciphertext": answer["ciphertext"], "associated_data": ""});
            assert_eq!(
                unbase64(&caller.ok(&id, "decrypt", body)["plaintext"]),
                plaintext
            );
        }
    }
    let body = json!({"plaintext": "aGVsbG8=", "associated_data": "Y3R4"});
    let (status, answer) = caller.post(&id, "encrypt", body);
    assert_eq!(
        (status, &answer["details"][0]["argument_name"]),
        (400, &json!("associated_data"))
    );
    let (status, answer) = caller.post(&id, "decrypt", json!({"ciphertext": base64(&[1; 256])}));
    assert_eq!(
        (status, &answer["details"][0]["argument_name"]),
        (400, &json!("ciphertext"))
    );

    // The public key is PKCS #1, under the label that the service uses.
    let der = public_key(&caller, &id, "RSA PUBLIC KEY");
    let info = rsa::PublicKey::from_der(&der).unwrap();
    assert_eq!(info.as_ref(), der);
    let info = aws_lc_rs::encoding::AsDer::as_der(&info).unwrap();
    let public = rsa::PublicEncryptingKey::from_der(info.as_ref()).unwrap();
    let public = rsa::OaepPublicEncryptingKey::new(public).unwrap();
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public
        .encrypt(
            &rsa::OAEP_SHA256_MGF1SHA256,
            b"local",
            &mut ciphertext,
            None,
        )
        .unwrap();
    let answer = caller.ok(&id, "decrypt", json!({"ciphertext": base64(&ciphertext)}));
    assert_eq!(unbase64(&answer["plaintext"]), b"local");
}

#[test]
fn signatures_verify_here_and_elsewhere() {
    let caller = Caller::new();
    let cases: [(
        &str,
        &dyn signature::VerificationAlgorithm,
        &'static digest::Algorithm,
        &str,
    ); 5] = [
        (
            "ec_p256_sha256",
            &signature::ECDSA_P256_SHA256_ASN1,
            &digest::SHA256,
            "EC PUBLIC KEY",
        ),
        (
            "ec_p384_sha384",
            &signature::ECDSA_P384_SHA384_ASN1,
            &digest::SHA384,
            "EC PUBLIC KEY",
        ),
        (
            "ec_secp256k1_sha256",
            &signature::ECDSA_P256K1_SHA256_ASN1,
            &digest::SHA256,
            "EC PUBLIC KEY",
        ),
        (
            "rsa_pss_2048_sha256",
            &signature::RSA_PSS_2048_8192_SHA256,
            &digest::SHA256,
            "RSA PUBLIC KEY",
        ),
        (
            "rsa_pkcs1_3072_sha256",
            &signature::RSA_PKCS1_2048_8192_SHA256,
            &digest::SHA256,
            "RSA PUBLIC KEY",
        ),
    ];
    for (algorithm, verifier, hash, label) in cases {
        let id = caller.key("asymmetric_signing", algorithm);
        let digest = digest::digest(hash, b"message");
        let digest_text = base64(digest.as_ref());
        let answer = caller.ok(&id, "sign", json!({"digest": digest_text}));
        let bytes = unbase64(&answer["signature"]);
        let der = public_key(&caller, &id, label);
        let public = signature::UnparsedPublicKey::new(verifier, der);
        public.verify(b"message", &bytes).unwrap();

        let verify = |digest: &str, signature: &[u8]| {
            let body = json!({"digest": digest, "signature": base64(signature)});
            caller.ok(&id, "verify", body)["valid"].as_bool().unwrap()
        };
        assert!(verify(&digest_text, &bytes), "{algorithm}");
        let mut wrong = bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        assert!(!verify(&digest_text, &wrong), "{algorithm}");
        assert!(!verify(&digest_text, b""), "{algorithm}");
        let other_digest = base64(digest::digest(hash, b"other").as_ref());
        assert!(!verify(&other_digest, &bytes), "{algorithm}");

        let again = caller.ok(&id, "sign", json!({"digest": digest_text}));
        let is_random = algorithm != "rsa_pkcs1_3072_sha256";
        assert_eq!(
            again["signature"] != answer["signature"],
            is_random,
            "{algorithm}"
        );

        for length in [digest.as_ref().len() - 1, digest.as_ref().len() + 1] {
            let (status, error) =
                caller.post(&id, "sign", json!({"digest": base64(&vec![1; length])}));
            assert_eq!(
                (status, &error["details"][0]["argument_name"]),
                (400, &json!("digest"))
            );
        }
    }
}

#[test]
fn longer_rsa_keys_take_longer_plaintexts() {
    let caller = Caller::new();
    let id = caller.key("asymmetric_encryption", "rsa_oaep_3072_sha256");
    for (length, wanted) in [(318, 200), (319, 400)] {
        let body = json!({"plaintext": base64(&vec![9; length])});
        assert_eq!(caller.post(&id, "encrypt", body).0, wanted);
    }
}

#[test]
fn a_key_is_refused_for_what_it_is_not_made_for() {
    let caller = Caller::new();
    let symmetric = caller.symmetric_key();
    let signing = caller.key("asymmetric_signing", "ec_p256_sha256");
    let body = json!({
        "plaintext": "aGVsbG8=", "ciphertext": "aGVsbG8=", "digest": base64(&[1; 32]),
        "signature": "aGVsbG8=", "algorithm": "aes_256_gcm",
    });
    for (id, action) in [
        (&symmetric, "sign"),
        (&symmetric, "verify"),
        (&symmetric, "wrap"),
        (&symmetric, "unwrap"),
        (&signing, "encrypt"),
        (&signing, "decrypt"),
        (&signing, "generate-data-key"),
        (&signing, "rotate"),
        (&signing, "wrap"),
    ] {
        let (status, error) = caller.post(id, action, body.clone());
        assert_eq!(
            (status, &error["type"]),
            (400, &json!("invalid_arguments")),
            "{action}"
        );
        assert_eq!(error["details"][0]["argument_name"], "key_id", "{action}");
    }
    let (status, _) = caller.call("GET", &format!("keys/{symmetric}/public-key"), Value::Null);
    assert_eq!(status, 400);
}

fn public_key(caller: &Caller, id: &str, label: &str) -> Vec<u8> {
    let (status, answer) = caller.call("GET", &format!("keys/{id}/public-key"), Value::Null);
    assert_eq!(status, 200, "{answer}");
    let pem = answer["pem"].as_str().unwrap();
    let text = pem
        .strip_prefix(&format!("-----BEGIN {label}-----\n"))
        .unwrap();
    let text = text
        .strip_suffix(&format!("-----END {label}-----\n"))
        .unwrap();
    assert!(text.lines().all(|line| line.len() <= 64));
    unbase64(&json!(text.replace('\n', "")))
}
