//! `templates`: what keys there are.

use clap::Args;
use keyseal::{KeyTypes, key::Template};
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    keysets::unknown_template,
    text::{short_type, size},
};

/// List the key templates: sizes, limits, when to use which
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal templates
  keyseal templates AES256_GCM --json")]
pub struct TemplatesArgs {
    /// Only these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub fn run(args: TemplatesArgs, context: &Context) -> Result<Exit, Failure> {
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
        context.print(&table(&templates))?;
    }
    Ok(Exit::Done)
}

fn table(templates: &[Template]) -> String {
    let mut text = String::from(
        "NAME                                  KEY  OVERHEAD  MESSAGES  LONGEST  WHEN TO USE IT\n",
    );
    for template in templates {
        let facts = template.facts();
        text.push_str(&format!(
            "{:36} {:4}  {:8}  {:>8}  {:>7}  {}\n",
            template.name(),
            facts.key_size,
            template.overhead(),
            format!("2^{}", facts.messages_log2),
            size(facts.max_plaintext),
            facts.advice,
        ));
    }
    text.push_str(
        "\nKEY and OVERHEAD in bytes; MESSAGES is how many one key may encrypt, LONGEST how long a\n\
         plaintext may be. Without _RAW or _NO_PREFIX, five bytes of overhead name the key.\n",
    );
    text
}

fn as_json(template: &Template) -> Value {
    let facts = template.facts();
    json!({
        "advice": facts.advice,
        "key_size": facts.key_size,
        "max_plaintext": facts.max_plaintext,
        "messages_log2": facts.messages_log2,
        "name": template.name(),
        "output_prefix_type": template.key_template().variant().name(),
        "overhead": template.overhead(),
        "type": short_type(template.key_template().type_url()),
        "type_url": template.key_template().type_url(),
    })
}
