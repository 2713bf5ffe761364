//! Keysets of a key service, in cleartext, and of BigQuery.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use datafusion::{arrow::array::Array as _, logical_expr::ColumnarValue, scalar::ScalarValue};
use keyseal::{
    Aead as _, KeysetAead, KeysetHandle, KmsError, RemoteAead, SecretAccess, Variant,
    keyset::Format,
    kms::{KmsClient, KmsClients, blocking::Worker, file::FileKmsClient},
};
use keyseal_datafusion::KeyRing;
use serde_json::Value;

use crate::support::{Functions, binary, bytes, generate, hex, keyset, scalar, texts, usual};

pub(crate) const KEK: &str = "file-kms://kek.json";
const OTHER: &str = "file-kms://other.json";

/// A key service in a folder. Looking up a key is counted.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) client: Arc<FileKmsClient>,
    pub(crate) lookups: Arc<AtomicU64>,
}

impl Service {
    pub(crate) fn new(folder: &Path) -> Self {
        let access = SecretAccess::insecure();
        for name in ["kek.json", "other.json"] {
            let key = generate("AES256_GCM").write_cleartext(Format::Json, access);
            std::fs::write(folder.join(name), key.expose(access)).unwrap();
        }
        Self {
            client: Arc::new(FileKmsClient::in_folder(folder, access)),
            lookups: Arc::default(),
        }
    }

    pub(crate) fn ring(&self) -> KeyRing {
        KeyRing::new().kms(KmsClients::new().with(self.clone()))
    }

    fn kek(&self) -> Arc<dyn RemoteAead> {
        self.client.remote_aead(KEK).unwrap().unwrap()
    }

    /// Wraps a keyset as BigQuery does.
    pub(crate) fn wrap(&self, keyset: &KeysetHandle) -> Vec<u8> {
        let kek = self.kek();
        let keyset = cleartext(keyset);
        Worker::new()
            .unwrap()
            .run(kek.encrypt(&keyset, b""))
            .unwrap()
    }
}

impl KmsClient for Service {
    fn remote_aead(&self, uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.client.remote_aead(uri)
    }
}

fn cleartext(keyset: &KeysetHandle) -> Vec<u8> {
    let access = SecretAccess::insecure();
    let bytes = keyset.write_cleartext(Format::Binary, access);
    bytes.expose(access).to_vec()
}

fn read(keyset: &[u8]) -> KeysetHandle {
    KeysetHandle::read_cleartext(keyset, Format::Binary, SecretAccess::insecure()).unwrap()
}

fn chain(functions: &Functions, uri: &str, wrapped: ColumnarValue) -> ColumnarValue {
    let chain = functions.call("KEYS.KEYSET_CHAIN", vec![scalar(uri), wrapped]);
    chain.unwrap()
}

fn length(functions: &Functions, keyset: ColumnarValue) -> Result<ScalarValue, String> {
    let length = functions.call("KEYS.KEYSET_LENGTH", vec![keyset]);
    let length = length.map_err(|error| error.to_string())?;
    Ok(ScalarValue::try_from_array(&length.into_array(1).unwrap(), 0).unwrap())
}

#[test]
fn a_wrapped_keyset_is_unwrapped_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let wrapped = service.wrap(&generate("AES256_GCM"));
    let ring = service.ring().wrapped_keyset("pii", KEK, wrapped.clone());
    let functions = Functions::new(ring);
    let chain = chain(&functions, KEK, binary(wrapped));
    let rows = ColumnarValue::Array(texts(&[Some("x"); 1000]));
    let sealed = vec![chain, rows, scalar("")];
    let sealed = functions.call("aead_encrypt", sealed).unwrap();
    for _ in 0..3 {
        // The same keyset, by its name.
        let opened = vec![keyset(&functions, "pii"), sealed.clone(), scalar("")];
        let opened = functions.call("aead_decrypt_string", opened).unwrap();
        assert_eq!(
            &opened.into_array(1000).unwrap(),
            &texts(&[Some("x"); 1000])
        );
    }
    assert_eq!(service.lookups.load(Ordering::SeqCst), 1);
}

#[test]
fn threads_that_want_one_keyset_make_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let wrapped = service.wrap(&generate("AES256_GCM"));
    let functions = Functions::new(service.ring().wrapped_keyset("pii", KEK, wrapped));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert!(length(&functions, keyset(&functions, "pii")).is_ok()));
        }
    });
    assert_eq!(service.lookups.load(Ordering::SeqCst), 1);
}

#[test]
fn wrapped_keysets_are_made_rotated_and_rewrapped() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let functions = Functions::new(service.ring());
    let call = |name: &str, arguments| binary(bytes(functions.call(name, arguments).unwrap()));
    let key_type = || scalar("AEAD_AES_GCM_256");
    let one = call("KEYS.NEW_WRAPPED_KEYSET", vec![scalar(KEK), key_type()]);
    let arguments = vec![scalar(KEK), one.clone(), key_type()];
    let two = call("KEYS.ROTATE_WRAPPED_KEYSET", arguments);
    let arguments = vec![scalar(KEK), scalar(OTHER), two.clone()];
    let three = call("KEYS.REWRAP_KEYSET", arguments);
    for (uri, wrapped, keys) in [(KEK, &one, 1), (KEK, &two, 2), (OTHER, &three, 2)] {
        let chain = chain(&functions, uri, wrapped.clone());
        assert_eq!(
            length(&functions, chain),
            Ok(ScalarValue::Int64(Some(keys)))
        );
    }
    let error = length(&functions, chain(&functions, KEK, three)).unwrap_err();
    assert!(
        error.contains("the encrypted keyset did not decrypt"),
        "{error}"
    );

    // As with BigQuery: the service's ciphertext of a binary keyset, without associated data.
    let kek = service.kek();
    let one = bytes(one);
    let keyset = Worker::new().unwrap().run(kek.decrypt(&one, b"")).unwrap();
    assert_eq!(read(&keyset).len(), 1);
}

#[test]
fn keyset_files_of_tink_are_wrapped_keysets_too() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let handle = generate("AES256_GCM");
    let keys: KeysetAead = handle.primitive().unwrap();
    let (kek, worker) = (service.kek(), Worker::new().unwrap());
    for format in [Format::Binary, Format::Json] {
        let file = worker.run(handle.write_encrypted_remote(format, &*kek, b""));
        let ring = service.ring().wrapped_keyset("file", KEK, file.unwrap());
        let functions = Functions::new(ring);
        let arguments = vec![keyset(&functions, "file"), scalar("p"), scalar("d")];
        let sealed = bytes(functions.call("aead_encrypt", arguments).unwrap());
        assert_eq!(keys.decrypt(&sealed, b"d").unwrap(), b"p");
    }
}

#[test]
fn errors_say_which_key_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let ring = service.ring().keyset("a", generate("AES256_GCM"));
    let functions = Functions::new(ring.keyset("d", generate("AES256_SIV")));
    let chain = |uri| chain(&functions, uri, binary([0]));
    let encrypt = |keyset| functions.error("aead_encrypt", vec![keyset, scalar("p"), scalar("")]);
    for (error, expected) in [
        (
            encrypt(keyset(&functions, "d")),
            "aead_encrypt: this keyset has keys for deterministic AEAD, not for AEAD (row 1",
        ),
        (
            encrypt(keyset(&functions, "b")),
            "no keyset is named \"b\" in the key ring",
        ),
        (
            encrypt(chain("gcp-kms://k")),
            "gcp-kms://k: no client serves this key URI",
        ),
        (
            encrypt(chain("file-kms://none.json")),
            "file-kms://none.json: the resource does not exist",
        ),
        (
            encrypt(chain(KEK)),
            "file-kms://kek.json: the encrypted keyset did not decrypt: decryption failed",
        ),
        (
            encrypt(binary(b"keyseal chain 1\0")),
            "the keyset reference is malformed",
        ),
        (
            encrypt(binary(cleartext(&generate("AES256_GCM")))),
            "keysets in cleartext are refused here: use KEYS.KEYSET_CHAIN or keyset(name)",
        ),
        (
            functions.error("KEYS.NEW_KEYSET", vec![scalar("AES256_GCM")]),
            "keysets in cleartext are refused here",
        ),
        (
            functions.error("KEYS.KEYSET_FROM_JSON", vec![scalar("{}")]),
            "keysets in cleartext are refused here",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
    // A service that does not answer is an error for SAFE functions too.
    let arguments = vec![chain("gcp-kms://k"), binary([1]), scalar("")];
    let error = functions.error("SAFE.AEAD.DECRYPT_STRING", arguments);
    assert!(error.contains("no client serves this key URI"), "{error}");
}

#[test]
fn no_function_turns_a_reference_into_keys() {
    let functions = usual();
    let reference = || keyset(&functions, "a");
    for (name, arguments) in [
        ("KEYS.KEYSET_TO_JSON", vec![reference()]),
        (
            "KEYS.ROTATE_KEYSET",
            vec![reference(), scalar("AES256_GCM")],
        ),
        (
            "KEYS.ADD_KEY_FROM_RAW_BYTES",
            vec![reference(), scalar("AES_GCM"), binary([0; 16])],
        ),
    ] {
        let error = functions.error(name, arguments);
        assert!(error.contains("takes no reference to a keyset"), "{error}");
    }
}

#[test]
fn raw_bytes_become_a_raw_key_and_the_primary_key_stays() {
    let functions = usual();
    let access = SecretAccess::insecure();
    let handle = generate("AES256_GCM");
    let call = |size: usize| {
        let key = binary(vec![7; size]);
        let arguments = vec![binary(cleartext(&handle)), scalar("AES_GCM"), key];
        functions.call("KEYS.ADD_KEY_FROM_RAW_BYTES", arguments)
    };
    for size in [16, 32] {
        let with_raw = read(&bytes(call(size).unwrap()));
        assert_eq!(with_raw.primary_id(), handle.primary_id());
        let raw = with_raw.entries().last().unwrap();
        assert_eq!(raw.variant(), Variant::Raw);
        let exported = raw.key().unwrap().export(access).unwrap();
        assert_eq!(exported.expose(access), vec![7; size]);
    }
    for size in [0, 15, 17, 31, 33] {
        let error = call(size).unwrap_err().to_string();
        let expected = format!("an AES_GCM key has 16 or 32 bytes, not {size}");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_rotated_keyset_opens_old_ciphertexts() {
    let functions = usual();
    let old = generate("AES256_GCM");
    let sealed = vec![
        binary(cleartext(&old)),
        scalar("written before"),
        scalar(""),
    ];
    let sealed = functions.call("AEAD.ENCRYPT", sealed).unwrap();
    let new = vec![binary(cleartext(&old)), scalar("AEAD_AES_GCM_256")];
    let new = bytes(functions.call("KEYS.ROTATE_KEYSET", new).unwrap());
    assert_ne!(read(&new).primary_id(), old.primary_id());
    let opened = vec![binary(new), sealed, scalar("")];
    let opened = functions.call("AEAD.DECRYPT_STRING", opened).unwrap();
    let expected = texts(&[Some("written before")]);
    assert_eq!(&opened.into_array(1).unwrap(), &expected);
    let other = vec![
        binary(cleartext(&old)),
        scalar("DETERMINISTIC_AEAD_AES_SIV_CMAC_256"),
    ];
    let error = functions.error("KEYS.ROTATE_KEYSET", other);
    assert!(error.contains("the keyset is for"), "{error}");
}

#[test]
fn the_keyset_of_bigquery_is_read() {
    let functions = usual();
    let keyset = of_bigquery();
    let length = length(&functions, binary(keyset.clone()));
    assert_eq!(length, Ok(ScalarValue::Int64(Some(1))));
    // It is re-encoded in the same way.
    let json = functions.call("KEYS.KEYSET_TO_JSON", vec![binary(keyset.clone())]);
    let back = functions.call("KEYS.KEYSET_FROM_JSON", vec![json.unwrap()]);
    assert_eq!(hex(&bytes(back.unwrap())), hex(&keyset));
    // A ciphertext of BigQuery starts with 1 and the id of the key.
    let sealed = vec![binary(keyset.clone()), scalar("p"), scalar("d")];
    let sealed = bytes(functions.call("AEAD.ENCRYPT", sealed).unwrap());
    let id = read(&keyset).primary_id().value();
    assert_eq!(id, 2_575_830_243);
    assert_eq!(sealed[0], 1);
    assert_eq!(sealed[1..5], id.to_be_bytes());
    let keys: KeysetAead = read(&keyset).primitive().unwrap();
    assert_eq!(keys.decrypt(&sealed, b"d").unwrap(), b"p");
}

pub(crate) fn of_bigquery() -> Vec<u8> {
    let file = include_str!("../../../../tests/vectors/published/bigquery-keyset.json");
    let file: Value = serde_json::from_str(file).unwrap();
    STANDARD.decode(file["keyset"].as_str().unwrap()).unwrap()
}

/// The keys of a keyset in the forms that texts have.
fn forms_of_keys(keyset: &KeysetHandle) -> Vec<String> {
    let access = SecretAccess::insecure();
    let mut forms = Vec::new();
    for entry in keyset.entries() {
        let exported = entry.key().unwrap().export(access).unwrap();
        let key = &exported.expose(access)[..12];
        let numbers: Vec<_> = key.iter().map(ToString::to_string).collect();
        forms.extend([
            hex(key),
            hex(key).to_uppercase(),
            numbers.join(","),
            numbers.join(", "),
        ]);
    }
    forms
}

#[test]
fn debug_texts_have_no_keys() {
    let handle = generate("AES256_GCM");
    let ring = Arc::new(KeyRing::new().keyset("name of it", handle.clone()));
    let mut shown = format!("{ring:?}");
    assert!(shown.contains("name of it"));
    for function in keyseal_datafusion::functions(&ring) {
        shown += &format!("{function:?}");
    }
    assert!(shown.contains("aead_decrypt_string"));
    for form in forms_of_keys(&handle) {
        assert!(!shown.contains(&form), "{shown}");
    }
    // The search finds a key that is there.
    let there = format!("{:?}", cleartext(&handle));
    assert!(
        forms_of_keys(&handle)
            .iter()
            .any(|form| there.contains(form))
    );
}

#[test]
fn references_have_no_keys() {
    let functions = usual();
    let reference = bytes(keyset(&functions, "a"));
    assert_eq!(reference, b"keyseal name 1\0a");
    let reference = bytes(chain(&functions, "u", binary(*b"wrapped")));
    assert_eq!(reference, b"keyseal chain 1\0\0\x01uwrapped");
    let null = functions.call("keyset", vec![scalar(ScalarValue::Utf8(None))]);
    assert_eq!(null.unwrap().into_array(1).unwrap().null_count(), 1);
}
