//! Holds the tree to what lints cannot: layers, circles, sizes, the first line of each file.

#![allow(clippy::panic, clippy::unwrap_used)]

mod graph;

use graph::{Edge, Graph, Module, rust_files};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// The files and folders right under `src`, lowest first, with their layers: each imports from
/// those before it only.
const ROOMS: [(&str, u32); 23] = [
    ("platform", 0),
    ("text", 0),
    ("error", 0),
    ("threads", 0),
    ("record", 0),
    ("settings", 1),
    ("source", 1),
    ("icon", 1),
    ("prompt", 1),
    ("outdir", 1),
    ("store", 1),
    ("export", 1),
    ("vlm", 2),
    ("embed", 2),
    ("labeler", 3),
    ("engine", 3),
    ("wording", 4),
    ("batch", 4),
    ("tui", 4),
    ("commands", 5),
    ("cli", 5),
    ("logging", 5),
    ("main", 5),
];

/// What the front ends may see of the program, besides themselves.
const FRONT_ENDS_SEE: [&str; 13] = [
    "record",
    "text",
    "settings",
    "error",
    "threads",
    "platform",
    "icon",
    "engine::messages",
    "engine::handle",
    // The warnings and counts of labelers, which the engine passes on.
    "labeler::report",
    // The bytes of an icon, for previews; the engine passes that on too.
    "source::image_file",
    "wording",
    // What became of files, which the engine passes on.
    "outdir::notice",
];

/// Circles that are there on purpose, by the folder that they are in.
const CIRCLES: [&str; 1] = [
    // A dialog may open another: `Dialog` lists them all, and each answers a key with the next one.
    "tui::dialogs",
];

const MAX_LINES: usize = 600;
const MAX_FILES: usize = 14;

static GRAPH: LazyLock<Graph> =
    LazyLock::new(|| Graph::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
static EDGES: LazyLock<BTreeSet<Edge>> = LazyLock::new(|| GRAPH.edges());

/// Where its room stands in [`ROOMS`]; `None` for `lib.rs`.
fn place(module: &Module) -> Option<usize> {
    let room = module.name.first()?;
    let place = ROOMS.iter().position(|(name, _)| name == room);
    Some(place.unwrap_or_else(|| panic!("{room} has no place in ROOMS")))
}

fn layer(module: &Module) -> Option<u32> {
    place(module).map(|place| ROOMS[place].1)
}

fn ends(edge: &Edge) -> (&'static Module, &'static Module) {
    (&GRAPH.modules[edge.from], &GRAPH.modules[edge.to])
}

/// Whether a module is this one or inside it.
fn is_in(name: &str, module: &str) -> bool {
    let inside = name.strip_prefix(module);
    inside.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn shown(edge: &Edge) -> String {
    let (from, to) = ends(edge);
    format!("{} uses {}", from.name.join("::"), to.name.join("::"))
}

/// Every use that breaks a rule, for one message that shows them all.
#[track_caller]
fn none(rule: impl Fn(&Module, &Module) -> bool) {
    let broken = EDGES.iter().filter(|edge| {
        let (from, to) = ends(edge);
        rule(from, to)
    });
    let broken: Vec<String> = broken.map(shown).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn uses_are_found_however_they_are_written() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
        (
            "a.rs",
            "use crate::{b::{self, B}, d as e};\nfn f() { e::D::new(\"crate::c::C\") }",
        ),
        (
            "b/mod.rs",
            "mod part;\npub use part::B;\n#[cfg(test)]\nmod tests { use crate::a::A; }",
        ),
        (
            "b/part.rs",
            "// crate::a::A\nfn f<'a>(x: &'a super::super::c::C) -> char { 'c' }",
        ),
        (
            "c.rs",
            "use crate::b;\n#[cfg(test)]\nmod testing;\nfn f() { b::B::new() }",
        ),
        ("c/testing.rs", "use crate::a::A;"),
        ("d.rs", "pub(crate) struct D;"),
    ];
    let files = files.map(|(path, text)| (Path::new("src").join(path), text.to_owned()));
    let graph = Graph::of(Path::new("src"), files.to_vec());
    let name = |at: usize| graph.modules[at].name.join("::");
    let edges = graph.edges();
    let found: Vec<(String, String)> = edges.iter().map(|e| (name(e.from), name(e.to))).collect();
    let pairs = [
        ("a", "b::part"),
        ("a", "d"),
        ("b::part", "c"),
        ("c", "b::part"),
    ];
    assert_eq!(
        found,
        pairs.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
    let circles =
        |depth: usize| graph.circles(&edges, |m| m.name.get(..depth).map(|n| n.join("::")));
    assert_eq!(
        circles(1),
        [BTreeSet::from(["b".to_owned(), "c".to_owned()])]
    );
    assert!(circles(2).is_empty());
    let files = graph.circles(&edges, |module| Some(module.name.join("::")));
    assert_eq!(
        files,
        [BTreeSet::from(["b::part".to_owned(), "c".to_owned()])]
    );
}

#[test]
fn the_whole_tree_is_read() {
    assert!(GRAPH.modules.len() > 150 && EDGES.len() > 700);
    // Through `record/mod.rs`, which passes the name on.
    for used in ["store uses record::item", "main uses logging"] {
        let is_it = |edge: &Edge| {
            let (from, to) = ends(edge);
            let room = from.name.first().map_or("", String::as_str);
            format!("{room} uses {}", to.name.join("::")) == used
        };
        assert!(EDGES.iter().any(is_it), "{used}");
    }
}

#[test]
fn a_room_uses_those_before_it_only() {
    none(|from, to| place(from) < place(to));
}

#[test]
fn no_circle_goes_through_files() {
    let mut circles = GRAPH.circles(&EDGES, |module| Some(module.name.join("::")));
    for folder in CIRCLES {
        let is_known = |circle: &BTreeSet<String>| circle.iter().all(|name| is_in(name, folder));
        let before = circles.len();
        circles.retain(|circle| !is_known(circle));
        assert!(
            circles.len() < before,
            "there is no circle in {folder} any more"
        );
    }
    assert!(circles.is_empty(), "{}", told(&circles, ""));
}

/// A circle through the parts of a folder need not go through the same file of each part.
#[test]
fn no_circle_goes_through_the_parts_of_a_folder() {
    let folders: BTreeSet<&[String]> = GRAPH
        .modules
        .iter()
        .flat_map(|module| (0..module.name.len()).map(|n| &module.name[..n]))
        .collect();
    let mut found = String::new();
    for folder in folders {
        let part = |module: &Module| {
            let inside = module.name.strip_prefix(folder)?;
            inside
                .first()
                .map(|part| [folder, std::slice::from_ref(part)].concat().join("::"))
        };
        let circles = GRAPH.circles(&EDGES, part);
        found.push_str(&told(&circles, &folder.join("::")));
    }
    assert!(found.is_empty(), "{found}");
}

/// The circles with the uses that close them.
fn told(circles: &[BTreeSet<String>], folder: &str) -> String {
    let mut text = String::new();
    for circle in circles {
        text.push_str(&format!("\na circle in {folder:?}: {circle:?}\n"));
        let part = |module: &Module| {
            let name = module.name.join("::");
            let parts = circle.iter().filter(|part| is_in(&name, part));
            parts.max_by_key(|part| part.len())
        };
        for edge in EDGES.iter() {
            let (from, to) = ends(edge);
            if let (Some(from), Some(to)) = (part(from), part(to))
                && from != to
            {
                text.push_str(&format!("  {}\n", shown(edge)));
            }
        }
    }
    text
}

#[test]
fn front_ends_see_the_engine_by_its_messages_only() {
    none(|from, to| {
        let own = &from.name[..from.name.len().min(1)];
        let name = to.name.join("::");
        layer(from) == Some(4)
            && !to.name.starts_with(own)
            && !FRONT_ENDS_SEE.iter().any(|may| is_in(&name, may))
    });
}

#[test]
fn nothing_below_the_front_ends_knows_of_a_terminal() {
    for module in &GRAPH.modules {
        if layer(module).is_some_and(|own| own < 4) {
            for name in ["ratatui", "crossterm", "indicatif"] {
                let named = module.text.contains(&format!("{name}::"));
                assert!(!named, "{} names {name}", module.path.display());
            }
        }
    }
}

#[test]
fn only_its_own_folder_names_an_architecture() {
    for module in &GRAPH.modules {
        let room = module.name.first().map_or("", String::as_str);
        let rooms = ["vlm", "labeler", "commands"];
        let path = module.path.to_str().unwrap();
        if rooms.contains(&room) && !path.contains("/vlm/models/") {
            let code = module.text.split("#[cfg(test)]\nmod ").next().unwrap();
            let named = code.to_lowercase().contains("qwen");
            assert!(!named, "{path} names an architecture");
        }
        if room == "embed" && !path.contains("/embed/models/") {
            let code = module.text.to_lowercase();
            assert!(
                !code.contains("clip") && !code.contains("siglip"),
                "{path} names an architecture"
            );
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    for module in &GRAPH.modules {
        assert!(module.text.starts_with("//! "), "{}", module.path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "benches", "examples"] {
        for (path, text) in rust_files(&root.join(folder)) {
            let count = text.lines().count();
            assert!(count <= MAX_LINES, "{} has {count} lines", path.display());
        }
    }
}

#[test]
fn no_folder_holds_more_than_a_chapter() {
    for folder in GRAPH
        .modules
        .iter()
        .filter_map(|module| module.path.parent())
    {
        let files = GRAPH
            .modules
            .iter()
            .filter(|other| other.path.parent() == Some(folder));
        let count = files.count();
        assert!(
            count <= MAX_FILES,
            "{} holds {count} files",
            folder.display()
        );
    }
}
