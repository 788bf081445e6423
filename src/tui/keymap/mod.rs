//! Reads key files into bindings and reports every error with its line.

mod actions;
mod key;
mod sequence;

pub use actions::{ACTIONS, Action, ActionInfo, KeyContext};
pub use key::Key;
pub use sequence::KeySequence;

use crate::error::{Error, ErrorKind, Result, unreadable};
use crate::text::read_text_up_to;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const DEFAULT: &str = include_str!("../../../keymaps/default.toml");
const VIM: &str = include_str!("../../../keymaps/vim.toml");

/// The built-in key files by name.
pub const BUILT_IN: &[(&str, &str)] = &[("default", DEFAULT), ("vim", VIM)];

/// Limit for key files; no real one is larger.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Most errors listed one by one.
const MAX_ERRORS: usize = 20;

/// Meaning of the keys pressed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Action(Action),
    /// The keys begin a longer sequence.
    Prefix,
    None,
}

#[derive(Debug, Clone, Default)]
pub struct Keymap {
    bindings: HashMap<(KeyContext, Vec<Key>), Action>,
    /// Bound keys in file order, for help.
    order: Vec<(KeyContext, Vec<Key>)>,
}

fn read_file(path: &Path) -> Result<String> {
    let action = format!("cannot read the key file {}", path.display());
    read_text_up_to(path, MAX_FILE_BYTES).map_err(unreadable(ErrorKind::Usage, action))
}

impl Keymap {
    /// Loads the default bindings, then `choice` (a built-in name or a file), then the user's own
    /// file `user` if it exists. Later bindings override earlier ones.
    pub fn load(choice: Option<&str>, user: Option<&Path>) -> Result<Keymap> {
        let mut keymap = Keymap::default();
        let mut errors = Vec::new();
        keymap.add("keymaps/default.toml", DEFAULT, &mut errors);
        match choice {
            None | Some("default") => {}
            Some(name) => match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
                Some((_, text)) => keymap.add(&format!("keymaps/{name}.toml"), text, &mut errors),
                None => {
                    let path = Path::new(name);
                    if !path.exists() && !name.contains(['/', '.']) {
                        return Err(Error::new(
                            ErrorKind::Usage,
                            format!("there is no keymap `{name}`"),
                        )
                        .with_hint("--keymap takes `default`, `vim` or the path of a key file"));
                    }
                    keymap.add(name, &read_file(path)?, &mut errors);
                }
            },
        }
        if let Some(path) = user.filter(|path| path.exists()) {
            keymap.add(&path.display().to_string(), &read_file(path)?, &mut errors);
        }
        if errors.is_empty() {
            return Ok(keymap);
        }
        let more = errors.len().saturating_sub(MAX_ERRORS);
        errors.truncate(MAX_ERRORS);
        if more > 0 {
            errors.push(format!("and {more} more"));
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!("the key bindings have errors:\n  {}", errors.join("\n  ")),
        )
        .with_hint(format!(
            "write \"ctrl-r\" = \"redo\" under {}; \"none\" removes a binding",
            tables()
        )))
    }

    fn add(&mut self, file: &str, text: &str, errors: &mut Vec<String>) {
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let (table, syntax_errors) = DeTable::parse_recoverable(text);
        for error in syntax_errors {
            let at = error.span().map_or(0, |span| span.start);
            errors.push(format!("{file}:{}: {}", line(at), error.message()));
        }
        let mut found: Vec<(usize, KeyContext, Vec<Key>, Option<Action>)> = Vec::new();
        for (name, value) in table.get_ref() {
            let Some(context) = KeyContext::parse(name.get_ref()) else {
                let at = line(name.span().start);
                errors.push(format!(
                    "{file}:{at}: there is no pane `{}`",
                    name.get_ref()
                ));
                continue;
            };
            let DeValue::Table(bindings) = value.get_ref() else {
                let at = line(name.span().start);
                errors.push(format!("{file}:{at}: `{}` is not a table", name.get_ref()));
                continue;
            };
            for (keys, action) in bindings {
                let at = line(keys.span().start);
                match binding(keys.get_ref(), action) {
                    Ok((keys, action)) => found.push((at, context, keys, action)),
                    Err(error) => errors.push(format!("{file}:{at}: {error}")),
                }
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        for (index, (at, context, keys, _)) in found.iter().enumerate() {
            for (other_at, other_context, other, _) in &found[..index] {
                if context == other_context && (keys.starts_with(other) || other.starts_with(keys))
                {
                    errors.push(format!(
                        "{file}:{at}: `{}` conflicts with `{}` (line {other_at})",
                        display(keys),
                        display(other)
                    ));
                }
            }
        }
        for (_, context, keys, action) in found {
            // A later file overrides earlier bindings of these keys, of their prefixes and of
            // longer sequences that begin with them.
            let stays = |(place, old): &(KeyContext, Vec<Key>)| {
                *place != context || !(old.starts_with(&keys) || keys.starts_with(old))
            };
            self.bindings.retain(|entry, _| stays(entry));
            self.order.retain(stays);
            if let Some(action) = action {
                self.bindings.insert((context, keys.clone()), action);
                self.order.push((context, keys));
            }
        }
    }

    /// Looks keys up in the pane's own bindings, then in the global ones.
    pub fn lookup(&self, context: KeyContext, keys: &[Key]) -> Lookup {
        for place in [context, KeyContext::Global] {
            if let Some(action) = self.bindings.get(&(place, keys.to_vec())) {
                return Lookup::Action(*action);
            }
            if self
                .bindings
                .keys()
                .any(|(other, bound)| *other == place && bound.starts_with(keys))
            {
                return Lookup::Prefix;
            }
        }
        Lookup::None
    }

    /// Display names of the keys of an action in a pane; the pane's own keys come first.
    pub fn keys_of(&self, context: KeyContext, action: Action) -> Vec<String> {
        [context, KeyContext::Global]
            .iter()
            .take(if context == KeyContext::Global { 1 } else { 2 })
            .flat_map(|place| {
                self.order.iter().filter(move |(other, keys)| {
                    other == place
                        && self.bindings.get(&(*other, keys.clone())) == Some(&action)
                        && self.lookup(context, keys) == Lookup::Action(action)
                })
            })
            .map(|(_, keys)| display(keys))
            .collect()
    }

    /// Display names of all keys of an action in any pane, without repeats.
    pub fn all_keys_of(&self, action: Action) -> Vec<String> {
        let mut all = Vec::new();
        for entry in &self.order {
            if self.bindings.get(entry) == Some(&action) {
                let keys = display(&entry.1);
                if !all.contains(&keys) {
                    all.push(keys);
                }
            }
        }
        all
    }

    /// The keys of an action by the contexts where they work. Keys that work everywhere come first.
    pub fn keys_by_contexts(&self, action: Action) -> Vec<(Vec<KeyContext>, Vec<String>)> {
        let mut all: Vec<(Vec<KeyContext>, Vec<String>)> = Vec::new();
        for keys in self.all_keys_of(action) {
            let has = |context: &&KeyContext| {
                let mut bindings = self.bindings.iter();
                bindings.any(|((place, bound), to)| {
                    place == *context && *to == action && display(bound) == keys
                })
            };
            let contexts = match KeyContext::ALL.iter().filter(has) {
                contexts if contexts.clone().any(|at| *at == KeyContext::Global) => {
                    vec![KeyContext::Global]
                }
                contexts => contexts.copied().collect(),
            };
            match all.iter_mut().find(|(have, _)| *have == contexts) {
                Some((_, have)) => have.push(keys),
                None => all.push((contexts, vec![keys])),
            }
        }
        all.sort_by_key(|(contexts, _)| !contexts.contains(&KeyContext::Global));
        all
    }
}

/// Collapses runs of digits in a list of keys: `g 1-9`.
pub fn collapse_digits(keys: Vec<String>) -> Vec<String> {
    let digit = |key: &str| key.chars().next_back()?.to_digit(10);
    let follows = |before: &str, key: &str| {
        let one_more = digit(key)
            .zip(digit(before))
            .is_some_and(|(a, b)| a == b + 1);
        one_more && key[..key.len() - 1] == before[..before.len() - 1]
    };
    let runs = keys.chunk_by(|before, key| follows(before, key));
    let short = runs.flat_map(|run| match run {
        [first, _, .., last] => {
            let last = digit(last).map_or(String::new(), |last| last.to_string());
            vec![format!("{first}-{last}")]
        }
        few => few.to_vec(),
    });
    short.collect()
}

/// The table names of a key file: `[global], [queue] or [record]`.
fn tables() -> String {
    let names = KeyContext::ALL.iter();
    let names: Vec<String> = names
        .map(|context| format!("[{}]", context.name()))
        .collect();
    match names.split_last() {
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

fn display(keys: &[Key]) -> String {
    keys.iter()
        .map(Key::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn binding(
    keys: &str,
    action: &Spanned<DeValue<'_>>,
) -> Result<(Vec<Key>, Option<Action>), String> {
    let parsed = keys
        .split_whitespace()
        .map(Key::parse)
        .collect::<Result<Vec<_>, _>>()?;
    if parsed.is_empty() {
        return Err("the binding has no keys".to_owned());
    }
    let DeValue::String(name) = action.get_ref() else {
        return Err(format!("`{keys}` is not bound to the name of an action"));
    };
    if name == "none" {
        return Ok((parsed, None));
    }
    Action::parse(name).map_or_else(
        || Err(format!("there is no action `{name}`")),
        |action| Ok((parsed, Some(action))),
    )
}

/// The Markdown key table for the docs, from the default key file.
pub fn readme_table() -> Result<String> {
    let keymap = Keymap::load(None, None)?;
    let mut out = String::from("| key | does |\n|---|---|\n");
    for info in ACTIONS {
        let keys = keymap.all_keys_of(info.action);
        if !keys.is_empty() {
            let keys: Vec<_> = keys
                .iter()
                .map(|keys| format!("`{}`", keys.replace('|', "\\|")))
                .collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} | {} |", keys.join(" "), info.description.english);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::ACTIONS;
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn event(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    fn typed(text: &str) -> Vec<Key> {
        text.chars()
            .flat_map(|c| Key::from_event(&event(KeyCode::Char(c), KeyModifiers::NONE)))
            .collect()
    }

    #[test]
    fn runs_of_digits_are_collapsed() {
        let short =
            |keys: &[&str]| collapse_digits(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(
            short(&["1", "2", "3", "g 1", "g 2", "x"]),
            ["1-3", "g 1", "g 2", "x"]
        );
        assert_eq!(
            short(&["g 1", "g 2", "g 3", "F1", "F2"]),
            ["g 1-3", "F1", "F2"]
        );
        assert_eq!(short(&["ㅂ", "5", "4"]), ["ㅂ", "5", "4"]);
    }

    #[test]
    fn built_in_key_files_bind_every_action() {
        for (name, _) in BUILT_IN {
            let keymap = Keymap::load(Some(name), None).unwrap();
            for info in ACTIONS {
                assert!(
                    !keymap.all_keys_of(info.action).is_empty(),
                    "{name} does not bind {}",
                    info.name
                );
            }
        }
    }

    #[test]
    fn the_keys_of_an_action_are_listed_by_the_panes_where_they_work() {
        let keymap = Keymap::load(Some("vim"), None).unwrap();
        let keys = keymap.keys_by_contexts(Action::CommitNext);
        let of = |key: &str| {
            let mut all = keys.iter();
            let found = all.find(|(_, keys)| keys.iter().any(|have| have == key));
            found.unwrap().0.clone()
        };
        assert_eq!(of("Y"), [KeyContext::Record]);
        assert!(of("c").contains(&KeyContext::Queue));
        let next = keymap.keys_by_contexts(Action::NextToReview);
        assert_eq!(next[0].0, [KeyContext::Global]);
    }

    #[test]
    fn lookup_follows_sequences_and_panes() {
        let keymap = Keymap::load(None, None).unwrap();
        assert_eq!(
            keymap.lookup(KeyContext::Queue, &typed("g")),
            Lookup::Prefix
        );
        assert_eq!(
            keymap.lookup(KeyContext::Queue, &typed("gg")),
            Lookup::Action(Action::Top)
        );
        assert_eq!(
            keymap.lookup(
                KeyContext::Record,
                &Key::from_event(&event(KeyCode::Enter, KeyModifiers::NONE))
            ),
            Lookup::Action(Action::EditField)
        );
        assert_eq!(
            keymap.lookup(
                KeyContext::Queue,
                &Key::from_event(&event(KeyCode::Enter, KeyModifiers::NONE))
            ),
            Lookup::Action(Action::AcceptNext)
        );
    }

    #[test]
    fn hangul_letters_stand_for_the_keys_under_them() {
        assert_eq!(typed("ㅓ"), typed("j"));
        assert_eq!(typed("ㅎㅎ"), typed("gg"));
        assert_eq!(typed("ㄲ"), typed("R"));
        assert_eq!(typed("값"), typed("rkqt"));
        assert_eq!(typed("왜"), typed("dho"));
        assert_eq!(typed("힣"), typed("glg"));
        assert_eq!(typed("：Ａ"), typed(":A"));
        let keymap = Keymap::load(None, None).unwrap();
        assert_eq!(
            keymap.lookup(KeyContext::Queue, &typed("ㅓ")),
            Lookup::Action(Action::Down)
        );
    }

    #[test]
    fn a_user_overrides_single_bindings() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        std::fs::write(
            &file,
            "[queue]\n\"g\" = \"bottom\"\n\"ctrl-alt-J\" = \"down\"\n\"a\" = \"none\"\n",
        )
        .unwrap();
        let keymap = Keymap::load(file.to_str(), None).unwrap();
        assert_eq!(
            keymap.lookup(KeyContext::Queue, &typed("g")),
            Lookup::Action(Action::Bottom)
        );
        assert_eq!(keymap.lookup(KeyContext::Queue, &typed("a")), Lookup::None);
        assert_eq!(
            keymap.lookup(KeyContext::Queue, &typed("k")),
            Lookup::Action(Action::Up)
        );
        assert!(
            keymap
                .keys_of(KeyContext::Queue, Action::Down)
                .contains(&"Ctrl-Alt-J".to_owned())
        );
    }

    #[test]
    fn a_hangul_key_is_refused_with_the_latin_key_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        std::fs::write(
            &file,
            "[queue]\n\"ㅋ\" = \"accept-next\"\n\"ctrl-가\" = \"up\"\n",
        )
        .unwrap();
        let text = Keymap::load(file.to_str(), None).unwrap_err().cause;
        for expected in [
            "write the Latin key `z` instead of `ㅋ`",
            "`r k` instead of `ctrl-가`",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn an_oversized_key_file_is_refused_and_excess_errors_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        let lines = |n: usize| {
            (0..n)
                .map(|n| format!("\"x{n}\" = \"help\"\n"))
                .collect::<String>()
        };
        std::fs::write(&file, format!("[global]\n{}", lines(100_000))).unwrap();
        let error = Keymap::load(file.to_str(), None).unwrap_err();
        assert!(error.cause.ends_with("more than 64 kB"), "{error}");
        std::fs::write(&file, format!("[global]\n{}", lines(500))).unwrap();
        let error = Keymap::load(file.to_str(), None).unwrap_err();
        assert_eq!(error.cause.lines().count(), 22);
        assert!(error.cause.ends_with("and 480 more"), "{error}");
    }

    #[test]
    fn all_errors_are_reported_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.toml");
        std::fs::write(
            &file,
            "[queue]\n\"hyper-x\" = \"up\"\n\"x\" = \"fly\"\n\"z\" = 3\n\n[kitchen]\n\"q\" = \"quit\"\n[global]\n\"w\" = \"up\"\n\"w w\" = \"down\"\n\"y\" == \n",
        )
        .unwrap();
        let error = Keymap::load(file.to_str(), None).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        let text = error.cause.replace(file.to_str().unwrap(), "keys.toml");
        for expected in [
            "keys.toml:2: there is no key `hyper-x`",
            "keys.toml:3: there is no action `fly`",
            "keys.toml:4: `z` is not bound to the name of an action",
            "keys.toml:6: there is no pane `kitchen`",
            "keys.toml:10: `w w` conflicts with `w` (line 9)",
            "keys.toml:11: ",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn an_unknown_keymap_name_is_an_error() {
        let error = Keymap::load(Some("emacs"), None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(Keymap::load(Some("no/such/file.toml"), None).is_err());
    }
}
