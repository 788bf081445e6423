//! Saved filters, which `view:NAME` refers to.

use super::lexer::{LexemeKind, lexemes};
use std::collections::BTreeMap;
use std::ops::Range;

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

    /// The places of `view:NAME` in a filter, without minus signs.
    fn references(filter: &str, name: &str) -> Vec<Range<usize>> {
        let all = lexemes(filter);
        let is_reference = |kind: &LexemeKind| match kind {
            LexemeKind::Word { text, colon, .. } => colon.is_some_and(|colon| {
                let (key, value) = (&text[..colon], &text[colon + 1..]);
                key.to_lowercase() == "view" && value.to_lowercase() == name.to_lowercase()
            }),
            _ => false,
        };
        let ends = all.iter().skip(1).map(|next| next.start);
        let places = all.iter().zip(ends.chain([filter.len()]));
        let found = places.filter(|(lexeme, _)| is_reference(&lexeme.kind));
        let place = found.map(|(lexeme, end)| {
            let start = lexeme.start + usize::from(filter[lexeme.start..].starts_with('-'));
            start..start + filter[start..end].trim_end().len()
        });
        place.collect()
    }

    /// Whether a filter contains `view:NAME`.
    pub fn is_in(filter: &str, name: &str) -> bool {
        !Self::references(filter, name).is_empty()
    }

    /// A filter with the filter of this name in place of each `view:NAME`.
    pub fn replace_in(&self, filter: &str, name: &str) -> String {
        let saved = self.get(name).unwrap_or_default();
        let mut replaced = filter.to_owned();
        for place in Self::references(filter, name).into_iter().rev() {
            match place.len() == filter.len() {
                true => replaced = saved.to_owned(),
                false => replaced.replace_range(place, &format!("({saved})")),
            }
        }
        replaced
    }
}
