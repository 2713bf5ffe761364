//! `kek sign` and `kek verify`: signatures with keys of Key Manager.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::json;
use sha2::{Digest as _, Sha256, Sha384};
use zeroize::Zeroizing;

use super::choice::KeyChoice;
use crate::{
    context::Context,
    encoding::{from_base64, to_base64},
    error::Failure,
    files::{Content, Output},
    input::{FileArg, check_one_standard_input},
};

/// The largest file that may hold a signature or a digest, in bytes.
const SMALL: u64 = 64 << 10;

/// The input of a signature.
#[derive(Args, Debug)]
struct Message {
    /// The data; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: FileArg,
    /// The hash function of the key's algorithm
    #[arg(long, value_name = "NAME", default_value = "sha256")]
    hash: Hash,
    /// The input is the digest itself, as bytes, and is not hashed
    #[arg(long, conflicts_with = "hash")]
    prehashed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Hash {
    /// For every algorithm whose name ends in sha256
    Sha256,
    /// For ec_p384_sha384
    Sha384,
}

impl Message {
    /// Returns the digest for the service to sign. The data itself is never sent.
    fn digest(&self, context: &Context) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.prehashed {
            return self.input.read_small(SMALL, context);
        }
        let mut hasher = match self.hash {
            Hash::Sha256 => Hasher::Sha256(Sha256::new()),
            Hash::Sha384 => Hasher::Sha384(Sha384::new()),
        };
        self.input.copy_to(&mut hasher, context)?;
        Ok(Zeroizing::new(match hasher {
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha384(hasher) => hasher.finalize().to_vec(),
        }))
    }
}

enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sign a file, or a digest, with a key for signing
///
/// The file is hashed on this machine, and only its digest is sent. The signature is printed in
/// base64, or written as bytes with -o. ECDSA signatures are in ASN.1 DER, the form that `openssl
/// dgst -verify` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal kek sign \"$KEY\" release.tar -o release.tar.sig
  keyseal kek sign \"$KEY\" --prehashed digest.bin")]
pub(crate) struct SignArgs {
    #[command(flatten)]
    choice: KeyChoice,
    #[command(flatten, next_help_heading = None)]
    message: Message,
    /// Write the signature to this new file, as bytes
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<FileArg>,
    /// Replace an existing file
    #[arg(long, requires = "output", help_heading = "Output")]
    force: bool,
}

pub(super) fn sign(args: &SignArgs, context: &Context) -> Result<(), Failure> {
    let output = args
        .output
        .as_ref()
        .map(|place| {
            Output::new(
                place,
                &[&args.message.input],
                Content::Data,
                args.force.into(),
                context,
            )
        })
        .transpose()?;
    let (manager, key) = args.choice.open(context)?;
    let digest = args.message.digest(context)?;
    let signature = manager.run("cannot sign", key.sign(&digest))?;
    if let Some(output) = output {
        let done = format!("signed {}", args.message.input.name());
        let to_stdout = output.is_standard();
        output.write(&signature)?;
        return context.report(&done, &json!({ "key_id": key.uri().key_id() }), to_stdout);
    }
    let text = to_base64(&signature);
    let text = String::from_utf8_lossy(&text);
    match context.json {
        true => context.print_json(&json!({
            "key_id": key.uri().key_id(),
            "signature": text,
        })),
        false => context.print(&format!("{text}\n")),
    }
}

/// Check a signature of a file, or of a digest
///
/// The exit code is 4 if the key did not make the signature.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek verify \"$KEY\" release.tar --signature-file release.tar.sig")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    choice: KeyChoice,
    #[command(flatten, next_help_heading = None)]
    message: Message,
    #[command(flatten)]
    signature: SignatureArgs,
}

/// A signature, which is no secret.
#[derive(Args, Debug)]
#[command(next_help_heading = "Signature")]
#[group(required = true, multiple = false)]
struct SignatureArgs {
    /// The signature in base64, as `kek sign` prints it
    #[arg(long, value_name = "BASE64")]
    signature: Option<String>,
    /// A file with the bytes of the signature; `-` is standard input
    #[arg(long, value_name = "FILE")]
    signature_file: Option<FileArg>,
}

impl SignatureArgs {
    fn read(&self, context: &Context) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match (&self.signature, &self.signature_file) {
            (_, Some(file)) => file.read_small(SMALL, context),
            (text, None) => from_base64(text.as_deref().unwrap_or_default().as_bytes())
                .map_err(|reason| Failure::usage("base64", "cannot read --signature", reason)),
        }
    }
}

pub(super) fn verify(args: &VerifyArgs, context: &Context) -> Result<(), Failure> {
    let places = args.signature.signature_file.iter();
    check_one_standard_input(places.chain([&args.message.input]))?;
    let (manager, key) = args.choice.open(context)?;
    let signature = args.signature.read(context)?;
    let digest = args.message.digest(context)?;
    let name = args.message.input.name();
    let what = format!("cannot verify {name}");
    manager.run(&what, key.verify(&digest, &signature))?;
    let value = json!({ "key_id": key.uri().key_id(), "valid": true });
    context.report(&format!("verified {name}"), &value, false)
}
