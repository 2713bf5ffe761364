//! Prints the README's table of templates.

#![allow(clippy::print_stdout, reason = "that is what it does")]

use keyseal::{KeyTypes, Variant, key::Template};

fn main() {
    println!("| template | key bytes | overhead | messages | when |");
    println!("|---|---|---|---|---|");
    // A template without a prefix is the same key, and five bytes less.
    let prefixed = |template: &Template| template.key_template().variant() != Variant::Raw;
    for template in KeyTypes::default().templates().filter(prefixed) {
        let facts = template.properties();
        println!(
            "| `{}` | {} | {} | 2<sup>{}</sup> | {} |",
            template.name(),
            facts.key_size,
            template.overhead(),
            facts.messages_log2,
            facts.advice
        );
    }
}
