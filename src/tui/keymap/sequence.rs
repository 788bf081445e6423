//! Key sequences: several keys in a row that have one action.

use super::{Key, KeyContext, Keymap, Lookup};

/// The keys of an unfinished key sequence.
#[derive(Debug, Default)]
pub struct KeySequence(Vec<Key>);

impl KeySequence {
    /// Adds a key and looks the sequence up. A key that does not continue the sequence begins a new
    /// one. Unless the result is [`Lookup::Prefix`], the sequence has ended.
    pub fn push(&mut self, key: Key, context: KeyContext, keymap: &Keymap) -> Lookup {
        self.0.push(key);
        let mut found = keymap.lookup(context, &self.0);
        if found == Lookup::None && self.0.len() > 1 {
            self.0 = vec![key];
            found = keymap.lookup(context, &self.0);
        }
        if found != Lookup::Prefix {
            self.0.clear();
        }
        found
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}
