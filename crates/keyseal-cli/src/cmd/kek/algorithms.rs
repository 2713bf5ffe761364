//! `kek algorithms`: the algorithms that Key Manager offers.

use clap::Args;
use serde_json::{Value, json};

use super::choice::UsageName;
use crate::{
    context::Context,
    display::{Lines, printable},
    error::Failure,
    kms::KeyManager,
    kms_args::KmsArgs,
};

/// List the algorithms that Key Manager offers in a region
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal kek algorithms --usage asymmetric-signing")]
pub(crate) struct AlgorithmsArgs {
    /// Only those for this usage; can be repeated
    #[arg(long, value_name = "USAGE")]
    usage: Vec<UsageName>,
    #[command(flatten)]
    kms: KmsArgs,
}

pub(super) fn run(args: &AlgorithmsArgs, context: &Context) -> Result<(), Failure> {
    let manager = KeyManager::new(&args.kms, context)?;
    let usages: Vec<_> = args.usage.iter().map(|usage| usage.kind()).collect();
    let list = manager.client().list_algorithms(&usages);
    let offered = manager.run("cannot list the algorithms", list)?;
    if context.json {
        let list: Vec<Value> = offered
            .iter()
            .map(|offer| {
                json!({
                    "name": offer.algorithm.as_str(),
                    "recommended": offer.recommended,
                    "usage": offer.usage,
                })
            })
            .collect();
        return context.print_json(&json!({ "algorithms": list }));
    }
    let mut text = String::new();
    for offer in &offered {
        let line = format!(
            "{:22}  {:26}  {}",
            printable(&offer.usage),
            printable(&offer.algorithm),
            if offer.recommended { "recommended" } else { "" }
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    context.print(Lines::of_text(&text))
}
