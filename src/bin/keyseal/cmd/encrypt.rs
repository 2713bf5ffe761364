//! `encrypt`: a file or standard input, with a keyset.

use clap::Args;
use serde_json::json;

use crate::{
    args::{Aad, ChangedFile, KeysetChoice},
    cipher::{Cipher, LIMIT, overhead},
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    files::Holds,
    input::{Place, check_one_standard_input},
    keysets::Keyset,
    text::size,
};

/// Encrypt a file or standard input
///
/// The primary key of the keyset encrypts, with its kind of encryption. The whole input is held in memory, at most 2 GiB.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal encrypt letter.txt --keyset keyset.json --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --aad 'letter 7' -o letter.sealed")]
pub(crate) struct EncryptArgs {
    /// The plaintext; `-` is standard input
    #[arg(value_name = "IN", default_value = "-", hide_default_value = true)]
    input: Place,
    #[command(flatten)]
    aad: Aad,
    #[command(flatten)]
    output: ChangedFile,
    #[command(flatten)]
    keyset: KeysetChoice,
}

pub(crate) fn run(args: EncryptArgs, context: &Context) -> Result<Exit, Failure> {
    let EncryptArgs {
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
    output.refuse_binary_on_terminal()?;

    let keyset = Keyset::open(&choice.keyset, access, context)?;
    let cipher = Cipher::of(&keyset, &choice.keyset)?;
    let aad = aad.read(context)?;
    let mut buffer = input
        .read(LIMIT, overhead(&keyset), context)?
        .ok_or_else(|| too_large(&input))?;
    let plaintext = buffer.len();
    cipher.encrypt(&mut buffer, &aad).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "not_encrypted",
            format!("cannot encrypt {}", input.name()),
            chain(&error),
        )
    })?;
    let (name, standard) = (output.name(), output.is_standard());
    let ciphertext = buffer.len();
    output.write(&buffer)?;
    let primary = keyset.handle.primary();
    context.report(
        &format!("encrypted {plaintext} bytes to {name}: {ciphertext} bytes, key {primary}"),
        &json!({
            "ciphertext_size": ciphertext,
            "key_id": primary.value(),
            "output": name,
            "plaintext_size": plaintext,
        }),
        standard,
    )?;
    Ok(Exit::Done)
}

pub(crate) fn too_large(input: &Place) -> Failure {
    Failure::new(
        Exit::Failed,
        "too_large",
        format!("cannot process {}", input.name()),
        format!(
            "it is longer than {}, the limit for one message in memory",
            size(LIMIT)
        ),
    )
    .hint("large data are for a streaming keyset, which needs no memory for them")
}
