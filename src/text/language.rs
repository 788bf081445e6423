//! Languages, and texts in several languages at once.

use std::fmt;

/// A language of records and of the user interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Korean,
}

impl Language {
    /// The locale's language: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set decides.
    pub fn from_locale(env: impl Fn(&str) -> Option<String>) -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter();
        let locale = names.filter_map(env).find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_lowercase();
        match locale.split(['_', '.', '@', '-']).next() {
            Some("ko" | "korean") => Self::Korean,
            _ => Self::English,
        }
    }
}

/// A fixed text in every language, such as a name in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phrase {
    pub english: &'static str,
    pub korean: &'static str,
}

impl Phrase {
    pub const fn new(english: &'static str, korean: &'static str) -> Self {
        Self { english, korean }
    }

    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Korean => self.korean,
        }
    }
}

/// A sentence in every language, for code that does not know the reader's language. `Display` shows
/// the English one. Created by `said!`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    pub english: String,
    pub korean: String,
}

impl Said {
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Korean => &self.korean,
        }
    }
}

impl From<Phrase> for Said {
    fn from(phrase: Phrase) -> Self {
        Self {
            english: phrase.english.to_owned(),
            korean: phrase.korean.to_owned(),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// Creates a [`Said`] from an English and a Korean format string, which name variables in scope. In
/// the Korean one a particle in braces takes the form that fits the word before it: `{name}{을}`.
macro_rules! said {
    ($english:literal, $korean:literal $(,)?) => {{
        #[allow(unused_imports, reason = "a sentence may need no particle")]
        use $crate::text::particles::marks::*;
        $crate::text::Said {
            english: format!($english),
            korean: $crate::text::particles::fit_particles(&format!($korean)),
        }
    }};
}

pub(crate) use said;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let of = |set: &[(&str, &str)]| {
            let found = |name: &str| set.iter().find(|(have, _)| *have == name);
            Language::from_locale(|name| found(name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[("LANG", "ko_KR.UTF-8")]), Language::Korean);
        assert_eq!(of(&[("LANG", "ko")]), Language::Korean);
        assert_eq!(of(&[("LANG", "kok_IN")]), Language::English);
        let both = [("LANG", "ko_KR.UTF-8"), ("LC_ALL", "en_US.UTF-8")];
        assert_eq!(of(&both), Language::English);
        let empty = [("LC_ALL", ""), ("LC_MESSAGES", "ko_KR.eucKR")];
        assert_eq!(of(&empty), Language::Korean);
    }

    #[test]
    fn a_particle_fits_the_inserted_word() {
        let saved = |name: &str| said!("saved {name}", "{name}{을} 저장했습니다");
        assert_eq!(saved("모자").korean, "모자를 저장했습니다");
        assert_eq!(saved("우산").korean, "우산을 저장했습니다");
        assert_eq!(saved("우산").to_string(), "saved 우산");
    }
}
