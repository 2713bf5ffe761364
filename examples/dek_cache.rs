//! Encrypts several messages with one call to Key Manager, and stores newer wrappings lazily.
//!
//!     dek_cache encrypt KEK FOLDER NAME ASSOCIATED_DATA < MESSAGE
//!     dek_cache refresh KEK FOLDER ASSOCIATED_DATA
//!
//! `encrypt` leaves five envelopes of the message, `NAME-1.envelope` to `NAME-5.envelope`, of which
//! the last two are of another partition. `refresh` decrypts every envelope of the folder. Where the
//! key was rotated since, the answer brings a newer wrapping, which takes the place of the old one if
//! nobody else changed the file meanwhile.

#![allow(clippy::print_stdout, reason = "an example")]

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read as _},
    path::Path,
};

use keyseal::{
    KmsEnvelopeAead, RemoteAead as _,
    envelope::{CachePolicy, CachedEnvelopeAead, DecryptCache, EncryptCache},
    kms::scaleway::ScalewayClient,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["encrypt", kek, folder, name, associated_data] => {
            let mut message = Vec::new();
            io::stdin().read_to_end(&mut message)?;
            let aead = cached(kek)?;
            encrypt(&aead, folder.as_ref(), name, associated_data, &message).await?;
            println!("{} calls", aead.stats().wraps);
        }
        ["refresh", kek, folder, associated_data] => {
            let aead = cached(kek)?;
            let newer = refresh(&aead, folder.as_ref(), associated_data).await?;
            println!("{newer} newer, {} calls", aead.stats().unwraps);
        }
        _ => return Err("encrypt KEK FOLDER NAME DATA, or refresh KEK FOLDER DATA".into()),
    }
    Ok(())
}

fn cached(kek: &str) -> Result<CachedEnvelopeAead, Box<dyn Error>> {
    let kek = ScalewayClient::from_env()?.key(&kek.parse()?)?;
    let policy = CachePolicy::new()
        .encrypt(EncryptCache::new())
        .decrypt(DecryptCache::new());
    Ok(KmsEnvelopeAead::new(kek, "AES256_GCM")?.cached(policy)?)
}

async fn encrypt(
    aead: &CachedEnvelopeAead,
    folder: &Path,
    name: &str,
    associated_data: &str,
    message: &[u8],
) -> Result<(), Box<dyn Error>> {
    let other = aead.partition("another tenant");
    for number in 1..=5 {
        let aead = if number > 3 { &other } else { aead };
        let envelope = aead.encrypt(message, associated_data.as_bytes()).await?;
        fs::write(folder.join(format!("{name}-{number}.envelope")), envelope)?;
    }
    Ok(())
}

async fn refresh(
    aead: &CachedEnvelopeAead,
    folder: &Path,
    associated_data: &str,
) -> Result<usize, Box<dyn Error>> {
    let mut newer = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "envelope")
        {
            continue;
        }
        let stored = fs::read(&path)?;
        let decrypted = aead.decrypt_with_refresh(&stored, associated_data.as_bytes());
        let decrypted = decrypted.await?;
        if let Some(rewrapped) = decrypted.rewrapped() {
            newer += usize::from(compare_and_swap(&path, &stored, rewrapped)?);
        }
    }
    Ok(newer)
}

/// Stores `new` unless the file changed since `old` was read. A database does this in one statement:
/// `UPDATE messages SET body = $new WHERE id = $id AND body = $old`.
fn compare_and_swap(path: &Path, old: &[u8], new: &[u8]) -> io::Result<bool> {
    let beside = path.with_extension("new");
    fs::write(&beside, new)?;
    if fs::read(path)? != old {
        fs::remove_file(&beside)?;
        return Ok(false);
    }
    fs::rename(&beside, path)?;
    Ok(true)
}
