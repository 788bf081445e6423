//! Key files to bindings: sequences, modifiers, the Hangul layout; every mistake with its line.

use super::action::{Action, Context};
use crate::error::{Error, ErrorKind, Result};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const DEFAULT: &str = include_str!("../../keymaps/default.toml");
const VIM: &str = include_str!("../../keymaps/vim.toml");

/// The built-in key files by name.
pub const BUILT_IN: &[(&str, &str)] = &[("default", DEFAULT), ("vim", VIM)];

/// A key as bindings know it: Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl Key {
    /// The keys that an event stands for; several where an input method sent a whole syllable.
    pub fn from_event(event: &KeyEvent) -> Vec<Key> {
        let modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        match event.code {
            KeyCode::Char(c) => {
                let modifiers = modifiers - KeyModifiers::SHIFT;
                let mut keys = Vec::new();
                hangul_keys(c, &mut |c| {
                    keys.push(Key {
                        code: KeyCode::Char(c),
                        modifiers,
                    });
                });
                keys
            }
            KeyCode::BackTab => vec![Key {
                code: KeyCode::Tab,
                modifiers: modifiers | KeyModifiers::SHIFT,
            }],
            code => vec![Key { code, modifiers }],
        }
    }

    /// A key as key files write it, such as `ctrl-r` or `PageUp`; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Key, String> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        loop {
            let lower = rest.to_ascii_lowercase();
            let (flag, length) = if lower.starts_with("ctrl-") {
                (KeyModifiers::CONTROL, 5)
            } else if lower.starts_with("alt-") {
                (KeyModifiers::ALT, 4)
            } else if lower.starts_with("shift-") {
                (KeyModifiers::SHIFT, 6)
            } else {
                break;
            };
            modifiers |= flag;
            rest = &rest[length..];
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => NAMED
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(rest))
                .map(|(_, code)| *code)
                .or_else(|| {
                    let number = rest.strip_prefix(['f', 'F'])?.parse().ok()?;
                    (1..=24).contains(&number).then_some(KeyCode::F(number))
                })
                .ok_or_else(|| format!("there is no key `{text}`"))?,
        };
        match code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                if !c.is_ascii_lowercase() {
                    return Err(format!(
                        "write the character that Shift gives, not `{text}`"
                    ));
                }
                Ok(Key {
                    code: KeyCode::Char(c.to_ascii_uppercase()),
                    modifiers: modifiers - KeyModifiers::SHIFT,
                })
            }
            code => Ok(Key { code, modifiers }),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (flag, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.modifiers.contains(flag) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => f.write_char(c),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => f.write_str(
                NAMED
                    .iter()
                    .find(|(_, named)| *named == code)
                    .map_or("?", |(name, _)| name),
            ),
        }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Space", KeyCode::Char(' ')),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

const LEADS: [&str; 19] = [
    "r", "R", "s", "e", "E", "f", "a", "q", "Q", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g",
];
const VOWELS: [&str; 21] = [
    "k", "o", "i", "O", "j", "p", "u", "P", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b",
    "m", "ml", "l",
];
const TAILS: [&str; 28] = [
    "", "r", "R", "rt", "s", "sw", "sg", "e", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a",
    "q", "qt", "t", "T", "d", "w", "c", "z", "x", "v", "g",
];
/// The compatibility letters from ㄱ (U+3131) on.
const LETTERS: [&str; 51] = [
    "r", "R", "rt", "s", "sw", "sg", "e", "E", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a",
    "q", "Q", "qt", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g", "k", "o", "i", "O", "j", "p",
    "u", "P", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b", "m", "ml", "l",
];

/// The Latin keys under the letters of a two-set Hangul keyboard; other characters as they are.
fn hangul_keys(c: char, push: &mut impl FnMut(char)) {
    let code = c as usize;
    let keys: [&str; 3] = match code {
        0x3131..=0x3163 => [LETTERS[code - 0x3131], "", ""],
        0xac00..=0xd7a3 => {
            let index = code - 0xac00;
            [
                LEADS[index / 588],
                VOWELS[index % 588 / 28],
                TAILS[index % 28],
            ]
        }
        _ => return push(c),
    };
    keys.iter().flat_map(|part| part.chars()).for_each(push);
}

/// What the keys pressed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Action(Action),
    /// The beginning of a longer sequence.
    Prefix,
    None,
}

#[derive(Debug, Clone, Default)]
pub struct Keymap {
    bindings: HashMap<(Context, Vec<Key>), Action>,
    /// In file order, for help.
    order: Vec<(Context, Vec<Key>)>,
}

impl Keymap {
    /// `choice` is a built-in name or a file, which then lies over the default one; `user` is
    /// the file with a user's own bindings, looked at where it exists.
    pub fn load(choice: Option<&str>, user: Option<&Path>) -> Result<Keymap> {
        let mut keymap = Keymap::default();
        let mut mistakes = Vec::new();
        keymap.add("keymaps/default.toml", DEFAULT, &mut mistakes);
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| {
                Error::new(
                    ErrorKind::Usage,
                    format!("cannot read the key file {}: {error}", path.display()),
                )
            })
        };
        match choice {
            None | Some("default") => {}
            Some(name) => match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
                Some((_, text)) => keymap.add(&format!("keymaps/{name}.toml"), text, &mut mistakes),
                None => {
                    let path = Path::new(name);
                    if !path.exists() && !name.contains(['/', '.']) {
                        return Err(Error::new(
                            ErrorKind::Usage,
                            format!("there is no key map `{name}`"),
                        )
                        .with_hint("--keymap takes default, vim or the path of a file"));
                    }
                    keymap.add(name, &read(path)?, &mut mistakes);
                }
            },
        }
        if let Some(path) = user.filter(|path| path.exists()) {
            keymap.add(&path.display().to_string(), &read(path)?, &mut mistakes);
        }
        if mistakes.is_empty() {
            return Ok(keymap);
        }
        Err(Error::new(
            ErrorKind::Usage,
            format!(
                "the key bindings have mistakes:\n  {}",
                mistakes.join("\n  ")
            ),
        )
        .with_hint(
            "a line reads \"ctrl-r\" = \"redo\" under [global], [queue], [record], [gallery], \
             [attempts], [progress] or [statistics]; \"none\" takes a binding away",
        ))
    }

    fn add(&mut self, file: &str, text: &str, mistakes: &mut Vec<String>) {
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            mistakes.push(format!("{file}:{}: {}", line(at), error.message()));
        }
        let mut found: Vec<(usize, Context, Vec<Key>, Option<Action>)> = Vec::new();
        for (name, value) in table.get_ref() {
            let Some(context) = Context::parse(name.get_ref()) else {
                let at = line(name.span().start);
                mistakes.push(format!(
                    "{file}:{at}: there is no pane `{}`",
                    name.get_ref()
                ));
                continue;
            };
            let DeValue::Table(bindings) = value.get_ref() else {
                let at = line(name.span().start);
                mistakes.push(format!("{file}:{at}: `{}` is not a table", name.get_ref()));
                continue;
            };
            for (keys, action) in bindings {
                let at = line(keys.span().start);
                match binding(keys.get_ref(), action) {
                    Ok((keys, action)) => found.push((at, context, keys, action)),
                    Err(what) => mistakes.push(format!("{file}:{at}: {what}")),
                }
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        for (index, (at, context, keys, _)) in found.iter().enumerate() {
            for (other_at, other_context, other, _) in &found[..index] {
                if context == other_context && (keys.starts_with(other) || other.starts_with(keys))
                {
                    mistakes.push(format!(
                        "{file}:{at}: `{}` cannot be told from `{}` in line {other_at}",
                        show(keys),
                        show(other)
                    ));
                }
            }
        }
        for (_, context, keys, action) in found {
            // What an earlier file says of these keys, or of a part of them, is overridden.
            self.bindings.retain(|(place, old), _| {
                *place != context || !(old.starts_with(&keys) || keys.starts_with(old))
            });
            self.order.retain(|entry| self.bindings.contains_key(entry));
            if let Some(action) = action {
                self.bindings.insert((context, keys.clone()), action);
                self.order.push((context, keys));
            }
        }
    }

    /// A pane's own binding first, then the global one.
    pub fn lookup(&self, context: Context, keys: &[Key]) -> Lookup {
        for place in [context, Context::Global] {
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

    /// The keys of an action in a pane, as people read them; those that work there only first.
    pub fn keys_of(&self, context: Context, action: Action) -> Vec<String> {
        [context, Context::Global]
            .iter()
            .take(if context == Context::Global { 1 } else { 2 })
            .flat_map(|place| {
                self.order.iter().filter(move |(other, keys)| {
                    other == place
                        && self.bindings.get(&(*other, keys.clone())) == Some(&action)
                        && self.lookup(context, keys) == Lookup::Action(action)
                })
            })
            .map(|(_, keys)| show(keys))
            .collect()
    }

    /// Every key of an action in any pane, without repeats.
    pub fn all_keys_of(&self, action: Action) -> Vec<String> {
        let mut all = Vec::new();
        for entry in &self.order {
            if self.bindings.get(entry) == Some(&action) {
                let keys = show(&entry.1);
                if !all.contains(&keys) {
                    all.push(keys);
                }
            }
        }
        all
    }

    /// Where an action has keys.
    pub fn contexts_of(&self, action: Action) -> Vec<Context> {
        let has = |context: &&Context| {
            self.bindings
                .iter()
                .any(|((place, _), bound)| place == *context && *bound == action)
        };
        Context::ALL.iter().filter(has).copied().collect()
    }
}

fn show(keys: &[Key]) -> String {
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
        return Err("a binding without keys".to_owned());
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

/// The table of keys for the README, from the built-in default key file.
pub fn readme_table() -> Result<String> {
    let keymap = Keymap::load(None, None)?;
    let mut out = String::from("| key | does |\n|---|---|\n");
    for info in super::action::ACTIONS {
        let keys = keymap.all_keys_of(info.action);
        if !keys.is_empty() {
            let keys: Vec<_> = keys
                .iter()
                .map(|keys| format!("`{}`", keys.replace('|', "\\|")))
                .collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} | {} |", keys.join(" "), info.description);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::action::ACTIONS;
    use super::*;

    fn event(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    fn typed(text: &str) -> Vec<Key> {
        text.chars()
            .flat_map(|c| Key::from_event(&event(KeyCode::Char(c), KeyModifiers::NONE)))
            .collect()
    }

    #[test]
    fn built_in_files_are_sound_and_the_default_one_binds_every_action() {
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
    fn sequences_and_panes() {
        let keymap = Keymap::load(None, None).unwrap();
        assert_eq!(keymap.lookup(Context::Queue, &typed("g")), Lookup::Prefix);
        assert_eq!(
            keymap.lookup(Context::Queue, &typed("gg")),
            Lookup::Action(Action::Top)
        );
        assert_eq!(
            keymap.lookup(
                Context::Record,
                &Key::from_event(&event(KeyCode::Enter, KeyModifiers::NONE))
            ),
            Lookup::Action(Action::EditField)
        );
        assert_eq!(
            keymap.lookup(
                Context::Queue,
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
        let keymap = Keymap::load(None, None).unwrap();
        assert_eq!(
            keymap.lookup(Context::Queue, &typed("ㅓ")),
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
            keymap.lookup(Context::Queue, &typed("g")),
            Lookup::Action(Action::Bottom)
        );
        assert_eq!(keymap.lookup(Context::Queue, &typed("a")), Lookup::None);
        assert_eq!(
            keymap.lookup(Context::Queue, &typed("k")),
            Lookup::Action(Action::Up)
        );
        assert!(
            keymap
                .keys_of(Context::Queue, Action::Down)
                .contains(&"Ctrl-Alt-J".to_owned())
        );
    }

    #[test]
    fn all_mistakes_come_together_with_their_lines() {
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
            "keys.toml:10: `w w` cannot be told from `w` in line 9",
            "keys.toml:11: ",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn an_unknown_name_is_not_a_file() {
        let error = Keymap::load(Some("emacs"), None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(Keymap::load(Some("no/such/file.toml"), None).is_err());
    }
}
