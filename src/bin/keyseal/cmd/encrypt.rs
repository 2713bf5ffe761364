//! `encrypt`: a file or standard input, with a keyset.

use clap::Args;
use keyseal::{Aead as _, KeysetAead, KeysetHandle, key::OutputPrefix};
use serde_json::json;

use crate::{
    args::{Aad, ChangedFile, KeysetChoice},
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    files::Holds,
    input::{Place, check_one_standard_input},
    keysets::Keyset,
    text::size,
};

/// The longest plaintext that is encrypted in memory, in bytes.
pub const LIMIT: u64 = 2 << 30;

/// Encrypt a file or standard input
///
/// The primary key of the keyset encrypts. The whole input is held in memory, at most 2 GiB.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal encrypt letter.txt --keyset keyset.json --keyset-kek file-kms://kek.json \\
    --insecure-cleartext --aad 'letter 7' -o letter.sealed")]
pub struct EncryptArgs {
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

pub fn run(args: EncryptArgs, context: &Context) -> Result<Exit, Failure> {
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
    let aead: KeysetAead = keyset.primitive(&choice.keyset)?;
    let aad = aad.read(context)?;
    let mut buffer = input
        .read(LIMIT, overhead(&keyset.handle), context)?
        .ok_or_else(|| too_large(&input))?;
    let plaintext = buffer.len();
    aead.encrypt_in_place(&mut buffer, &aad).map_err(|error| {
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

/// Returns the bytes that encrypting adds, so that the buffer need not grow.
fn overhead(handle: &KeysetHandle) -> usize {
    let primary = handle.entries().find(keyseal::keyset::Entry::is_primary);
    let facts = primary.and_then(|entry| entry.key()?.facts());
    OutputPrefix::SIZE + facts.map_or(0, |facts| facts.overhead)
}

pub fn too_large(input: &Place) -> Failure {
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
