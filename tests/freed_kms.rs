//! What envelopes and the client of Key Manager leave behind in freed memory: nothing, up to its transport.
//!
//! `HttpTransport` documents the copies that the libraries below it leave behind.
//!
//! An allocator searches every block that this thread frees for the planted bytes. This is a
//! separate binary, because a process has one allocator.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    slice,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    BoxFuture, KeyTypes, KmsEnvelopeAead, KmsError, Provider, RemoteAead, SecretAccess,
    SecretBytes,
    kms::scaleway::{
        Environment, HttpRequest, HttpResponse, ScalewayClient, ScalewayKey, Transport,
    },
};
use zeroize::Zeroizing;

const PLAINTEXT: &[u8] = b"planted plaintext, 32 bytes long";
const PLAINTEXT_BASE64: &[u8] = b"cGxhbnRlZCBwbGFpbnRleHQsIDMyIGJ5dGVzIGxvbmc=";
const SECRET_KEY: &str = "91a47ed0-5ec2-4e7e-8000-0123456789ab";
const KEY_ID: &str = "11111111-2222-4333-8444-555555555555";

thread_local! {
    static SEARCHED: Cell<&'static [&'static [u8]]> = const { Cell::new(&[]) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

struct Searching;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract. Zeroed, so that all of it may be read later.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is whole, initialized by `alloc`, and still nobody else's.
        let bytes = unsafe { slice::from_raw_parts(block, layout.size()) };
        let searched = SEARCHED.try_with(Cell::get).unwrap_or_default();
        let found = searched
            .iter()
            .filter(|planted| contains(bytes, planted))
            .count();
        let _ = FOUND.try_with(|total| total.set(total.get() + found));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Searching = Searching;

fn contains(bytes: &[u8], planted: &[u8]) -> bool {
    bytes.windows(planted.len()).any(|part| part == planted)
}

/// Counts the blocks that `work` frees with something planted in them.
fn leaks<T>(planted: &'static [&'static [u8]], work: impl FnOnce() -> T) -> usize {
    FOUND.set(0);
    SEARCHED.set(planted);
    drop(work());
    SEARCHED.set(&[]);
    FOUND.get()
}

const EVERYTHING: &[&[u8]] = &[PLAINTEXT, PLAINTEXT_BASE64, SECRET_KEY.as_bytes()];

/// Answers with the plaintext wherever a plaintext belongs, and where none does.
struct Planted;

impl Transport for Planted {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        // Blocks that this transport drops while it writes are not searched.
        let searched = SEARCHED.replace(&[]);
        let planted = String::from_utf8(PLAINTEXT_BASE64.to_vec()).unwrap();
        let (status, field) = match request.operation() {
            "encrypt" => (200, r#""ciphertext":"AQ==""#.to_owned()),
            "sign" => (200, format!(r#""plaintext":["{planted}"]"#)),
            "import key material" => (400, r#""message":"no""#.to_owned()),
            _ => (
                200,
                format!(r#""ciphertext":"AQ==","plaintext":"{planted}""#),
            ),
        };
        let body = format!(r#"{{"key_id":"{KEY_ID}",{field}}}"#);
        drop((planted, field));
        SEARCHED.set(searched);
        Box::pin(async move { Ok(HttpResponse::json(status, body)) })
    }
}

fn key(client: &ScalewayClient) -> ScalewayKey {
    client
        .key(&format!("scw-kms://{KEY_ID}").parse().unwrap())
        .unwrap()
}

#[test]
fn the_search_finds_what_is_freed_as_it_is() {
    assert_eq!(STANDARD.encode(PLAINTEXT).as_bytes(), PLAINTEXT_BASE64);
    assert_eq!(leaks(EVERYTHING, || [b"x", PLAINTEXT].concat()), 1);
    assert_eq!(leaks(EVERYTHING, || Zeroizing::new(PLAINTEXT.to_vec())), 0);
}

#[test]
fn settings_leave_no_secret_key_behind() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.yaml");
    let text =
        format!("secret_key: {SECRET_KEY}\nprofiles:\n  p: {{secret_key: '{SECRET_KEY}'}}\n");
    std::fs::write(&path, text).unwrap();
    let found = leaks(EVERYTHING, || {
        let builder = || ScalewayClient::builder().transport(Planted);
        let environment = Environment::from_pairs([("SCW_SECRET_KEY", SECRET_KEY)]);
        builder().secret_key(SECRET_KEY).build().unwrap();
        builder().environment(environment).build().unwrap();
        builder().config_file(&path).build().unwrap();
        builder().config_file(&path).profile("p").build().unwrap();
    });
    assert_eq!(found, 0);
}

#[test]
fn calls_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .region("fr-par")
        .transport(Planted)
        .build()
        .unwrap();
    let key = key(&client);
    let material = SecretBytes::copy_from(PLAINTEXT, SecretAccess::insecure());
    let found = leaks(EVERYTHING, || {
        runtime.block_on(async {
            key.encrypt(PLAINTEXT, PLAINTEXT).await.unwrap();
            drop(Zeroizing::new(
                key.decrypt(PLAINTEXT, PLAINTEXT).await.unwrap(),
            ));
            key.decrypt_with_refresh(PLAINTEXT, b"").await.unwrap();
            key.generate_data_key().await.unwrap();
            // Answers that are refused, and a refusal.
            key.generate_wrapped_data_key().await.unwrap();
            key.sign(PLAINTEXT).await.unwrap_err();
            key.import_key_material(&material, b"").await.unwrap_err();
            drop(key);
            drop(client);
        });
    });
    assert_eq!(found, 0);
}

/// A key-encryption key that starts a search for each key it wraps.
struct Watching;

impl Watching {
    fn search_for(dek: &[u8]) {
        // The key itself ends each message but that of AES-CTR-HMAC, where both parts are long.
        let key = dek.last_chunk::<16>().unwrap().to_vec().leak();
        SEARCHED.set(vec![&*key].leak());
    }
}

impl RemoteAead for Watching {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Self::search_for(plaintext);
        let wrapped = plaintext.iter().map(|byte| !byte).collect();
        Box::pin(async { Ok(wrapped) })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        let opened: Vec<u8> = ciphertext.iter().map(|byte| !byte).collect();
        Self::search_for(&opened);
        Box::pin(async { Ok(opened) })
    }
}

#[test]
fn an_envelope_leaves_no_data_encryption_key_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for template in [
        "AES128_GCM",
        "AES256_GCM",
        "AES256_GCM_SIV",
        "AES256_CTR_HMAC_SHA256",
        "AES256_EAX",
        "CHACHA20_POLY1305",
        "XCHACHA20_POLY1305",
    ] {
        for provider in Provider::ALL {
            let template = KeyTypes::default().template(template).unwrap();
            let template = template.key_template();
            let found = leaks(&[], || {
                let aead = KmsEnvelopeAead::with_provider(Watching, template, *provider).unwrap();
                runtime.block_on(async {
                    let sealed = aead.encrypt(PLAINTEXT, b"data").await.unwrap();
                    aead.decrypt(&sealed, b"data").await.unwrap();
                    aead.decrypt(&sealed, b"other").await.unwrap_err();
                    // Cancelled in the middle.
                    drop(aead.encrypt(PLAINTEXT, b"data"));
                });
            });
            assert_eq!(found, 0, "{template:?} {provider:?}");
        }
    }
}

#[cfg(feature = "cache")]
#[test]
fn a_cache_leaves_no_data_encryption_key_behind() {
    use keyseal::envelope::{CachePolicy, DecryptCache, EncryptCache};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for template in ["AES256_GCM", "AES256_CTR_HMAC_SHA256", "XCHACHA20_POLY1305"] {
        for provider in Provider::ALL {
            let template = KeyTypes::default().template(template).unwrap();
            let template = template.key_template();
            let found = leaks(&[], || {
                let aead = KmsEnvelopeAead::with_provider(Watching, template, *provider).unwrap();
                let policy = CachePolicy::new()
                    .encrypt(EncryptCache::new().max_messages(2).prefetch(true))
                    .decrypt(DecryptCache::new().max_entries(1));
                let aead = aead.cached(policy).unwrap();
                runtime.block_on(async {
                    for _ in 0..5 {
                        let sealed = aead.encrypt(PLAINTEXT, b"data").await.unwrap();
                        aead.decrypt(&sealed, b"data").await.unwrap();
                        aead.decrypt(&sealed, b"other").await.unwrap_err();
                        aead.partition(b"one")
                            .encrypt(PLAINTEXT, b"")
                            .await
                            .unwrap();
                        drop(aead.encrypt(PLAINTEXT, b"data"));
                    }
                    aead.clear();
                });
            });
            assert_eq!(found, 0, "{template:?} {provider:?}");
        }
    }
}
