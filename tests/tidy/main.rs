//! Checks rules that lints cannot: layers, cycles, sizes, the first line of each file.

#![allow(clippy::panic, clippy::unwrap_used)]

mod graph;

use graph::{Edge, Graph, Module, rust_files};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// A layer of the table in `lib.rs`.
struct Layer {
    name: String,
    /// Its top-level modules. Each imports only from those before it.
    modules: Vec<String>,
    /// What it may import from the layers below; `None` is everything.
    imports: Option<Vec<String>>,
}

/// The layers of the table in `lib.rs`, lowest first.
static LAYERS: LazyLock<Vec<Layer>> = LazyLock::new(|| {
    let lib = GRAPH.modules.iter().find(|module| module.name.is_empty());
    let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect();
    let rows = lib.unwrap().text.lines().filter_map(|line| {
        let (name, row) = line.strip_prefix("//! ")?.split_once("  ")?;
        let (modules, imports) = match row.split_once("->") {
            Some((modules, imports)) => (modules, Some(names(imports))),
            None => (row, None),
        };
        let name = name.to_owned();
        let modules = names(modules);
        name.starts_with('L').then_some(Layer {
            name,
            modules,
            imports,
        })
    });
    rows.collect()
});

/// Intentional cycles, by folder.
const CYCLES: [&str; 1] = [
    // A dialog may open another: `Dialog` lists them all, and each may return the next one.
    "tui::dialogs",
];

const MAX_LINES: usize = 600;
const MAX_FILES: usize = 14;

static GRAPH: LazyLock<Graph> =
    LazyLock::new(|| Graph::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
static EDGES: LazyLock<BTreeSet<Edge>> = LazyLock::new(|| GRAPH.edges());

/// The layer of a file and its module's place in it; `None` for `lib.rs`.
fn position(module: &Module) -> Option<(usize, usize)> {
    let top_level = module.name.first()?;
    let places = LAYERS.iter().enumerate().flat_map(|(layer, row)| {
        let names = row.modules.iter().enumerate();
        names.map(move |(place, name)| (name, (layer, place)))
    });
    let position = places.into_iter().find(|(name, _)| *name == top_level);
    let missing = || panic!("{top_level} is missing in the table of lib.rs");
    Some(position.unwrap_or_else(missing).1)
}

fn layer(module: &Module) -> Option<usize> {
    position(module).map(|(layer, _)| layer)
}

fn ends(edge: &Edge) -> (&'static Module, &'static Module) {
    (&GRAPH.modules[edge.from], &GRAPH.modules[edge.to])
}

/// Whether `name` is `module` or inside it.
fn is_in(name: &str, module: &str) -> bool {
    let inside = name.strip_prefix(module);
    inside.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn describe(edge: &Edge) -> String {
    let (from, to) = ends(edge);
    format!("{} uses {}", from.name.join("::"), to.name.join("::"))
}

/// Asserts that no use matches `rule`; the message lists those that do.
#[track_caller]
fn assert_no_use(rule: impl Fn(&Module, &Module) -> bool) {
    let broken = EDGES.iter().filter(|edge| {
        let (from, to) = ends(edge);
        rule(from, to)
    });
    let broken: Vec<String> = broken.map(describe).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_form_of_use_is_found() {
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
    let cycles = |depth: usize| graph.cycles(&edges, |m| m.name.get(..depth).map(|n| n.join("::")));
    assert_eq!(
        cycles(1),
        [BTreeSet::from(["b".to_owned(), "c".to_owned()])]
    );
    assert!(cycles(2).is_empty());
    let files = graph.cycles(&edges, |module| Some(module.name.join("::")));
    assert_eq!(
        files,
        [BTreeSet::from(["b::part".to_owned(), "c".to_owned()])]
    );
}

#[test]
fn the_graph_covers_the_tree() {
    assert!(GRAPH.modules.len() > 150 && EDGES.len() > 700);
    // `record/mod.rs` re-exports the name.
    for used in ["store uses record::item", "main uses logging"] {
        let is_it = |edge: &Edge| {
            let (from, to) = ends(edge);
            let top_level = from.name.first().map_or("", String::as_str);
            format!("{top_level} uses {}", to.name.join("::")) == used
        };
        assert!(EDGES.iter().any(is_it), "{used}");
    }
}

#[test]
fn a_module_uses_only_those_before_it() {
    assert_no_use(|from, to| position(from) < position(to));
}

#[test]
fn there_are_no_unintended_cycles_among_files() {
    let mut cycles = GRAPH.cycles(&EDGES, |module| Some(module.name.join("::")));
    for folder in CYCLES {
        let is_known = |cycle: &BTreeSet<String>| cycle.iter().all(|name| is_in(name, folder));
        let before = cycles.len();
        cycles.retain(|cycle| !is_known(cycle));
        assert!(
            cycles.len() < before,
            "there is no cycle in {folder} any more"
        );
    }
    assert!(cycles.is_empty(), "{}", format_cycles(&cycles, ""));
}

// A cycle among the modules of a folder may pass through different files of the same module.
#[test]
fn there_are_no_cycles_among_the_modules_of_a_folder() {
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
        let cycles = GRAPH.cycles(&EDGES, part);
        found.push_str(&format_cycles(&cycles, &folder.join("::")));
    }
    assert!(found.is_empty(), "{found}");
}

/// Lists cycles with their uses.
fn format_cycles(cycles: &[BTreeSet<String>], folder: &str) -> String {
    let mut text = String::new();
    for cycle in cycles {
        text.push_str(&format!("\na cycle in {folder:?}: {cycle:?}\n"));
        let part = |module: &Module| {
            let name = module.name.join("::");
            let parts = cycle.iter().filter(|part| is_in(&name, part));
            parts.max_by_key(|part| part.len())
        };
        for edge in EDGES.iter() {
            let (from, to) = ends(edge);
            if let (Some(from), Some(to)) = (part(from), part(to))
                && from != to
            {
                text.push_str(&format!("  {}\n", describe(edge)));
            }
        }
    }
    text
}

#[test]
fn a_layer_imports_from_below_only_what_the_table_lists() {
    assert_no_use(|from, to| {
        let (Some(own), Some(below)) = (layer(from), layer(to)) else {
            return false;
        };
        let Some(imports) = &LAYERS[own].imports else {
            return false;
        };
        let name = to.name.join("::");
        let is_listed = |listed: &String| *listed == LAYERS[below].name || is_in(&name, listed);
        below < own && !imports.iter().any(is_listed)
    });
}

#[test]
fn only_front_ends_use_terminal_crates() {
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
fn architectures_are_named_only_in_their_own_folders() {
    for module in &GRAPH.modules {
        let top_level = module.name.first().map_or("", String::as_str);
        let top_levels = ["vlm", "labeler", "commands"];
        let path = module.path.to_str().unwrap();
        if top_levels.contains(&top_level) && !path.contains("/vlm/models/") {
            let code = module.text.split("#[cfg(test)]\nmod ").next().unwrap();
            let named = code.to_lowercase().contains("qwen");
            assert!(!named, "{path} names an architecture");
        }
        if top_level == "embed" && !path.contains("/embed/models/") {
            let code = module.text.to_lowercase();
            assert!(
                !code.contains("clip") && !code.contains("siglip"),
                "{path} names an architecture"
            );
        }
    }
}

#[test]
fn every_file_starts_with_a_module_comment() {
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
fn no_folder_contains_too_many_files() {
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
            "{} contains {count} files",
            folder.display()
        );
    }
}
