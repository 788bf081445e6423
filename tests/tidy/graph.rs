//! Computes which files of `src` use which others from the paths in their code: `crate::`, `super::`,
//! imported names, and module names. A re-exported name counts as a use of the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A source file without its tests.
pub struct Module {
    pub path: PathBuf,
    /// Module path; empty for `lib.rs`.
    pub name: Vec<String>,
    pub text: String,
    uses: Vec<Use>,
    /// Every path of at least two names in the code.
    paths: Vec<Vec<String>>,
    /// Every name in the code that is not part of a path.
    names: BTreeSet<String>,
    tests: Vec<String>,
}

/// An imported name.
struct Use {
    path: Vec<String>,
    /// The local name; `*` for a glob import.
    alias: String,
    public: bool,
}

pub struct Graph {
    pub modules: Vec<Module>,
    by_name: BTreeMap<Vec<String>, usize>,
}

/// The module `from` uses something that `to` defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
}

/// Path and text of all Rust files under `root`.
pub fn rust_files(root: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}

impl Graph {
    /// Reads all files under `root`.
    pub fn read(root: &Path) -> Self {
        Self::of(root, rust_files(root))
    }

    /// Builds the graph of files under `root`, without test-only files.
    pub fn of(root: &Path, files: Vec<(PathBuf, String)>) -> Self {
        let files = files.into_iter();
        let mut modules: Vec<Module> = files
            .map(|(path, text)| Module::new(root, path, text))
            .collect();
        let tests: BTreeSet<Vec<String>> = modules
            .iter()
            .flat_map(|module| {
                let child = |test: &String| [&module.name[..], std::slice::from_ref(test)].concat();
                module.tests.iter().map(child).collect::<Vec<_>>()
            })
            .collect();
        modules
            .retain(|module| (0..=module.name.len()).all(|n| !tests.contains(&module.name[..n])));
        modules.sort_by(|a, b| a.path.cmp(&b.path));
        let by_name = modules.iter().enumerate();
        let by_name = by_name
            .map(|(at, module)| (module.name.clone(), at))
            .collect();
        Self { modules, by_name }
    }

    /// All uses. A `pub use` of a module's own submodules does not count.
    pub fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (from, module) in self.modules.iter().enumerate() {
            let imported = module.uses.iter().filter_map(|one| {
                let path = self.absolute(module, &one.path)?;
                let is_reexport = one.public
                    && path.starts_with(&module.name)
                    && !module.names.contains(&one.alias);
                let (to, whole) = self.find(&path, 0)?;
                (!is_reexport && (!whole || one.alias == "*")).then_some(to)
            });
            let mentioned = module.paths.iter().filter_map(|path| {
                let first = module.uses.iter().find(|one| one.alias == path[0]);
                let path = match first {
                    Some(one) => [&one.path[..], &path[1..]].concat(),
                    None => path.clone(),
                };
                let (to, whole) = self.find(&self.absolute(module, &path)?, 0)?;
                (!whole).then_some(to)
            });
            let targets: Vec<usize> = imported.chain(mentioned).collect();
            edges.extend(targets.into_iter().map(|to| Edge { from, to }));
        }
        edges.retain(|edge| edge.from != edge.to);
        edges
    }

    /// Makes a path absolute; `None` if it leaves the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut start = module.name.clone();
        let mut rest = path;
        match path[0].as_str() {
            "crate" => (start, rest) = (Vec::new(), &path[1..]),
            // The binary refers to the library by its crate name.
            "labeler_tui" => (start, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    start.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                start.push(name.to_owned());
                if !self.by_name.contains_key(&start) {
                    return None;
                }
                rest = &path[1..];
            }
        }
        start.extend_from_slice(rest);
        Some(start)
    }

    /// Finds the file that defines an absolute path, and whether the path is the module itself.
    fn find(&self, path: &[String], depth: usize) -> Option<(usize, bool)> {
        assert!(depth < 20, "{path:?} is a cyclic re-export");
        let mut name: Vec<String> = Vec::new();
        let mut at = *self.by_name.get(&name)?;
        for (n, part) in path.iter().enumerate() {
            name.push(part.clone());
            if let Some(child) = self.by_name.get(&name) {
                at = *child;
                continue;
            }
            let module = &self.modules[at];
            let reexport = module.uses.iter().find(|one| one.alias == *part);
            if let Some(one) = reexport {
                let target = self.absolute(module, &one.path)?;
                return self.find(&[&target[..], &path[n + 1..]].concat(), depth + 1);
            }
            return Some((at, false));
        }
        Some((at, true))
    }

    /// Finds cycles among groups of files; `group` assigns a file to a group, if any.
    pub fn cycles<G: Ord + Clone>(
        &self,
        edges: &BTreeSet<Edge>,
        group: impl Fn(&Module) -> Option<G>,
    ) -> Vec<BTreeSet<G>> {
        let mut next: BTreeMap<G, BTreeSet<G>> = BTreeMap::new();
        for edge in edges {
            let (from, to) = (&self.modules[edge.from], &self.modules[edge.to]);
            if let (Some(from), Some(to)) = (group(from), group(to))
                && from != to
            {
                next.entry(from).or_default().insert(to);
            }
        }
        let reach = |start: &G| {
            let mut seen = BTreeSet::new();
            let mut pending = vec![start];
            while let Some(one) = pending.pop() {
                for other in next.get(one).into_iter().flatten() {
                    if seen.insert(other.clone()) {
                        pending.push(other);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&G, BTreeSet<G>> = next.keys().map(|one| (one, reach(one))).collect();
        let mut cycles = BTreeSet::new();
        for (one, from_here) in &reached {
            if from_here.contains(one) {
                let back = |other: &&G| reached.get(*other).is_some_and(|all| all.contains(*one));
                cycles.insert(from_here.iter().filter(back).cloned().collect());
            }
        }
        cycles.into_iter().collect()
    }
}

impl Module {
    fn new(root: &Path, path: PathBuf, text: String) -> Self {
        let inside = path.strip_prefix(root).unwrap().with_extension("");
        let mut name: Vec<String> = inside
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if name
            .last()
            .is_some_and(|last| last == "mod" || last == "lib")
        {
            name.pop();
        }
        let mut module = Self {
            path,
            name,
            text: String::new(),
            uses: Vec::new(),
            paths: Vec::new(),
            names: BTreeSet::new(),
            tests: Vec::new(),
        };
        module.walk(&tokens(&text));
        module.text = text;
        module
    }

    fn walk(&mut self, tokens: &[&str]) {
        let mut at = 0;
        let mut public = false;
        while at < tokens.len() {
            match tokens[at] {
                "#" if is_test(&tokens[at..]) => {
                    let end = at + item_length(&tokens[at..]);
                    let item = &tokens[at..end];
                    let file = item.windows(3).find(|w| w[0] == "mod" && w[2] == ";");
                    self.tests.extend(file.map(|w| w[1].to_owned()));
                    at = end;
                    public = false;
                    continue;
                }
                "pub" => {
                    public = true;
                    at += match tokens.get(at + 1) {
                        // The path in `pub(in crate::tui)` is not a use.
                        Some(&"(") => 1 + closing(&tokens[at + 1..]),
                        _ => 1,
                    };
                    continue;
                }
                "use" => {
                    let end = at + tokens[at..].iter().position(|t| *t == ";").unwrap();
                    self.tree(&tokens[at + 1..end], &[], public);
                    at = end;
                }
                // The following name is not a use.
                "mod" => at += 1,
                name if is_name(name) && (at == 0 || tokens[at - 1] != ".") => {
                    let mut path = vec![name.to_owned()];
                    while tokens.get(at + 1) == Some(&"::")
                        && tokens.get(at + 2).is_some_and(|next| is_name(next))
                    {
                        path.push(tokens[at + 2].to_owned());
                        at += 2;
                    }
                    if path.len() > 1 {
                        self.paths.push(path);
                    } else {
                        self.names.extend(path);
                    }
                }
                _ => {}
            }
            public = false;
            at += 1;
        }
    }

    /// Collects the names of a `use` tree such as `a::{b, c as d}`.
    fn tree(&mut self, tokens: &[&str], before: &[String], public: bool) {
        let mut path = before.to_vec();
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at] {
                "{" => {
                    let inside = &tokens[at + 1..at + closing(&tokens[at..]) - 1];
                    let mut depth = 0;
                    let parts = inside.split(|token| {
                        depth += i32::from(*token == "{") - i32::from(*token == "}");
                        depth == 0 && *token == ","
                    });
                    for part in parts.filter(|part| !part.is_empty()) {
                        self.tree(part, &path, public);
                    }
                    return;
                }
                "::" => {}
                "as" => {
                    self.uses.push(Use {
                        path,
                        alias: tokens[at + 1].to_owned(),
                        public,
                    });
                    return;
                }
                "*" => {
                    self.uses.push(Use {
                        path,
                        alias: "*".to_owned(),
                        public,
                    });
                    return;
                }
                "self" if !path.is_empty() => {}
                name => path.push(name.to_owned()),
            }
            at += 1;
        }
        let alias = path.last().unwrap().clone();
        self.uses.push(Use {
            path,
            alias,
            public,
        });
    }
}

/// Whether an attribute marks its item as test-only.
fn is_test(tokens: &[&str]) -> bool {
    let attribute = &tokens[..closing(&tokens[1..]) + 1];
    attribute.starts_with(&["#", "[", "cfg", "("])
        && attribute[4..].contains(&"test")
        && !attribute.contains(&"not")
}

/// Number of tokens of an item, including its attributes.
fn item_length(tokens: &[&str]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            ";" => return at + 1,
            "{" => return at + closing(&tokens[at..]),
            "(" | "[" => at += closing(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

/// Number of tokens from an opening bracket through its closing one.
fn closing(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits code into names and symbols, without comments and literals.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            found.push(&rest[..end]);
            end
        } else if rest.starts_with("::") {
            found.push("::");
            2
        } else {
            if !c.is_whitespace() {
                found.push(&rest[..c.len_utf8()]);
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// Length of the literal or lifetime at the start of the text.
fn literal(text: &str) -> Option<usize> {
    let bare = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let length = raw[hashes + 1..].find(&end)? + hashes + 1 + end.len();
            return Some(text.len() - raw.len() + length);
        }
    }
    let before = text.len() - bare.len();
    if let Some(inside) = bare.strip_prefix('"') {
        let mut escaped = false;
        let end = inside.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        return Some(before + end + 2);
    }
    let inside = bare.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(before + inside[2..].find('\'')? + 4);
    }
    let first = inside.chars().next()?.len_utf8();
    match inside[first..].starts_with('\'') {
        true => Some(before + first + 2),
        // A lifetime.
        false => Some(before + 1 + inside.find(|c: char| !c.is_alphanumeric() && c != '_')?),
    }
}
