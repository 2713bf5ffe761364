//! The calls of keyseal.

use std::{
    error::Error,
    hint::black_box,
    num::NonZeroUsize,
    pin::pin,
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyTypes, KeysetAead, KeysetDeriver,
    KeysetDeterministicAead, KeysetHandle, KeysetMac, KeysetPrfSet, KeysetStreamingAead,
    KmsEnvelopeAead, Mac as _, Provider, RemoteAead as _, SecretAccess, StreamingAead as _,
    keyset::Format, kms::LocalAead, streaming,
};
use serde_json::{Value, json};

use crate::case::{Call, Case, DATA, Prepared, hole, said};

const ACCESS: SecretAccess = SecretAccess::insecure();

/// Makes a keyset for all subjects. With more than one key, the one in the middle is also given
/// alone, to write a ciphertext that no other key can decrypt.
pub(crate) fn keyset(request: &Value) -> Result<Value, Box<dyn Error>> {
    let template = request["template"].as_str().ok_or("no template")?;
    let keys = usize::try_from(request["keys"].as_u64().unwrap_or(1))?;
    let mut keyset = KeysetHandle::generate(template)?;
    let mut writer = None;
    while keyset.len() < keys {
        let id = keyset.add(Key::generate(template)?)?;
        if keyset.len() == keys / 2 + 1 {
            let mut alone = keyset.clone();
            alone.promote(id)?;
            let others: Vec<_> = alone.entries().map(|entry| entry.id()).collect();
            for other in others.into_iter().filter(|other| *other != id) {
                alone.delete(other)?;
            }
            writer = Some(text(&alone));
        }
    }
    Ok(json!({"keyset": text(&keyset), "writer": writer.unwrap_or_default()}))
}

fn text(keyset: &KeysetHandle) -> String {
    let file = keyset.write_cleartext(Format::Binary, ACCESS);
    BASE64.encode(file.expose(ACCESS))
}

fn load(file: &[u8], format: Format) -> Result<KeysetHandle, String> {
    KeysetHandle::read_cleartext(file, format, ACCESS).map_err(said)
}

pub(crate) fn fastest(case: &Case) -> Prepared {
    calls(case, Provider::FASTEST)
}

pub(crate) fn portable(case: &Case) -> Prepared {
    calls(case, Provider::RustCrypto)
}

fn calls(case: &Case, provider: Provider) -> Prepared {
    match case.what.as_str() {
        "aead" => aead(case, provider),
        "daead" => daead(case, provider),
        "mac" => mac(case, provider),
        "prf" => prf(case, provider),
        "stream" => stream(case, provider),
        "envelope" => envelope(case, provider),
        "make" => {
            let keyset = load(&case.keyset, Format::Binary)?;
            Ok(Box::new(move || {
                drop(black_box(keyset.primitive_with::<KeysetAead>(provider)));
            }))
        }
        "load" => loading(case),
        "create" => {
            let template = case.template.clone();
            Ok(Box::new(move || {
                drop(black_box(KeysetHandle::generate(&template)));
            }))
        }
        "derive" => {
            let keyset = load(&case.keyset, Format::Binary)?;
            let deriver: KeysetDeriver = keyset.primitive_with(provider).map_err(said)?;
            Ok(Box::new(move || {
                drop(black_box(deriver.derive_keyset(black_box(DATA))));
            }))
        }
        _ => hole(),
    }
}

fn loading(case: &Case) -> Prepared {
    let (file, format) = match case.direction.as_str() {
        "json" => {
            let keyset = load(&case.keyset, Format::Binary)?;
            let file = keyset.write_cleartext(Format::Json, ACCESS);
            (file.expose(ACCESS).to_vec(), Format::Json)
        }
        _ => (case.keyset.clone(), Format::Binary),
    };
    load(&file, format)?;
    Ok(Box::new(move || {
        drop(black_box(load(black_box(&file), format)));
    }))
}

fn aead(case: &Case, provider: Provider) -> Prepared {
    let of = |file: &[u8]| -> Result<KeysetAead, String> {
        load(file, Format::Binary)?
            .primitive_with(provider)
            .map_err(said)
    };
    let aead = of(&case.keyset)?;
    let plaintext = case.message();
    let writer = case
        .writer
        .as_deref()
        .map_or_else(|| Ok(aead.clone()), of)?;
    let ciphertext = writer.encrypt(&plaintext, DATA).map_err(said)?;
    assert!(
        aead.decrypt(&ciphertext, DATA)
            .is_ok_and(|opened| opened == plaintext)
    );
    Ok(match case.direction.as_str() {
        "encrypt" => Box::new(move || {
            drop(black_box(aead.encrypt(black_box(&plaintext), DATA)));
        }),
        "decrypt" => Box::new(move || {
            drop(black_box(aead.decrypt(black_box(&ciphertext), DATA)));
        }),
        "refuse" => Box::new(move || {
            drop(black_box(aead.decrypt(black_box(&ciphertext), b"other")));
        }),
        _ => return hole(),
    })
}

fn daead(case: &Case, provider: Provider) -> Prepared {
    let keyset = load(&case.keyset, Format::Binary)?;
    let aead: KeysetDeterministicAead = keyset.primitive_with(provider).map_err(said)?;
    let plaintext = case.message();
    let ciphertext = aead
        .encrypt_deterministically(&plaintext, DATA)
        .map_err(said)?;
    Ok(match case.direction.as_str() {
        "encrypt" => Box::new(move || {
            drop(black_box(
                aead.encrypt_deterministically(black_box(&plaintext), DATA),
            ));
        }),
        "decrypt" => Box::new(move || {
            drop(black_box(
                aead.decrypt_deterministically(black_box(&ciphertext), DATA),
            ));
        }),
        _ => return hole(),
    })
}

fn mac(case: &Case, provider: Provider) -> Prepared {
    let keyset = load(&case.keyset, Format::Binary)?;
    let mac: KeysetMac = keyset.primitive_with(provider).map_err(said)?;
    let message = case.message();
    let tag = mac.compute_mac(&message);
    Ok(match case.direction.as_str() {
        "compute" => Box::new(move || drop(black_box(mac.compute_mac(black_box(&message))))),
        "verify" => Box::new(move || {
            black_box(mac.verify_mac(&tag, black_box(&message))).expect("it is the tag");
        }),
        _ => return hole(),
    })
}

fn prf(case: &Case, provider: Provider) -> Prepared {
    let keyset = load(&case.keyset, Format::Binary)?;
    let prf: KeysetPrfSet = keyset.primitive_with(provider).map_err(said)?;
    let message = case.message();
    Ok(Box::new(move || {
        drop(black_box(
            prf.primary().compute_prf(black_box(&message), 16),
        ));
    }))
}

fn stream(case: &Case, provider: Provider) -> Prepared {
    let keyset = load(&case.keyset, Format::Binary)?;
    let aead: KeysetStreamingAead = keyset.primitive_with(provider).map_err(said)?;
    let plaintext = case.message();
    // Threads are the library's own here, of one call.
    let threads = if case.direction.ends_with("-2") { 2 } else { 1 };
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let seal = move |aead: &KeysetStreamingAead, plaintext: &[u8]| {
        let sealer = aead.sealer(DATA).map_err(said)?;
        streaming::encrypt_slice(sealer, plaintext, threads).map_err(said)
    };
    let stream = seal(&aead, &plaintext)?;
    Ok(match case.direction.trim_end_matches("-2") {
        "encrypt" => Box::new(move || drop(black_box(seal(&aead, black_box(&plaintext))))),
        "decrypt" => Box::new(move || {
            let opener = aead.opener(DATA);
            drop(black_box(streaming::decrypt_slice(
                opener,
                black_box(&stream),
                threads,
            )));
        }),
        _ => return hole(),
    })
}

/// Drives a future that is never pending: its KEK is local.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a local KEK answers at once"),
    }
}

fn envelope(case: &Case, provider: Provider) -> Prepared {
    let keyset = load(&case.keyset, Format::Binary)?;
    let kek: KeysetAead = keyset.primitive_with(provider).map_err(said)?;
    let template = KeyTypes::default().template(&case.template).map_err(said)?;
    let aead =
        KmsEnvelopeAead::with_provider(LocalAead::new(kek), template.key_template(), provider)
            .map_err(said)?;
    let plaintext = case.message();
    let ciphertext = now(aead.encrypt(&plaintext, DATA)).map_err(said)?;
    let call: Call = match case.direction.as_str() {
        "encrypt" => Box::new(move || {
            drop(black_box(now(aead.encrypt(black_box(&plaintext), DATA))));
        }),
        "decrypt" => Box::new(move || {
            drop(black_box(now(aead.decrypt(black_box(&ciphertext), DATA))));
        }),
        _ => return hole(),
    };
    Ok(call)
}
