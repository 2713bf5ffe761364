//! A data key of Key Manager, shared with a program that uses OpenSSL.
//!
//! The service makes the key; both programs open it with one call and speak plain AES-256-GCM. This
//! is not Tink's envelope, which wraps a key message: `KmsEnvelopeAead` is that.
//!
//! The emulator stands for the service, and `examples/openssl/aes_256_gcm.c` is the other program.
//! It needs a C compiler and OpenSSL's headers.
//!
//! ```text
//! cargo run --package keyseal-emulator --example openssl_data_key
//! ```

use std::{
    error::Error,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use keyseal::{Aead, KeysetAead, SecretAccess, kms::scaleway::DataKeySecret};
use keyseal_emulator::Emulator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("aes_256_gcm");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/openssl/aes_256_gcm.c");
    let compiled = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source])
        .arg("-lcrypto")
        .status()?;
    assert!(compiled.success(), "the C program was not compiled");

    let emulator = Emulator::new()?;
    let uri = format!("scw-kms://{}", emulator.seed_key("records")?);
    let kek = emulator.client().build()?.key(&uri.parse()?)?;
    let data_key = kek.generate_data_key().await?;
    // Stored beside the records.
    let wrapped = data_key.wrapped().ciphertext();

    let by_openssl = run(
        &program,
        "encrypt",
        data_key.secret(),
        b"written by OpenSSL",
    )?;
    let aead: KeysetAead = kek.open_data_key(wrapped).await?.primitive("AES256_GCM")?;
    assert_eq!(aead.decrypt(&by_openssl, b"row 7")?, b"written by OpenSSL");

    let by_keyseal = aead.encrypt(b"written by keyseal", b"row 7")?;
    let secret = kek.open_data_key(wrapped).await?;
    let opened = run(&program, "decrypt", &secret, &by_keyseal)?;
    assert_eq!(opened, b"written by keyseal");

    let damaged = [&by_keyseal[..], b"x"].concat();
    assert!(run(&program, "decrypt", &secret, &damaged).is_err());
    assert!(aead.decrypt(&damaged, b"row 7").is_err());
    Ok(())
}

/// Runs the other program; the key goes through a pipe, and is seen by nobody else.
fn run(
    program: &Path,
    verb: &str,
    key: &DataKeySecret,
    input: &[u8],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut pipe = child.stdin.take().ok_or("no pipe")?;
    pipe.write_all(key.bytes().expose(SecretAccess::insecure()))?;
    pipe.write_all(input)?;
    drop(pipe);
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err("the program failed".into())
    }
}
