//! The faults that the reader of JSON keysets reads past, as findings.

use std::collections::BTreeMap;

use super::finding::{Finding, Findings, short};
use crate::wire::json::Fault;

/// The faults of a text by kind: how many there are, and the first of each.
#[derive(Default)]
pub(super) struct Faults(BTreeMap<Fault, First>);

struct First {
    count: usize,
    name: String,
    at: usize,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, name: &str, at: usize) {
        let first = self.0.entry(fault).or_insert_with(|| First {
            count: 0,
            name: short(name),
            at,
        });
        first.count += 1;
    }

    pub(super) fn report(self, findings: &mut Findings) {
        for (fault, first) in self.0 {
            findings.push(Finding {
                count: first.count,
                ..finding(fault, &first.name, first.at)
            });
        }
    }
}

fn finding(fault: Fault, name: &str, at: usize) -> Finding {
    let found = |message: &str| format!("`{}` {message}, at byte {at}", name.escape_debug());
    match fault {
        Fault::ByteOrderMark => Finding::error(
            "json-mark",
            "the text starts with a byte order mark",
            "save the file as UTF-8 without a byte order mark",
        ),
        Fault::TrailingComma => Finding::error(
            "json-trailing-comma",
            format!("a comma stands before the closing bracket at byte {at}"),
            "remove the comma",
        ),
        Fault::TextAfterEnd => Finding::error(
            "json-trailing-data",
            format!("something follows the keyset at byte {at}"),
            "remove it: a file holds one keyset",
        ),
        Fault::UnknownMember => Finding::error(
            "json-unknown-member",
            found("is not a member that a keyset has"),
            "remove it: a program may not skip a member that it does not know",
        ),
        Fault::SecondMember => Finding::error(
            "json-duplicate-member",
            found("is there a second time"),
            "keep the right one: programs differ in which of them they take",
        ),
        Fault::TwoKinds => Finding::error(
            "json-two-kinds",
            "the file is a cleartext and an encrypted keyset at once",
            "keep one of them",
        ),
        Fault::NotA(_) | Fault::Id | Fault::Enum | Fault::Base64 => bad_value(fault, &found),
        Fault::NoMaterialType => Finding::error(
            "json-no-material-type",
            format!("the key data at byte {at} has no keyMaterialType"),
            "add it: SYMMETRIC for all but keys of a KMS",
        ),
        odd => oddity(odd, &found),
    }
}

/// A member whose value is of the wrong kind, or not one that exists.
fn bad_value(fault: Fault, found: &dyn Fn(&str) -> String) -> Finding {
    match fault {
        Fault::NotA(kind) => Finding::error(
            "json-kind",
            found(&format!("is not {kind}")),
            "write it as Tink does: objects in braces, lists in square brackets, texts in quotation \
             marks",
        ),
        Fault::Id => Finding::error(
            "json-id",
            found("is not an integer from 0 to 4294967295"),
            "write the number in digits only, without quotation marks; to a negative one, add \
             4294967296",
        ),
        Fault::Enum => Finding::error(
            "json-enum",
            found("has a value that does not exist"),
            "write one of Tink's names, in capital letters",
        ),
        _ => Finding::error(
            "json-base64",
            found("is not valid base64"),
            "copy the value again from its source, without spaces or line ends, and with all of its \
             padding",
        ),
    }
}

/// Text that keyseal reads and some Tinks refuse.
fn oddity(fault: Fault, found: &dyn Fn(&str) -> String) -> Finding {
    let (code, message, advice) = match fault {
        Fault::SnakeCase => (
            "json-snake-case",
            found("is spelled in snake case, such as `key_id`"),
            "write the keyset again: tink-java reads camel case only",
        ),
        Fault::EnumNumber => (
            "json-enum-number",
            found("is a number instead of a name"),
            "write the keyset again: tink-java reads names only",
        ),
        Fault::IdForm => (
            "json-id-form",
            found("is a number that is not written in digits only"),
            "write the keyset again: tink-java reads ids in digits only, without point or exponent",
        ),
        Fault::NoId => (
            "json-no-id",
            found("is absent, which means 0"),
            "write the keyset again: tink-java requires the id",
        ),
        Fault::UrlSafe => (
            "json-base64-url",
            found("is in the URL-safe alphabet of base64"),
            "write the keyset again: tink-java skips `-` and `_`",
        ),
        _ => (
            "json-base64-padding",
            found("is base64 without padding"),
            "write the keyset again: some releases of Tink require the padding",
        ),
    };
    Finding::warning(code, message, advice)
}
