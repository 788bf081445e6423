//! Earlier filters and rejection reasons, and named filters; the journal keeps them between runs.

use crate::engine::Command;
use crate::record::filter::{NEEDS_REVIEW, Views};

/// Journal key of the filters: one per line, newest first.
const FILTER_KEY: &str = "tui.filter";
/// Journal key of the rejection reasons: one per line, newest first.
const REJECTIONS_KEY: &str = "tui.rejections";

/// Texts typed earlier, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputHistory(Vec<String>);

impl InputHistory {
    const MAX: usize = 20;

    fn parse(lines: &str) -> Self {
        let lines = lines.lines().filter(|line| !line.is_empty());
        Self(lines.map(str::to_owned).collect())
    }

    fn push(&mut self, text: &str) {
        self.forget(text);
        self.0.insert(0, text.to_owned());
        self.0.truncate(Self::MAX);
    }

    fn forget(&mut self, text: &str) {
        self.0.retain(|have| have != text);
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[derive(Debug, Default)]
pub struct InputHistories {
    filters: InputHistory,
    rejections: InputHistory,
    views: Views,
}

impl InputHistories {
    pub fn filters(&self) -> &InputHistory {
        &self.filters
    }

    pub fn views(&self) -> &Views {
        &self.views
    }

    pub fn rejections(&self) -> &InputHistory {
        &self.rejections
    }

    /// Restores a value that an earlier run saved. Returns the filter to start with, unless it is
    /// empty: then the queue starts on the records that need review.
    pub fn restore(&mut self, key: &str, value: &str) -> Option<String> {
        match key {
            FILTER_KEY => {
                self.filters = InputHistory::parse(value);
                self.filters.forget(NEEDS_REVIEW);
                let last = value.lines().next().unwrap_or_default();
                (!last.is_empty()).then(|| last.to_owned())
            }
            REJECTIONS_KEY => {
                self.rejections = InputHistory::parse(value);
                None
            }
            Views::KEY => {
                self.views = Views::parse(value);
                None
            }
            _ => None,
        }
    }

    /// Saves a filter under a name, or removes the name for `None`; the returned command stores
    /// this.
    pub fn remember_view(&mut self, name: &str, filter: Option<&str>) -> Command {
        match filter {
            Some(filter) => self.views.put(name, filter),
            None => {
                self.views.remove(name);
                self.filters.0.retain(|filter| !Views::is_in(filter, name));
            }
        }
        Command::Remember {
            key: Views::KEY.to_owned(),
            value: self.views.text(),
        }
    }

    /// Adds a filter; the returned command stores it for the next run.
    pub fn remember_filter(&mut self, text: &str) -> Command {
        let earlier: Vec<&str> = self.filters.iter().filter(|have| *have != text).collect();
        let lines: Vec<&str> = std::iter::once(text).chain(earlier).collect();
        let value = lines.join("\n");
        if !text.is_empty() && text != NEEDS_REVIEW {
            self.filters.push(text);
        }
        Command::Remember {
            key: FILTER_KEY.to_owned(),
            value,
        }
    }

    pub fn remember_rejection(&mut self, reason: &str) -> Command {
        self.rejections.push(reason);
        Command::Remember {
            key: REJECTIONS_KEY.to_owned(),
            value: self.rejections.0.join("\n"),
        }
    }
}
