//! `templates`: the available key templates.

use clap::Args;
use keyseal::{
    KeyTypes,
    key::{KeyKind, Template},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    display::{Lines, about, short_type},
    error::Failure,
    exit::Exit,
    keyset_failure::unknown_template,
};

/// A limit from here on means any length.
const ANY_LENGTH: u64 = 1 << 60;

/// List the key templates: sizes, limits, and when to use which
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal templates
  keyseal templates AES256_GCM --json")]
pub(crate) struct TemplatesArgs {
    /// List only these templates
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(args: TemplatesArgs, context: &Context) -> Result<Exit, Failure> {
    let mut templates: Vec<Template> = KeyTypes::default().templates().collect();
    if !args.names.is_empty() {
        for name in &args.names {
            if !templates.iter().any(|template| template.name() == name) {
                return Err(unknown_template(name));
            }
        }
        templates.retain(|template| args.names.iter().any(|name| name == template.name()));
    }
    if context.json {
        let list: Vec<Value> = templates.iter().map(as_json).collect();
        context.print_json(&json!({ "templates": list }))?;
    } else {
        context.print(Lines::of_text(&table(&templates)))?;
    }
    Ok(Exit::Done)
}

/// Returns a table for each kind of key.
fn table(templates: &[Template]) -> String {
    let mut text = String::new();
    for kind in KeyKind::ALL {
        let mut of_kind = templates
            .iter()
            .filter(|known| known.kind() == *kind)
            .peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        text.push_str(&format!(
            "{}\n  {:40} {:>4}  {:>8}  {:>8}  {:>7}  WHEN TO USE IT\n",
            kind.name(),
            "NAME",
            "KEY",
            "OVERHEAD",
            "MESSAGES",
            "LONGEST"
        ));
        for template in of_kind {
            text.push_str(&line(template));
        }
        text.push('\n');
    }
    text.push_str(
        "KEY and OVERHEAD are in bytes. MESSAGES is how many messages one key may encrypt, LONGEST how\n\
         long one may be. Without _RAW or _NO_PREFIX, five bytes of the overhead name the key. For a\n\
         MAC, the overhead is the tag; for a stream, the header and the tag of one segment.\n",
    );
    text
}

fn line(template: &Template) -> String {
    let facts = template.properties();
    let overhead = match template.kind() {
        KeyKind::Prf | KeyKind::KeysetDeriver => "-".to_owned(),
        _ => template.overhead().to_string(),
    };
    let messages = match facts.messages_log2 {
        some @ 0..=64 => format!("2^{some}"),
        _ => "any".to_owned(),
    };
    let longest = match facts.max_plaintext {
        some @ 0..ANY_LENGTH => about(some),
        _ => "any".to_owned(),
    };
    format!(
        "  {:40} {:4}  {overhead:>8}  {messages:>8}  {longest:>7}  {}\n",
        template.name(),
        facts.key_size,
        facts.advice,
    )
}

fn as_json(template: &Template) -> Value {
    let facts = template.properties();
    json!({
        "advice": facts.advice,
        "key_size": facts.key_size,
        "kind": template.kind().name(),
        "max_plaintext": facts.max_plaintext,
        "messages_log2": facts.messages_log2,
        "name": template.name(),
        "output_prefix_type": template.key_template().variant().name(),
        "overhead": template.overhead(),
        "type": short_type(template.key_template().type_url()),
        "type_url": template.key_template().type_url(),
    })
}
