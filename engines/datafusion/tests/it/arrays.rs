//! Types, NULLs and errors of the functions.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array as _, ArrayRef, BinaryArray},
        compute::cast,
        datatypes::DataType,
    },
    logical_expr::{ColumnarValue, Volatility},
    scalar::ScalarValue,
};
use keyseal::{
    Aead as _, DeterministicAead as _, KeysetAead, KeysetDeterministicAead, SecretAccess,
    keyset::Format,
};
use keyseal_datafusion::KeyRing;

use crate::support::{Functions, binary, bytes, generate, keyset, scalar, texts, usual};

const FAMILIES: [(&str, &str, &str); 2] = [
    ("a", "aead_encrypt", "aead_decrypt"),
    ("d", "deterministic_encrypt", "deterministic_decrypt"),
];

#[test]
fn every_type_of_text_and_binary_is_read() {
    let functions = usual();
    let long = "longer than what a view holds inline";
    let plaintexts = texts(&[Some("ada"), Some(""), None, Some("bob"), Some(long)]);
    let data = texts(&[Some("1"), Some("2"), Some("3"), Some(""), None]);
    let expected = texts(&[Some("ada"), Some(""), None, Some("bob"), None]);
    let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
    let types = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        dictionary(DataType::Utf8),
        dictionary(DataType::Binary),
    ];
    let array = |array: &ArrayRef, to: &DataType| ColumnarValue::Array(cast(array, to).unwrap());
    for (name, encrypt, decrypt) in FAMILIES {
        let keys = keyset(&functions, name);
        for of_plaintext in &types {
            for of_data in &types {
                let sealed = vec![
                    keys.clone(),
                    array(&plaintexts, of_plaintext),
                    array(&data, of_data),
                ];
                let sealed = functions
                    .call(encrypt, sealed)
                    .unwrap()
                    .into_array(5)
                    .unwrap();
                assert_eq!(sealed.null_count(), 2);
                let sealed = if of_plaintext.is_binary() {
                    array(&sealed, of_plaintext)
                } else {
                    ColumnarValue::Array(sealed)
                };
                // Additional data that was text may be binary, and the other way round.
                let arguments = vec![
                    keys.clone(),
                    sealed,
                    ColumnarValue::Array(Arc::clone(&data)),
                ];
                let string = format!("{decrypt}_string");
                let opened = functions.call(&string, arguments.clone()).unwrap();
                assert_eq!(&opened.into_array(5).unwrap(), &expected);
                let bytes = format!("{decrypt}_bytes");
                let opened = functions.call(&bytes, arguments).unwrap().into_array(5);
                let as_binary = cast(&expected, &DataType::Binary).unwrap();
                assert_eq!(&opened.unwrap(), &as_binary);
            }
        }
        let fixed = ScalarValue::FixedSizeBinary(3, Some(b"ada".to_vec()));
        let fixed = vec![keys.clone(), scalar(fixed.clone()), scalar(fixed)];
        let sealed = functions.call(encrypt, fixed).unwrap();
        let opened = vec![keys.clone(), sealed, scalar("ada")];
        let opened = functions
            .call(&format!("{decrypt}_string"), opened)
            .unwrap();
        assert_eq!(&opened.into_array(1).unwrap(), &texts(&[Some("ada")]));
    }
}

#[test]
fn slices_are_read_from_where_they_start() {
    let functions = usual();
    let keys = keyset(&functions, "a");
    let all = texts(&[Some("x"), None, Some("ada"), Some("bob")]);
    for view in [DataType::Utf8, DataType::Utf8View] {
        let part = cast(&all, &view).unwrap().slice(1, 2);
        let sealed = vec![keys.clone(), ColumnarValue::Array(part), scalar("")];
        let sealed = functions.call("aead_encrypt", sealed).unwrap();
        let opened = vec![keys.clone(), sealed, scalar("")];
        let opened = functions.call("aead_decrypt_string", opened).unwrap();
        assert_eq!(&opened.into_array(2).unwrap(), &texts(&[None, Some("ada")]));
    }
}

#[test]
fn ciphertexts_are_keyseals() {
    let (first, second) = (generate("AES256_GCM"), generate("AES256_SIV"));
    let aead: KeysetAead = first.primitive().unwrap();
    let deterministic: KeysetDeterministicAead = second.primitive().unwrap();
    let functions = Functions::new(KeyRing::new().keyset("a", first).keyset("d", second));
    let value = |function: &str, name: &str, input: ColumnarValue| {
        let arguments = vec![keyset(&functions, name), input, scalar("d")];
        bytes(functions.call(function, arguments).unwrap())
    };
    let sealed = value("AEAD.ENCRYPT", "a", scalar("ada"));
    assert_eq!(aead.decrypt(&sealed, b"d").unwrap(), b"ada");
    let sealed = aead.encrypt(b"bob", b"d").unwrap();
    assert_eq!(value("AEAD.DECRYPT_BYTES", "a", binary(sealed)), b"bob");
    let sealed = value("deterministic_encrypt", "d", scalar("ada"));
    let expected = deterministic
        .encrypt_deterministically(b"ada", b"d")
        .unwrap();
    assert_eq!(sealed, expected);
    assert_eq!(
        value("deterministic_decrypt_bytes", "d", binary(sealed)),
        b"ada"
    );
}

#[test]
fn what_does_not_open_is_an_error_or_null() {
    let functions = usual();
    for (name, encrypt, decrypt) in FAMILIES {
        let keys = keyset(&functions, name);
        let call = |function: &str, input: ColumnarValue, data: &str| {
            functions.call(function, vec![keys.clone(), input, scalar(data)])
        };
        let sealed = call(encrypt, scalar("canary"), "right")
            .unwrap()
            .into_array(1)
            .unwrap();
        let sealed: &BinaryArray = sealed.as_any().downcast_ref().unwrap();
        let sealed = sealed.value(0).to_vec();
        let function = format!("{decrypt}_string");
        let rows = BinaryArray::from(vec![&sealed[..], &sealed[1..]]);
        let rows = ColumnarValue::Array(Arc::new(rows));
        let error = call(&function, rows.clone(), "right")
            .unwrap_err()
            .strip_backtrace();
        assert_eq!(
            error,
            format!(
                "Execution error: {function}: a ciphertext does not open under this keyset and \
                 additional data (row 2 of the batch)"
            )
        );
        let opened = call(&format!("try_{function}"), rows, "right").unwrap();
        assert_eq!(
            &opened.into_array(2).unwrap(),
            &texts(&[Some("canary"), None])
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            for input in [changed, sealed[..at].to_vec()] {
                let opened = call(&format!("try_{decrypt}_bytes"), binary(input), "right");
                assert_eq!(opened.unwrap().into_array(1).unwrap().null_count(), 1);
            }
        }
        let error = call(&function, binary(sealed), "wrong")
            .unwrap_err()
            .to_string();
        assert!(
            !error.contains("wrong") && !error.contains("canary"),
            "{error}"
        );
    }
}

#[test]
fn text_must_be_utf8() {
    let functions = usual();
    let keys = keyset(&functions, "a");
    let sealed = vec![keys.clone(), binary([0xc3, 0x28]), scalar("")];
    let sealed = functions.call("aead_encrypt", sealed).unwrap();
    let arguments = vec![keys, sealed, scalar("")];
    let error = functions.error("aead_decrypt_string", arguments.clone());
    assert!(
        error.contains("a plaintext is not UTF-8: decrypt it to bytes (row 1"),
        "{error}"
    );
    let opened = functions
        .call("SAFE.AEAD.DECRYPT_STRING", arguments)
        .unwrap();
    assert_eq!(&opened.into_array(1).unwrap(), &texts(&[None]));
}

#[test]
fn encryption_is_random_and_deterministic_encryption_is_not() {
    let functions = usual();
    let same = || ColumnarValue::Array(texts(&[Some("same"), Some("same")]));
    let pair = |name: &str, encrypt: &str| {
        let sealed = functions.call(encrypt, vec![keyset(&functions, name), same(), scalar("")]);
        let sealed = sealed.unwrap().into_array(2).unwrap();
        (sealed.slice(0, 1), sealed.slice(1, 1))
    };
    let (one, two) = pair("a", "aead_encrypt");
    assert_ne!(&one, &two);
    let (one, two) = pair("d", "deterministic_encrypt");
    assert_eq!(&one, &two);
}

#[test]
fn secret_results_are_never_folded_into_plans() {
    let functions = usual();
    for (name, function) in &functions.0 {
        let volatility = function.signature().volatility;
        let is_plain = [
            "keyset",
            "keys_keyset_chain",
            "keys_keyset_length",
            "deterministic_encrypt",
        ]
        .contains(&function.name());
        let expected = if is_plain {
            Volatility::Immutable
        } else {
            Volatility::Volatile
        };
        assert_eq!(volatility, expected, "{name}");
    }
}

#[test]
fn dotted_names_have_two_cases() {
    let functions = usual();
    for name in [
        "AEAD.ENCRYPT",
        "AEAD.DECRYPT_BYTES",
        "AEAD.DECRYPT_STRING",
        "SAFE.AEAD.DECRYPT_BYTES",
        "SAFE.AEAD.DECRYPT_STRING",
        "SAFE.DETERMINISTIC_DECRYPT_BYTES",
        "SAFE.DETERMINISTIC_DECRYPT_STRING",
        "KEYS.NEW_KEYSET",
        "KEYS.ADD_KEY_FROM_RAW_BYTES",
        "KEYS.ROTATE_KEYSET",
        "KEYS.KEYSET_LENGTH",
        "KEYS.KEYSET_FROM_JSON",
        "KEYS.KEYSET_TO_JSON",
        "KEYS.KEYSET_CHAIN",
        "KEYS.NEW_WRAPPED_KEYSET",
        "KEYS.REWRAP_KEYSET",
        "KEYS.ROTATE_WRAPPED_KEYSET",
    ] {
        assert!(functions.0.contains_key(name), "{name}");
        assert!(functions.0.contains_key(&name.to_lowercase()), "{name}");
    }
}

#[test]
fn keysets_per_row_are_used_row_by_row() {
    let functions = usual();
    let key_type = || scalar("AEAD_AES_GCM_256");
    let made = || bytes(functions.call("keys_new_keyset", vec![key_type()]).unwrap());
    let (one, two) = (made(), made());
    assert_ne!(one, two);
    let keysets = BinaryArray::from(vec![Some(&one[..]), None, Some(&two[..]), Some(&one[..])]);
    let keysets = ColumnarValue::Array(Arc::new(keysets));
    let sealed = vec![keysets.clone(), scalar("x"), scalar("")];
    let sealed = functions.call("aead_encrypt", sealed).unwrap();
    let opened = vec![keysets, sealed.clone(), scalar("")];
    let opened = functions.call("aead_decrypt_string", opened).unwrap();
    let expected = texts(&[Some("x"), None, Some("x"), Some("x")]);
    assert_eq!(&opened.into_array(4).unwrap(), &expected);
    let opened = vec![binary(one.clone()), sealed, scalar("")];
    let opened = functions.call("try_aead_decrypt_string", opened).unwrap();
    assert_eq!(
        &opened.into_array(4).unwrap(),
        &texts(&[Some("x"), None, None, Some("x")])
    );

    let rotated = functions
        .call("keys_rotate_keyset", vec![binary(one), key_type()])
        .unwrap();
    let length = functions.call("keys_keyset_length", vec![rotated]).unwrap();
    let length = ScalarValue::try_from_array(&length.into_array(1).unwrap(), 0).unwrap();
    assert_eq!(length, ScalarValue::Int64(Some(2)));
}

#[test]
fn json_comes_back() {
    let functions = usual();
    let access = SecretAccess::insecure();
    let keyset = generate("AES256_GCM").write_cleartext(Format::Binary, access);
    let json = functions.call("keys_keyset_to_json", vec![binary(keyset.expose(access))]);
    let back = functions
        .call("keys_keyset_from_json", vec![json.unwrap()])
        .unwrap();
    let back = ScalarValue::try_from_array(&back.into_array(1).unwrap(), 0).unwrap();
    assert!(back == ScalarValue::Binary(Some(keyset.expose(access).to_vec())));
}

#[test]
fn arguments_that_cannot_work_are_planning_errors() {
    let functions = usual();
    for (function, arguments, expected) in [
        (
            "aead_encrypt",
            vec![scalar("k"), scalar(1_i64), scalar("")],
            "aead_encrypt takes text and binary, not Int64: cast the argument",
        ),
        (
            "aead_encrypt",
            vec![scalar("k"), scalar("p")],
            "aead_encrypt takes 3 arguments, not 2",
        ),
        (
            "keys_new_keyset",
            vec![scalar("AES_CBC")],
            "no key type is named \"AES_CBC\"",
        ),
        (
            "keys_new_keyset",
            vec![ColumnarValue::Array(texts(&[Some("AES256_GCM")]))],
            "keys_new_keyset: the key type must be a text literal",
        ),
        (
            "keys_new_keyset",
            vec![scalar(ScalarValue::Utf8(None))],
            "keys_new_keyset: the key type must be a text literal",
        ),
        (
            "keys_add_key_from_raw_bytes",
            vec![binary([8]), scalar("AES_CBC_PKCS"), binary([0; 16])],
            "AES_CBC_PKCS is refused: it does not authenticate",
        ),
    ] {
        let error = functions.error(function, arguments);
        assert!(error.contains("Error during planning"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}
