//! Imports go down the floors, and nothing in `src` is unsafe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The modules of the library, lowest floor first. A new module is written here.
///
/// A module may import from its own floor, as long as there is no circle.
const FLOORS: &[&[&str]] = &[
    &[
        "any_error",
        "error",
        "kind",
        "prefix",
        "rng",
        "secret",
        "templates",
        "text_form",
    ],
    &["cipher", "segment", "wire"],
    &["primitive", "remote", "timer"],
    &["key"],
    &["keyset"],
    &[
        "aead",
        "daead",
        "derive",
        "envelope",
        "keyset_file",
        "kms",
        "mac",
        "prf",
        "reload",
        "rewrap",
        "sealed_stream",
        "streaming",
        "usage",
    ],
];

/// The program is the top layer and sees only the public API, like any other crate.
const PROGRAM: &str = "bin";

#[test]
fn imports_go_down_the_floors() {
    let mut problems = Vec::new();
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, source) in sources() {
        let Some(module) = module_of(&path) else {
            continue;
        };
        for import in imports_of(&path, &source) {
            problems.extend(problem(&path, &module, &import));
            if import != module {
                imports.entry(module.clone()).or_default().insert(import);
            }
        }
    }
    assert!(
        imports.values().map(BTreeSet::len).sum::<usize>() > 10,
        "no imports were found"
    );
    problems.extend(circle(&imports).map(|circle| format!("imports in a circle: {circle}")));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn an_import_that_runs_up_is_found() {
    let found = |path: &str, source: &str| -> Vec<String> {
        let module = module_of(path).unwrap();
        imports_of(path, source)
            .iter()
            .filter_map(|import| problem(path, &module, import))
            .collect()
    };
    for (path, source) in [
        ("cipher/aes.rs", "use crate::keyset::KeysetHandle;"),
        (
            "cipher/aes.rs",
            "use crate::{error::KeyError, key::{self, Key}};",
        ),
        ("error.rs", "use crate::{\n    wire,\n};"),
        (
            "error.rs",
            "use ::std::fmt;\npub(crate) use crate  ::  key::KeyId;",
        ),
        (
            "key/mod.rs",
            "fn f() { let _ = crate::aead::KeysetAead::new(); }",
        ),
        ("key/spec.rs", "use super::super::keyset::Entry;"),
        ("key/mod.rs", "use super::keyset::Entry;"),
        (
            "wire/json/text.rs",
            "use super::{super::super::primitive::Aead};",
        ),
        ("rng.rs", "/* crate */ use crate::/* here */cipher::Hash;"),
        // Through the root, a module's floor cannot be seen.
        ("wire/mod.rs", "use crate::KeysetHandle;"),
        ("unlisted.rs", "use crate::error::KeyError;"),
        ("wire/mod.rs", "use crate::unlisted::KeyError;"),
        ("wire/mod.rs", "use crate::*;"),
    ] {
        assert!(!found(path, source).is_empty(), "{path}: {source}");
    }
    for (path, source) in [
        (
            "keyset/mod.rs",
            "use crate::{key::{Key, aes_gcm}, rng, wire::{self, proto}};",
        ),
        (
            "keyset/edit.rs",
            "use super::{KeysetHandle, State};\nuse super::super::key::Key;",
        ),
        (
            "wire/mod.rs",
            "mod a { use super::Field; fn f() { super::super::wire::f() } }",
        ),
        ("cipher/hash.rs", "use crate::wire::proto::HashType;"),
        (
            "wire/mod.rs",
            "//! See [`crate::keyset`].\n/* use crate::aead; */",
        ),
        (
            "wire/mod.rs",
            "const A: &str = \"use crate::aead;\"; const B: char = '\"';",
        ),
        ("wire/mod.rs", "fn f<'a>(a: &'a str) -> &'a str { a }"),
        ("wire/mod.rs", "pub(in crate::wire) fn f() {}"),
        (
            "wire/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::aead::KeysetAead;\n}",
        ),
        ("wire/tests.rs", "use crate::aead::KeysetAead;"),
    ] {
        let found = found(path, source);
        assert!(found.is_empty(), "{path}: {source}: {found:?}");
    }
    let circular = [("rng", "error"), ("error", "secret"), ("secret", "rng")];
    let circular = circular.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
    assert!(circle(&circular.into()).is_some());
}

#[test]
fn nothing_in_the_library_or_the_program_is_unsafe() {
    for (path, source) in sources() {
        assert!(!has_unsafe(&source), "{path}");
        if path == "lib.rs" {
            assert!(source.contains("#![forbid(unsafe_code)]"));
        }
    }
    assert!(has_unsafe("pub unsafe fn f() {}"));
    assert!(has_unsafe("fn f() { unsafe{} }"));
    assert!(!has_unsafe(
        "#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe \";"
    ));
}

/// Every file of `src`, by its path in `src`.
fn sources() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                sources.push((name.replace('\\', "/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// The module of the library that a file is part of; none for the library's root, which has no
/// logic, and for the program.
fn module_of(path: &str) -> Option<String> {
    let first = path.split('/').next().unwrap();
    (first != "lib.rs" && first != PROGRAM).then(|| first.trim_end_matches(".rs").to_owned())
}

fn problem(path: &str, module: &str, import: &str) -> Option<String> {
    match (floor(module), floor(import)) {
        (Some(from), Some(to)) if from >= to => None,
        (Some(_), Some(_)) => Some(format!("{path} imports `{import}` from a floor above")),
        (None, _) => Some(format!("{path}: `{module}` is on no floor")),
        (_, None) => Some(format!("{path} imports `{import}`, which is on no floor")),
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Finds modules that import each other, over any number of steps.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut left = imports.clone();
    while !left.is_empty() {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, of)| !of.iter().any(|import| left.contains_key(import)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            return Some(left.into_keys().collect::<Vec<_>>().join(", "));
        }
        left.retain(|module, _| !free.contains(module));
    }
    None
}

/// The modules of the library that a file names. Tests, at a file's end or in their own files, may
/// use higher layers.
fn imports_of(path: &str, source: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let code = code_of(source);
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let tokens = tokens(code);
    let depth = depth(path);
    let mut imports = Vec::new();
    let mut nesting = 0;
    let mut inline_modules = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let in_path = at > 0 && tokens[at - 1] == "::";
        let starts = !in_path && tokens.get(at + 1).is_some_and(|next| next == "::");
        match token.as_str() {
            "crate" if starts => first_segments(&tokens[at + 2..], 0, &mut imports),
            "super" if starts => {
                first_segments(&tokens[at..], depth + inline_modules.len(), &mut imports);
            }
            "mod" if tokens.get(at + 2).is_some_and(|next| next == "{") => {
                inline_modules.push(nesting);
            }
            "{" => nesting += 1,
            "}" => {
                nesting -= 1;
                inline_modules.pop_if(|module| *module == nesting);
            }
            _ => {}
        }
    }
    imports
}

/// The number of `super`s from a file to the root of the library.
fn depth(path: &str) -> usize {
    let folders = path.matches('/').count();
    if Path::new(path).ends_with("mod.rs") {
        folders
    } else {
        folders + 1
    }
}

/// Collects the first segments of a path, or of all paths in braces, after `supers` times `super`.
fn first_segments(tokens: &[String], supers: usize, segments: &mut Vec<String>) {
    match tokens.first().map(String::as_str) {
        Some("{") => {
            let mut nesting = 0;
            for (at, token) in tokens.iter().enumerate() {
                match token.as_str() {
                    "{" => nesting += 1,
                    "}" => nesting -= 1,
                    _ => {}
                }
                if nesting == 0 {
                    break;
                }
                if nesting == 1 && matches!(token.as_str(), "{" | ",") {
                    let next = &tokens[at + 1..];
                    if next.first().is_some_and(|next| next != "}") {
                        first_segments(next, supers, segments);
                    }
                }
            }
        }
        Some("super") if supers > 0 => {
            if let Some("::") = tokens.get(1).map(String::as_str) {
                first_segments(&tokens[2..], supers - 1, segments);
            }
        }
        Some(segment) if supers == 0 => segments.push(segment.to_owned()),
        _ => {}
    }
}

/// Cuts code into words, `::` and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let len = match word.unwrap_or(rest.len()) {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        let (token, after) = rest.split_at(len);
        tokens.push(token.to_owned());
        rest = after.trim_start();
    }
    tokens
}

fn has_unsafe(source: &str) -> bool {
    tokens(&code_of(source))
        .iter()
        .any(|token| token == "unsafe")
}

/// Blanks comments and the contents of quotation marks.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            '"' => end_of_string(rest),
            '\'' => char_literal(rest).unwrap_or(0),
            _ => 0,
        };
        let (taken, after) = rest.split_at(skipped.max(first.len_utf8()));
        code.push_str(if skipped == 0 { taken } else { " " });
        rest = after;
    }
    code
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of a character literal; none for a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match chars.next()? {
        (_, '\\') => text.get(3..)?.find('\'').map(|end| end + 4),
        _ => chars
            .next()
            .filter(|(_, c)| *c == '\'')
            .map(|(at, _)| at + 1),
    }
}
