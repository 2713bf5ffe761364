//! `kek public-key`: the public half of a key, in the form that other programs read.

use clap::Args;
use serde_json::json;

use super::choice::KeyChoice;
use crate::{
    args::NewFile,
    context::Context,
    encoding::{from_base64, to_base64},
    error::Failure,
    files::Content,
};

/// The algorithm identifier of RSA keys, in DER: rsaEncryption, without parameters.
const RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
/// The number of base64 characters in a line of PEM.
const LINE: usize = 64;

/// Print the public key of an asymmetric key, as PEM
///
/// The output is a SubjectPublicKeyInfo with the label PUBLIC KEY, which every library reads.
/// --json prints the text from the service, which can have another label and form.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek public-key \"$KEY\" -o key.pem
  openssl dgst -sha256 -verify key.pem -signature release.tar.sig release.tar")]
pub(crate) struct PublicKeyArgs {
    #[command(flatten)]
    choice: KeyChoice,
    #[command(flatten)]
    output: NewFile,
}

pub(super) fn run(args: &PublicKeyArgs, context: &Context) -> Result<(), Failure> {
    let output = args.output.plan(&[], Content::Data, context)?;
    let (manager, key) = args.choice.open(context)?;
    let pem = manager.run("cannot get the public key", key.public_key())?;
    let report = json!({ "key_id": key.uri().key_id(), "pem": pem });
    if context.json && output.is_standard() {
        return context.print_json(&report);
    }
    let (name, is_standard) = (output.name(), output.is_standard());
    output.write(standard(&pem).unwrap_or(pem).as_bytes())?;
    match is_standard {
        true => Ok(()),
        false => context.report(&format!("wrote {name}"), &report, false),
    }
}

/// Returns the same key as a SubjectPublicKeyInfo, unless it is neither that nor PKCS #1.
///
/// The service labels the first `EC PUBLIC KEY` and the second `RSA PUBLIC KEY`. We go by the
/// bytes, since a label can change.
fn standard(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    if !label.ends_with("PUBLIC KEY") {
        return None;
    }
    let text: Vec<u8> = body
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let der = from_base64(&text).ok()?;
    match first_tag_inside(&der)? {
        SEQUENCE => Some(to_pem(&der)),
        INTEGER => {
            let bits = [&[0], der.as_slice()].concat();
            let inside = [RSA, &element(BIT_STRING, &bits)].concat();
            Some(to_pem(&element(SEQUENCE, &inside)))
        }
        _ => None,
    }
}

/// Returns the tag of the first element of a sequence.
fn first_tag_inside(der: &[u8]) -> Option<u8> {
    let [SEQUENCE, length, rest @ ..] = der else {
        return None;
    };
    let size_of_length = match length {
        0x80.. => usize::from(length & 0x7f),
        _ => 0,
    };
    rest.get(size_of_length).copied()
}

/// Writes an element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let size = content.len().to_be_bytes();
    let first = size.iter().position(|byte| *byte != 0);
    let size = size.get(first.unwrap_or(size.len())..).unwrap_or_default();
    let mut der = vec![tag];
    match size {
        [] => der.push(0),
        [one @ ..0x80] => der.push(*one),
        _ => {
            // A size has at most 8 bytes.
            der.push(0x80 | u8::try_from(size.len()).unwrap_or_default());
            der.extend_from_slice(size);
        }
    }
    der.extend_from_slice(content);
    der
}

fn to_pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in to_base64(der).chunks(LINE) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_der_have_their_shortest_form() {
        assert_eq!(element(SEQUENCE, &[]), [0x30, 0]);
        assert_eq!(element(SEQUENCE, &[7; 127])[..2], [0x30, 127]);
        assert_eq!(element(SEQUENCE, &[7; 128])[..3], [0x30, 0x81, 128]);
        assert_eq!(element(SEQUENCE, &[7; 270])[..4], [0x30, 0x82, 1, 14]);
    }

    #[test]
    fn what_is_no_public_key_stays_as_it_is() {
        let pem =
            |label: &str, der: &[u8]| to_pem(der).replace(" PUBLIC KEY", &format!(" {label}"));
        for text in [
            "",
            "ssh-ed25519 AAAA",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n",
            &pem("PUBLIC KEY", &[]),
            &pem("PUBLIC KEY", &[0x30, 0]),
            &pem("PUBLIC KEY", &[0x30, 0xff, 1]),
            &pem("PUBLIC KEY", &[0x04, 1, 1]),
            &pem("CERTIFICATE", &[0x30, 2, 0x30, 0]),
        ] {
            assert_eq!(standard(text), None, "{text}");
        }
    }

    #[test]
    fn the_bytes_decide_and_not_the_label() {
        let info = [0x30, 2, 0x30, 0];
        for label in ["PUBLIC KEY", "EC PUBLIC KEY", "RSA PUBLIC KEY"] {
            let pem = to_pem(&info).replace("PUBLIC KEY", label);
            assert_eq!(standard(&pem), Some(to_pem(&info)), "{label}");
        }
        let pkcs1 = [0x30, 3, 2, 1, 5];
        let wrapped = [&[0x30, 0x17], RSA, &[3, 6, 0], &pkcs1].concat();
        assert_eq!(standard(&to_pem(&pkcs1)), Some(to_pem(&wrapped)));
    }
}
