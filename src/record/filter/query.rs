//! Parses filters.

use super::keys::{Test, known_target, term, unknown_key};
use super::lexer::{LexemeKind, lexemes};
use super::views::Views;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Vocabulary;
use crate::text::{Said, said, shortened};
use unicode_normalization::UnicodeNormalization;

/// The length of a filter's excerpt in an error, in characters.
const MAX_SHOWN: usize = 80;
/// Maximum nesting of parentheses.
const MAX_DEPTH: usize = 64;

/// The filter for failed records.
pub const FAILED: &str = "state:failed";

/// The filter that the workstation starts with.
pub const NEEDS_REVIEW: &str = "state:review";

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(super) root: Condition,
}

/// A parsed condition. Adjacent terms are combined with AND, terms separated by `|` with OR.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Test(Test),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    fn negated(self, negated: bool) -> Self {
        match negated {
            true => Self::Not(Box::new(self)),
            false => self,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::All(all) if all.is_empty())
    }
}

impl Default for Query {
    /// Matches everything.
    fn default() -> Self {
        Self {
            root: Condition::All(Vec::new()),
        }
    }
}

impl Query {
    /// Parses a filter that may still be being typed. Terms that cannot be parsed are left out; the
    /// second value is the first error.
    pub fn parse(text: &str, vocabulary: &Vocabulary, views: &Views) -> (Query, Option<Said>) {
        let parser = Parser::read(text, vocabulary, Some(views));
        (
            Query {
                root: parser.condition,
            },
            parser.wrong,
        )
    }

    /// Parses a filter strictly, for commands.
    ///
    /// # Errors
    /// If any term cannot be parsed or is incomplete.
    pub fn parse_whole(text: &str, vocabulary: &Vocabulary, views: &Views) -> Result<Query> {
        match Self::read_whole(text, vocabulary, views) {
            (query, None) => Ok(query),
            (_, Some(wrong)) => {
                let cause = format!("filter `{}`: {wrong}", shortened(text, MAX_SHOWN));
                Err(Error::new(ErrorKind::Usage, cause))
            }
        }
    }

    /// The first error of a whole filter, or else what is missing in it.
    pub fn error_in(text: &str, vocabulary: &Vocabulary, views: &Views) -> Option<Said> {
        Self::read_whole(text, vocabulary, views).1
    }

    fn read_whole(text: &str, vocabulary: &Vocabulary, views: &Views) -> (Self, Option<Said>) {
        let parser = Parser::read(text, vocabulary, Some(views));
        let query = Self {
            root: parser.condition,
        };
        (query, parser.wrong.or(parser.unfinished))
    }

    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

/// The parser's state and results.
struct Parser<'a> {
    vocabulary: &'a Vocabulary,
    /// `None` inside a view.
    views: Option<&'a Views>,
    parts: std::vec::IntoIter<LexemeKind>,
    condition: Condition,
    wrong: Option<Said>,
    /// What is missing, possibly because it is still being typed.
    unfinished: Option<Said>,
}

impl<'a> Parser<'a> {
    fn read(text: &str, vocabulary: &'a Vocabulary, views: Option<&'a Views>) -> Self {
        let text: String = text.nfc().collect();
        let parts: Vec<LexemeKind> = lexemes(&text).into_iter().map(|part| part.kind).collect();
        let mut parser = Self {
            vocabulary,
            views,
            parts: parts.into_iter(),
            condition: Condition::All(Vec::new()),
            wrong: None,
            unfinished: None,
        };
        parser.condition = parser.any(0);
        parser
    }

    fn any(&mut self, depth: usize) -> Condition {
        let mut found = Vec::new();
        loop {
            let all = self.all(depth);
            let is_or = self.parts.as_slice().first() == Some(&LexemeKind::Or);
            if all.is_empty() && (is_or || !found.is_empty()) {
                self.unfinished(said!(
                    "a term is missing beside `|`",
                    "`|` 옆에 조건이 없습니다"
                ));
            } else {
                found.push(all);
            }
            if !is_or {
                break;
            }
            self.parts.next();
        }
        match found.len() {
            1 => found.remove(0),
            0 => Condition::All(found),
            _ => Condition::Any(found),
        }
    }

    fn all(&mut self, depth: usize) -> Condition {
        let mut found = Vec::new();
        while let Some(part) = self.parts.as_slice().first().cloned() {
            match part {
                LexemeKind::Or => break,
                LexemeKind::Close if depth > 0 => break,
                LexemeKind::Close => {
                    self.parts.next();
                    self.wrong(said!("`)` closes nothing", "짝이 없는 `)`입니다"));
                }
                LexemeKind::Open { .. } if depth == MAX_DEPTH => {
                    self.parts.next();
                    self.wrong(said!(
                        "more than {MAX_DEPTH} parentheses inside each other",
                        "괄호가 {MAX_DEPTH}겹을 넘습니다"
                    ));
                }
                LexemeKind::Open { negated } => {
                    self.parts.next();
                    let inner = self.any(depth + 1);
                    if self.parts.next().is_none() {
                        self.unfinished(said!("`)` is missing", "`)`가 없습니다"));
                    }
                    if !inner.is_empty() {
                        found.push(inner.negated(negated));
                    }
                }
                LexemeKind::Word {
                    text,
                    colon,
                    negated,
                } => {
                    self.parts.next();
                    let term = self.word(&text, colon);
                    found.extend(term.map(|term| term.negated(negated)));
                }
            }
        }
        match found.len() {
            1 => found.remove(0),
            _ => Condition::All(found),
        }
    }

    fn word(&mut self, text: &str, colon: Option<usize>) -> Option<Condition> {
        let Some(colon) = colon else {
            let word = text.to_lowercase();
            return (!word.is_empty()).then_some(Condition::Test(Test::Word(word)));
        };
        let (key, value) = (text[..colon].to_lowercase(), &text[colon + 1..]);
        if value.trim_start_matches(['=', '<', '>', ',']).is_empty() {
            match super::filter_keys().any(|known| known.name == key) {
                true => self.unfinished(said!("`{text}` has no value", "`{text}`에 값이 없습니다")),
                false => self.wrong(unknown_key(&key)),
            }
            return None;
        }
        match key.as_str() {
            "view" => self.view(value),
            "none" => match known_target(&value.to_lowercase()) {
                Ok(target) => {
                    let has = Condition::Test(Test::Has(target));
                    Some(has.negated(true))
                }
                Err(wrong) => {
                    self.wrong(wrong);
                    None
                }
            },
            key => match term(key, value, self.vocabulary) {
                Ok(test) => Some(Condition::Test(test)),
                Err(wrong) => {
                    self.wrong(wrong);
                    None
                }
            },
        }
    }

    /// The condition of a saved filter.
    fn view(&mut self, name: &str) -> Option<Condition> {
        let Some(views) = self.views else {
            self.wrong(said!(
                "a view cannot contain another view",
                "저장한 필터 안에서는 다른 저장한 필터를 쓸 수 없습니다"
            ));
            return None;
        };
        let Some(filter) = views.get(name) else {
            let names: Vec<&str> = views.iter().map(|(name, _)| name).collect();
            let all = names.join(", ");
            self.wrong(match names.is_empty() {
                true => said!(
                    "no view `{name}`; none is saved",
                    "`{name}`{이} 없습니다. 저장한 필터가 없습니다"
                ),
                false => said!(
                    "no view `{name}`; there are {all}",
                    "`{name}`{이} 없습니다. 저장한 필터: {all}"
                ),
            });
            return None;
        };
        let inner = Parser::read(filter, self.vocabulary, None);
        if let Some(wrong) = inner.wrong.or(inner.unfinished) {
            let (english, korean) = (&wrong.english, &wrong.korean);
            self.wrong(said!(
                "view `{name}`: {english}",
                "저장한 필터 `{name}`: {korean}"
            ));
        }
        Some(inner.condition)
    }

    fn wrong(&mut self, what: Said) {
        self.wrong.get_or_insert(what);
    }

    fn unfinished(&mut self, what: Said) {
        self.unfinished.get_or_insert(what);
    }
}
