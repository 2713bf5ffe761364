//! Translates `proto/*.proto` to the messages in `src/wire/proto.rs`.
//!
//! The translation is checked in, because the compiler for `.proto` files and its dependencies
//! would be more than half of the library's build. Change a `.proto` file, then run
//! `KEYSEAL_BLESS=1 cargo test --package keyseal-proto`. Until you do, the library's `build.rs`
//! refuses to build.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::{error::Error, fmt::Write as _, fs, path::Path};

use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

// One digest for both: `build.rs` compares it, this crate writes it.
#[path = "../../../build.rs"]
#[allow(
    dead_code,
    clippy::print_stdout,
    reason = "the entry point of the build script, which talks to cargo"
)]
mod build;

/// Translates the `.proto` files of a folder to Rust: prost's messages, and a table of their
/// fields, from which `wire` drops fields that have the wrong wire type.
///
/// # Errors
/// The first fault of a file, with its name and line.
pub fn translate(folder: &Path) -> Result<String, Box<dyn Error>> {
    let protos = build::protos(folder)?;
    let root = folder.parent().ok_or("the folder has no parent")?;
    let files = protox::compile(&protos, [root])?;
    let messages = tempfile::tempdir()?;
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(["."])
        .out_dir(messages.path())
        .compile_fds(files.clone())?;

    let mut rust = format!("// {}{}\n", build::DIGEST, build::digest(&protos)?);
    rust.push_str(&fs::read_to_string(
        messages.path().join("google.crypto.tink.rs"),
    )?);
    rust.push_str("\nuse super::{Field, Fields};\n");
    let pool = DescriptorPool::from_file_descriptor_set(files)?;
    for message in pool.all_messages() {
        write_fields(&mut rust, &message)?;
    }
    Ok(rust)
}

/// Writes `impl Fields for M`: the number, wire type and sub-message of each field, whether it is
/// repeated, and how to make room for what is.
fn write_fields(out: &mut String, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
    writeln!(out, "impl Fields for {} {{", rust_path(message))?;
    writeln!(out, "    const FIELDS: &'static [Field] = &[")?;
    for field in message.fields() {
        let number = field.number();
        let (wire_type, nested) = match field.kind() {
            Kind::Uint32 | Kind::Enum(_) => ("Varint", "None".to_owned()),
            Kind::String | Kind::Bytes => ("LengthDelimited", "None".to_owned()),
            Kind::Message(sub) => (
                "LengthDelimited",
                format!("Some(<{} as Fields>::FIELDS)", rust_path(&sub)),
            ),
            other => {
                return Err(format!("{}: no wire type for {other:?}", field.full_name()).into());
            }
        };
        writeln!(
            out,
            "        Field {{ number: {number}, wire_type: prost::encoding::WireType::{wire_type}, nested: {nested}, repeated: {} }},",
            field.is_list()
        )?;
    }
    writeln!(out, "    ];")?;
    let lists: Vec<_> = message.fields().filter(|field| field.is_list()).collect();
    if !lists.is_empty() {
        writeln!(out, "    fn reserve(&mut self, elements: usize) {{")?;
        for list in lists {
            writeln!(out, "        self.{}.reserve_exact(elements);", list.name())?;
        }
        writeln!(out, "    }}")?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

/// Returns the path that prost-build gives a message, from the module of its package.
fn rust_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        None => message.name().to_owned(),
        Some(parent) => format!("{}::{}", snake_case(parent.name()), message.name()),
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
