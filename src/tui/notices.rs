//! The notice in the hint line, and the last errors for the progress screen.

use std::collections::VecDeque;

const MAX_ERRORS: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub is_warning: bool,
}

#[derive(Debug, Default)]
pub struct Notices {
    current: Option<Notice>,
    errors: VecDeque<String>,
}

impl Notices {
    pub fn current(&self) -> Option<&Notice> {
        self.current.as_ref()
    }

    /// Oldest first.
    pub fn errors(&self) -> &VecDeque<String> {
        &self.errors
    }

    pub fn notify(&mut self, text: impl Into<String>) {
        self.current = Some(Notice {
            text: text.into(),
            is_warning: false,
        });
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.current = Some(Notice {
            text: text.into(),
            is_warning: true,
        });
    }

    /// Removes a warning: the operator enters something else, or leaves.
    pub fn dismiss_warning(&mut self) {
        self.current.take_if(|notice| notice.is_warning);
    }

    /// Reports a step. A warning since the key that asked for the step stays in view.
    pub fn report(&mut self, text: String) {
        match self.current.take() {
            Some(warning) if warning.is_warning => {
                self.warn(format!("{}; {text}", warning.text));
            }
            _ => self.notify(text),
        }
    }

    /// Appends to the current notice, if there is one.
    pub fn add(&mut self, text: &str) {
        if let Some(notice) = &mut self.current {
            notice.text.push_str(text);
        }
    }

    pub fn dismiss(&mut self) {
        self.current = None;
    }

    pub fn log_error(&mut self, text: String) {
        if self.errors.len() == MAX_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(text);
    }
}
