//! Compiles `proto/*.proto` without `protoc`, and writes beside the messages a
//! table of their fields, from which `wire` drops what has the wrong wire type.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

use protox::prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut protos: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir("proto")? {
        protos.push(entry?.path());
    }
    protos.sort();
    let files = protox::compile(&protos, ["."])?;
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(["."])
        .compile_fds(files.clone())?;

    let pool = DescriptorPool::from_file_descriptor_set(files)?;
    let mut tables = String::new();
    for message in pool.all_messages() {
        write_fields(&mut tables, &message)?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    Ok(fs::write(out.join("fields.rs"), tables)?)
}

/// Writes `impl Fields for M`: the number, wire type and sub-message of each field, and whether it is
/// repeated.
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
    writeln!(out, "    ];\n}}")?;
    Ok(())
}

/// The path that prost-build gives a message, from the module of its package.
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
