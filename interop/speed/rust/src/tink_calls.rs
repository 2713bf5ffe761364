//! The calls of the Rust port of Tink.

use std::{
    hint::black_box,
    io::{Cursor, Read as _, Write as _},
    sync::{Arc, Mutex, Once},
};

use tink_core::keyset::{BinaryReader, Handle, JsonReader, JsonWriter, insecure};

use crate::case::{Call, Case, DATA, Prepared, hole, said};

fn load(file: &[u8]) -> Result<Handle, String> {
    insecure::read(&mut BinaryReader::new(Cursor::new(file))).map_err(said)
}

pub(crate) fn tink(case: &Case) -> Prepared {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        tink_aead::init();
        tink_daead::init();
        tink_mac::init();
        tink_prf::init();
        tink_streaming_aead::init();
    });
    match case.what.as_str() {
        "aead" => aead(case),
        "daead" => daead(case),
        "mac" => mac(case),
        "prf" => {
            let prf = tink_prf::Set::new(&load(&case.keyset)?).map_err(said)?;
            let message = case.message();
            prf.compute_primary_prf(&message, 16).map_err(said)?;
            Ok(Box::new(move || {
                drop(black_box(prf.compute_primary_prf(black_box(&message), 16)));
            }))
        }
        "stream" => stream(case),
        "envelope" => envelope(case),
        "make" => {
            let keyset = load(&case.keyset)?;
            tink_aead::new(&keyset).map_err(said)?;
            Ok(Box::new(move || drop(black_box(tink_aead::new(&keyset)))))
        }
        "load" => loading(case),
        "create" => {
            let template = template(&case.template)?;
            Ok(Box::new(move || drop(black_box(Handle::new(&template)))))
        }
        _ => hole(),
    }
}

fn template(name: &str) -> Result<tink_proto::KeyTemplate, String> {
    match name {
        "AES256_GCM" => Ok(tink_aead::aes256_gcm_key_template()),
        _ => hole(),
    }
}

fn loading(case: &Case) -> Prepared {
    let keyset = load(&case.keyset)?;
    if case.direction == "json" {
        let mut file = Vec::new();
        insecure::write(&keyset, &mut JsonWriter::new(&mut file)).map_err(said)?;
        return Ok(Box::new(move || {
            let mut reader = JsonReader::new(Cursor::new(black_box(&file)));
            drop(black_box(insecure::read(&mut reader)));
        }));
    }
    let file = case.keyset.clone();
    Ok(Box::new(move || drop(black_box(load(black_box(&file))))))
}

fn aead(case: &Case) -> Prepared {
    let of = |file: &[u8]| tink_aead::new(&load(file)?).map_err(said);
    let aead = of(&case.keyset)?;
    let writer = of(case.writer.as_deref().unwrap_or(&case.keyset))?;
    let plaintext = case.message();
    let ciphertext = writer.encrypt(&plaintext, DATA).map_err(said)?;
    aead.decrypt(&ciphertext, DATA).map_err(said)?;
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

fn daead(case: &Case) -> Prepared {
    let aead = tink_daead::new(&load(&case.keyset)?).map_err(said)?;
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

fn mac(case: &Case) -> Prepared {
    let mac = tink_mac::new(&load(&case.keyset)?).map_err(said)?;
    let message = case.message();
    let tag = mac.compute_mac(&message).map_err(said)?;
    Ok(match case.direction.as_str() {
        "compute" => Box::new(move || drop(black_box(mac.compute_mac(black_box(&message))))),
        "verify" => Box::new(move || {
            black_box(mac.verify_mac(&tag, black_box(&message))).expect("it is the tag");
        }),
        _ => return hole(),
    })
}

/// A writer wants a sink that it owns, and gives it back to nobody.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics")
            .extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn stream(case: &Case) -> Prepared {
    let aead = tink_streaming_aead::new(&load(&case.keyset)?).map_err(said)?;
    let plaintext = case.message();
    let seal = |aead: &dyn tink_core::StreamingAead, plaintext: &[u8]| {
        let room = plaintext.len() + plaintext.len() / 100 + 4096;
        let sink = Sink(Arc::new(Mutex::new(Vec::with_capacity(room))));
        let mut writer = aead.new_encrypting_writer(Box::new(sink.clone()), DATA)?;
        writer
            .write_all(plaintext)
            .map_err(|error| tink_core::TinkError::new(&error.to_string()))?;
        writer.close()?;
        drop(writer);
        let stream = std::mem::take(&mut *sink.0.lock().expect("nobody panics"));
        Ok::<_, tink_core::TinkError>(stream)
    };
    let stream = seal(&*aead, &plaintext).map_err(said)?;
    Ok(match case.direction.as_str() {
        "encrypt" => Box::new(move || drop(black_box(seal(&*aead, black_box(&plaintext))))),
        "decrypt" => Box::new(move || {
            // The reader owns its source.
            let source = Box::new(Cursor::new(stream.clone()));
            let mut reader = aead
                .new_decrypting_reader(source, DATA)
                .expect("it is a stream");
            let mut opened = Vec::with_capacity(plaintext.len());
            reader.read_to_end(&mut opened).expect("it opens");
            black_box(opened);
        }),
        _ => return hole(),
    })
}

fn envelope(case: &Case) -> Prepared {
    let kek = tink_aead::new(&load(&case.keyset)?).map_err(said)?;
    let aead = tink_aead::KmsEnvelopeAead::new(template(&case.template)?, kek);
    let plaintext = case.message();
    let ciphertext = tink_core::Aead::encrypt(&aead, &plaintext, DATA).map_err(said)?;
    let call: Call = match case.direction.as_str() {
        "encrypt" => Box::new(move || {
            drop(black_box(tink_core::Aead::encrypt(
                &aead,
                black_box(&plaintext),
                DATA,
            )));
        }),
        "decrypt" => Box::new(move || {
            drop(black_box(tink_core::Aead::decrypt(
                &aead,
                black_box(&ciphertext),
                DATA,
            )));
        }),
        _ => return hole(),
    };
    Ok(call)
}
