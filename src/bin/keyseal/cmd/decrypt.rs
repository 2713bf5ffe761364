//! `decrypt`: the reverse.

use clap::Args;
use keyseal::{Aead as _, KeysetAead};
use serde_json::json;

use super::encrypt::{LIMIT, too_large};
use crate::{
    args::{Aad, ChangedFile, KeysetChoice},
    context::Context,
    error::Failure,
    exit::Exit,
    files::Holds,
    input::{Place, check_one_standard_input},
    keysets::Keyset,
};

/// No ciphertext is longer than its plaintext by more bytes.
const MOST_OVERHEAD: u64 = 4096;

/// Decrypt what `encrypt`, or another Tink, has encrypted
///
/// Output appears only after all of it is authenticated.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal decrypt letter.sealed --keyset keyset.json --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --aad 'letter 7' -o letter.txt")]
pub struct DecryptArgs {
    /// The ciphertext; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: Place,
    #[command(flatten)]
    aad: Aad,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    keyset: KeysetChoice,
}

pub fn run(args: DecryptArgs, context: &Context) -> Result<Exit, Failure> {
    let DecryptArgs {
        input,
        aad,
        output,
        keyset: choice,
    } = args;
    let mut others = vec![&choice.keyset];
    others.extend(aad.place().into_iter().chain(choice.access.places()));
    check_one_standard_input(others.iter().copied().chain([&input]))?;
    let access = choice.access.resolve(context)?;
    let kek = access.kek.clone();
    others.extend(kek.as_ref().and_then(|kek| kek.place()));
    let output = output.plan(&input, &others, Holds::Data, context)?;

    let keyset = Keyset::open(&choice.keyset, access, context)?;
    let aead: KeysetAead = keyset.primitive(&choice.keyset)?;
    let associated_data = aad.read(context)?;
    let mut buffer = input
        .read(LIMIT + MOST_OVERHEAD, 0, context)?
        .ok_or_else(|| too_large(&input))?;
    let ciphertext = buffer.len();
    aead.decrypt_in_place(&mut buffer, &associated_data)
        .map_err(|error| {
            Failure::new(
                Exit::NotDecrypted,
                "not_decrypted",
                format!("cannot decrypt {}", input.name()),
                error.to_string(),
            )
            .hint(if aad.is_given() {
                "the associated data must be those of the encryption"
            } else {
                "if it was encrypted with --aad, decryption takes the same"
            })
            .hint(format!(
                "keyseal explain {} --keyset {} says what can be known",
                input.argument(),
                choice.keyset.argument(),
            ))
        })?;
    let (name, standard) = (output.name(), output.is_standard());
    let plaintext = buffer.len();
    output.write(&buffer)?;
    context.report(
        &format!("decrypted {ciphertext} bytes to {name}: {plaintext} bytes"),
        &json!({
            "ciphertext_size": ciphertext,
            "output": name,
            "plaintext_size": plaintext,
        }),
        standard,
    )?;
    Ok(Exit::Done)
}
