//! Saved filters, which `view:NAME` refers to.

use std::collections::BTreeMap;

/// The saved filters by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Views(BTreeMap<String, String>);

impl Views {
    /// The journal's `meta` key.
    pub const KEY: &'static str = "views";

    /// Parses the format of [`Self::text`]: one view per line, name and filter separated by a tab.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        Self(
            lines
                .map(|(name, filter)| (name.to_owned(), filter.to_owned()))
                .collect(),
        )
    }

    pub fn text(&self) -> String {
        let lines = self
            .iter()
            .map(|(name, filter)| format!("{name}\t{filter}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, filter)| (name.as_str(), filter.as_str()))
    }

    /// The filter of this name, ignoring case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        let mut all = self.iter();
        all.find_map(|(have, filter)| (have.to_lowercase() == name).then_some(filter))
    }

    /// Saves a filter, replacing any of the same name.
    pub fn put(&mut self, name: &str, filter: &str) {
        self.remove(name);
        let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ").trim().to_owned();
        self.0.insert(clean(name), clean(filter));
    }

    pub fn remove(&mut self, name: &str) {
        let name = name.to_lowercase();
        self.0.retain(|have, _| have.to_lowercase() != name);
    }
}
