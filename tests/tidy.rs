//! Holds the tree to what lints cannot: layers, heads, sizes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use std::path::{Path, PathBuf};

/// Rooms from the lowest layer up; those of one number form a layer.
const LAYERS: [(&str, u32); 20] = [
    ("error", 0),
    ("threads", 0),
    ("text", 0),
    ("record", 0),
    ("settings", 1),
    ("icon", 1),
    ("source", 1),
    ("prompt", 1),
    ("outdir", 1),
    ("store", 1),
    ("export", 1),
    ("vlm", 2),
    ("labeler", 3),
    ("engine", 3),
    ("wording", 4),
    ("batch", 4),
    ("tui", 4),
    ("commands", 5),
    ("cli", 5),
    ("logging", 5),
];

/// What the front ends may see of the program, besides themselves.
const FRONT_END_SEES: [&str; 8] = [
    "record", "text", "settings", "error", "threads", "engine", "icon", "wording",
];
const MAX_LINES: usize = 600;

struct Module {
    path: PathBuf,
    /// The folder or file right under `src`.
    room: String,
    /// Without the tests at its end.
    code: String,
}

fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str();
            let room = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = match text.find("#[cfg(test)]\nmod ") {
                Some(end) => text[..end].to_owned(),
                None => text,
            };
            found.push(Module { path, room, code });
        }
    }
    assert!(found.len() > 20);
    found
}

fn is_test(module: &Module) -> bool {
    let path = module.path.to_str().unwrap();
    path.contains("/tests") || path.ends_with("testing.rs")
}

/// Code lines without comments.
fn lines(module: &Module) -> impl Iterator<Item = (usize, &str)> {
    module
        .code
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Every place that breaks a rule, for one message that shows them all.
fn offenses(rule: impl Fn(&Module, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for module in modules().iter().filter(|m| !is_test(m)) {
        for (number, line) in lines(module) {
            if rule(module, line) {
                found.push(format!(
                    "{}:{number}: {}",
                    module.path.display(),
                    line.trim()
                ));
            }
        }
    }
    found
}

fn layer(room: &str) -> Option<u32> {
    let known = LAYERS.iter().find(|(name, _)| *name == room);
    known.map(|(_, layer)| *layer)
}

fn named_rooms(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

#[test]
fn every_room_has_a_layer() {
    for module in modules() {
        if !["lib", "main"].contains(&module.room.as_str()) {
            assert!(layer(&module.room).is_some(), "{}", module.path.display());
        }
    }
}

#[test]
fn no_module_imports_from_a_layer_above() {
    let found = offenses(|module, line| {
        let Some(own) = layer(&module.room) else {
            return false;
        };
        named_rooms(line)
            .into_iter()
            .any(|room| layer(room).is_some_and(|other| other > own))
    });
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn labelers_know_nothing_of_the_engine() {
    let found =
        offenses(|module, line| module.room == "labeler" && named_rooms(line).contains(&"engine"));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Rooms with their parts from the lowest up: each imports from those before it only.
const PARTS: [(&str, &[&str]); 2] = [
    (
        "vlm",
        &[
            "checkpoint",
            "nn",
            "architecture",
            "device",
            "model",
            "generate",
            "models",
            "load",
            "open",
        ],
    ),
    (
        "tui",
        &[
            "theme",
            "keymap",
            "widgets",
            "picture",
            "records",
            "message",
            "history",
            "notices",
            "engine_status",
            "session",
            "step_words",
            "dialogs",
            "screens",
            "handlers",
            "bars",
            "app",
            "terminal",
        ],
    ),
];

#[test]
fn parts_of_a_room_import_from_those_before_them() {
    for (room, parts) in PARTS {
        let place = |part: &str| parts.iter().position(|name| *name == part);
        let inside = format!("{room}::");
        let found = offenses(|module, line| {
            let own = part_of(room, module);
            let named = line.split(&inside).chain(line.split("use super::")).skip(1);
            own.is_some_and(|own| {
                named.into_iter().any(|rest| {
                    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                    place(&rest[..end.unwrap_or(rest.len())]) > place(&own)
                })
            })
        });
        assert!(found.is_empty(), "\n{}", found.join("\n"));
    }
}

/// The file or folder right under a room, for a module that is one of its parts.
fn part_of(room: &str, module: &Module) -> Option<String> {
    let path = module.path.to_str()?;
    let inside = format!("/src/{room}/");
    let part = path.split_once(&inside)?.1.split(['/', '.']).next()?;
    (part != "mod").then(|| part.to_owned())
}

#[test]
fn only_its_own_folder_names_an_architecture() {
    let rooms = ["vlm", "labeler", "commands"];
    for module in modules() {
        let path = module.path.to_str().unwrap();
        if rooms.contains(&module.room.as_str()) && !path.contains("/vlm/models/") {
            let named = module.code.to_lowercase().contains("qwen");
            assert!(!named, "{path} names an architecture");
        }
    }
}

#[test]
fn front_ends_see_the_engine_only() {
    let found = offenses(|module, line| {
        ["wording", "batch", "tui"].contains(&module.room.as_str())
            && named_rooms(line).into_iter().any(|room| {
                layer(room).is_some() && room != module.room && !FRONT_END_SEES.contains(&room)
            })
    });
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn nothing_below_the_front_ends_knows_of_a_terminal() {
    let found = offenses(|module, line| {
        layer(&module.room).is_some_and(|own| own < 4)
            && ["ratatui", "crossterm", "indicatif"]
                .iter()
                .any(|name| line.contains(&format!("{name}::")))
    });
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    for module in modules() {
        let head = module.code.lines().next().unwrap_or_default();
        assert!(
            head.starts_with("//! ") || is_test(&module),
            "{}",
            module.path.display()
        );
    }
}

#[test]
fn no_file_is_too_long() {
    for module in modules() {
        let count = module.code.lines().count();
        assert!(
            count <= MAX_LINES || is_test(&module),
            "{} has {count} lines",
            module.path.display()
        );
    }
}
