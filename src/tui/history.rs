//! Filters and rejection reasons that the operator typed earlier, and saved filters, kept between
//! runs.

use crate::engine::Command;
use crate::record::filter::{NEEDS_REVIEW, Views};

/// The journal keeps the filters under this key, one a line: the last one, then those before it.
const FILTER_KEY: &str = "tui.filter";
/// The reasons of earlier rejections, one a line.
const REJECTIONS_KEY: &str = "tui.rejections";

/// Texts typed before, newest first.
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
pub struct History {
    filters: InputHistory,
    rejections: InputHistory,
    views: Views,
}

impl History {
    pub fn filters(&self) -> &InputHistory {
        &self.filters
    }

    pub fn views(&self) -> &Views {
        &self.views
    }

    pub fn rejections(&self) -> &InputHistory {
        &self.rejections
    }

    /// Takes what an earlier run remembered; gives the filter to begin with, if there is one. A
    /// filter that shows everything is no place to begin: the queue opens on what needs review.
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

    /// Saves a filter under a name, or removes the one that has it; the command keeps that.
    pub fn remember_view(&mut self, name: &str, filter: Option<&str>) -> Command {
        match filter {
            Some(filter) => self.views.put(name, filter),
            None => self.views.remove(name),
        }
        Command::Remember {
            key: Views::KEY.to_owned(),
            value: self.views.text(),
        }
    }

    /// Adds a filter; the command keeps it for the next run.
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
