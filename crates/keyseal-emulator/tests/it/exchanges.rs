//! The emulator answers the recorded exchanges byte for byte.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keyseal_emulator::Request;

use super::client::{Caller, ORGANIZATION, PROJECT};

const EXCHANGES: &str = include_str!("../vectors/scaleway-emulator/exchanges.txt");

#[derive(Debug, Default)]
struct Exchange {
    title: String,
    advance: Option<Duration>,
    request: Vec<String>,
    answer: Vec<String>,
}

#[test]
fn the_recorded_exchanges_are_answered_byte_for_byte() {
    let caller = Caller::new();
    let mut captured: BTreeMap<String, String> = BTreeMap::new();
    captured.insert("project".to_owned(), PROJECT.to_owned());
    captured.insert("organization".to_owned(), ORGANIZATION.to_owned());
    let exchanges = parse();
    assert!(
        exchanges.len() >= 25,
        "only {} exchanges were read",
        exchanges.len()
    );
    for exchange in exchanges {
        if let Some(step) = exchange.advance {
            caller.clock.advance(step);
        }
        let head = fill(&exchange.request[0], &captured);
        let body = exchange
            .request
            .get(1)
            .map(|body| fill(body, &captured))
            .unwrap_or_default();
        let (method, path) = head.split_once(' ').unwrap();
        let response = if path.starts_with('/') {
            let request = Request::new(method, path).with_header("X-Auth-Token", &caller.token);
            caller.emulator.handle(request)
        } else {
            caller.raw(method, path, body)
        };
        let answer = String::from_utf8(response.body().to_vec()).unwrap();
        let title = &exchange.title;
        assert_eq!(
            response.status().to_string(),
            exchange.answer[0],
            "{title}: {answer}"
        );
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{title}"
        );
        let wanted = exchange
            .answer
            .get(1)
            .map(String::as_str)
            .unwrap_or_default();
        matches(wanted, &answer, &mut captured)
            .unwrap_or_else(|at| panic!("{title}: differs at `{at}`\n{answer}\n{wanted}"));
    }
}

fn parse() -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in EXCHANGES.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("== ") {
            exchanges.push(Exchange {
                title: title.to_owned(),
                ..Exchange::default()
            });
            continue;
        }
        let exchange = exchanges.last_mut().unwrap();
        match line.split_once(' ').unwrap() {
            (">", text) => exchange.request.push(text.to_owned()),
            ("<", text) => exchange.answer.push(text.to_owned()),
            ("~", text) => {
                let seconds = text.strip_suffix('s').unwrap().parse().unwrap();
                exchange.advance = Some(Duration::from_secs(seconds));
            }
            _ => panic!("{line}"),
        }
    }
    exchanges
}

/// Replaces every `«name»`.
fn fill(text: &str, captured: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in captured {
        filled = filled.replace(&format!("«{name}»"), value);
    }
    assert!(!filled.contains('«'), "{filled}");
    filled
}

/// Compares, and captures the values that the template names. The error says where they differ.
fn matches(
    template: &str,
    text: &str,
    captured: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let (mut template, mut text) = (template, text);
    while let Some((literal, rest)) = template.split_once('«') {
        text = text
            .strip_prefix(literal)
            .ok_or_else(|| literal.to_owned())?;
        let (pattern, rest) = rest.split_once('»').unwrap();
        let length = text.find('"').ok_or(pattern)?;
        let (value, after) = text.split_at(length);
        let (name, pattern) = pattern.split_once('=').unwrap_or(("", pattern));
        let fits = match captured.get(pattern) {
            Some(known) => known == value,
            None if pattern == "uuid" => is_uuid(value),
            None => {
                let length = pattern
                    .strip_prefix("base64 ")
                    .unwrap()
                    .parse::<usize>()
                    .unwrap();
                BASE64_STANDARD
                    .decode(value)
                    .is_ok_and(|bytes| bytes.len() == length)
            }
        };
        if !fits {
            return Err(value.to_owned());
        }
        if !name.is_empty() {
            captured.insert(name.to_owned(), value.to_owned());
        }
        (template, text) = (rest, after);
    }
    if template == text {
        Ok(())
    } else {
        Err(template.to_owned())
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || is_digit(byte))
}
