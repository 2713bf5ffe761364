//! Completion candidates: template names, and key ids of a keyset.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::Command;
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
};
use keyseal::{KeyTypes, keyset::KeysetFile};

use crate::{cmd::COMPLETION_VARIABLE, command_line::command, input::KEYSET_LIMIT};

/// Arguments that are names of templates, and ids of keys.
const TEMPLATES: &[&str] = &["template", "add", "rotate", "names"];
const KEY_IDS: &[&str] = &[
    "key_id", "enable", "promote", "disable", "destroy", "delete",
];

/// Completes a line if a shell asks for it. Returns whether it did.
pub(crate) fn complete(arguments: &[OsString]) -> bool {
    let folder = env::current_dir().ok();
    let completion =
        CompleteEnv::with_factory(|| with_candidates(command())).var(COMPLETION_VARIABLE);
    // A shell that gets no candidates shows none.
    completion
        .try_complete(arguments, folder.as_deref())
        .unwrap_or(true)
}

fn with_candidates(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        if TEMPLATES.contains(&id) && arg.get_action().takes_values() {
            arg.add(ArgValueCompleter::new(templates))
        } else if KEY_IDS.contains(&id) && arg.get_action().takes_values() {
            arg.add(ArgValueCompleter::new(key_ids))
        } else {
            arg
        }
    });
    command.mut_subcommands(with_candidates)
}

fn templates(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy().to_uppercase();
    let all = KeyTypes::default();
    let names = all.templates().map(|template| template.name());
    names
        .filter(|name| name.starts_with(&current))
        .map(CompletionCandidate::new)
        .collect()
}

/// Returns the key ids of the keyset that the line names, or else of the variable's keyset.
fn key_ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = env::args_os().skip_while(|word| word != "--").collect();
    let words = words.iter().map(|word| {
        let text = word.to_string_lossy();
        match text.split_once('=') {
            Some((_, value)) => OsString::from(value),
            None => word.clone(),
        }
    });
    let mut files = words.chain(env::var_os("KEYSEAL_KEYSET"));
    let Some(file) = files.find_map(|word| keyset_of(Path::new(&word))) else {
        return Vec::new();
    };
    let current = current.to_string_lossy();
    let keys = file.info().map(|info| info.keys()).unwrap_or_default();
    keys.iter()
        .map(|key| {
            (
                key.id().value().to_string(),
                key.status()
                    .map_or("UNKNOWN", keyseal::keyset::Status::name),
            )
        })
        .filter(|(id, _)| id.starts_with(&*current))
        .map(|(id, status)| CompletionCandidate::new(id).help(Some(status.into())))
        .collect()
}

fn keyset_of(path: &Path) -> Option<KeysetFile> {
    let metadata = path.metadata().ok()?;
    // Reading anything but a regular file might block.
    if !metadata.is_file() || metadata.len() > KEYSET_LIMIT {
        return None;
    }
    KeysetFile::detect(&std::fs::read(path).ok()?).ok()
}
