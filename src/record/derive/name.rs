//! Replaces one item's name with another's in a text.

use crate::record::rules::color_of;
use crate::record::{Field, Vocabulary};
use crate::text::particles::{is_particle, stem, with_particle};
use crate::text::{split_word, words};

/// Replaces an item's name, and the words that only that name has.
pub struct NameReplacement<'a> {
    from: &'a str,
    to: &'a str,
    /// Words of the old name that the new one lacks, each with its counterpart if both names have
    /// the same number of words.
    words: Vec<(&'a str, Option<&'a str>)>,
    vocabulary: &'a Vocabulary,
}

impl<'a> NameReplacement<'a> {
    pub fn new(from: &'a str, to: &'a str, vocabulary: &'a Vocabulary) -> Self {
        let (old, new): (Vec<&str>, Vec<&str>) = (words(from).collect(), words(to).collect());
        let is_aligned = old.len() == new.len();
        let differing = old.iter().enumerate().filter(|(_, word)| {
            !new.iter()
                .any(|other| is_word(other, word) || is_word(word, other))
        });
        let words = differing
            // Colors are replaced according to the pixels, and item types describe the drawing.
            .filter(|(_, word)| !is_visible(word, vocabulary))
            .map(|(at, word)| (*word, is_aligned.then(|| new[at])))
            .collect();
        Self {
            from,
            to,
            words,
            vocabulary,
        }
    }

    /// Replaces the name in a text. `None` if the text has a word of the old name without a
    /// counterpart.
    pub fn apply(&self, text: &str) -> Option<String> {
        if self.from == self.to {
            return Some(text.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let ends_word = !out.ends_with(char::is_alphanumeric);
            if ends_word && let Some((particle, left)) = self.name_at(rest) {
                out.push_str(&with_particle(self.to, particle));
                rest = left;
                continue;
            }
            let (token, left) = match split_word(rest) {
                ("", _) => rest.split_at(rest.chars().next().map_or(rest.len(), char::len_utf8)),
                word => word,
            };
            out.push_str(&self.word(token)?);
            rest = left;
        }
        Some(out)
    }

    /// If the text starts with the old name as a word: the particle after it, and the rest of the
    /// text.
    fn name_at<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let after = text
            .strip_prefix(self.from)
            .filter(|_| !self.from.is_empty())?;
        let (particle, left) = split_word(after);
        // `검은` means black and is not a form of `검`.
        let whole = &text[..text.len() - left.len()];
        let is_whole = particle.is_empty() || is_particle(particle);
        (is_whole && color_of(whole, self.vocabulary).is_none()).then_some((particle, left))
    }

    fn word(&self, token: &str) -> Option<String> {
        let found = self.words.iter().find(|(old, _)| is_word(token, old));
        let Some((old, new)) = found else {
            return Some(token.to_owned());
        };
        let new = (*new)?;
        if token == *old {
            return Some(new.to_owned());
        }
        // `단풍이` of `단풍`, or `단풍` of `단풍의`.
        let (old, new) = match token.strip_prefix(*old) {
            Some(particle) => return Some(with_particle(new, particle)),
            None => (bare(old), bare(new)),
        };
        Some(with_particle(new, token.strip_prefix(old)?))
    }
}

/// Whether a word of a text is this word of a name, ignoring particles.
fn is_word(token: &str, word: &str) -> bool {
    [word, bare(word)].into_iter().any(|word| {
        token
            .strip_prefix(word)
            .is_some_and(|rest| rest.is_empty() || is_particle(rest))
    })
}

/// The word without its particle. Unlike [`stem`], this also strips `의`: `봄의` is `봄`.
fn bare(word: &str) -> &str {
    match word.strip_suffix('의') {
        Some(stem) if !stem.is_empty() => stem,
        _ => stem(word),
    }
}

/// Whether the word describes something visible: a color or another vocabulary word.
fn is_visible(word: &str, vocabulary: &Vocabulary) -> bool {
    let by_list = |word: &str| {
        let fields = Field::ALL.iter();
        fields
            .filter(|field| field.is_closed())
            .any(|field| vocabulary.find_exact(*field, word).is_some())
    };
    color_of(word, vocabulary).is_some() || by_list(word) || by_list(bare(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_with_their_particles() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (from, to, text, expected) in [
            ("검", "활", "검을 든 검은 검", "활을 든 검은 활"),
            (
                "리본 모자",
                "별 왕관",
                "리본 모자와 리본 모자를",
                "별 왕관과 별 왕관을",
            ),
            (
                "봄의 정령",
                "여름의 정령",
                "봄 느낌의 봄의 정령",
                "여름 느낌의 여름의 정령",
            ),
            ("모자", "모자 (남)", "귀모자, 모자", "귀모자, 모자 (남)"),
            ("♣훈장♣", "훈장", "둥근 ♣훈장♣은", "둥근 훈장은"),
        ] {
            let replaced = NameReplacement::new(from, to, &vocabulary).apply(text);
            assert_eq!(replaced.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_word_of_the_old_name_does_not_remain() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let names = NameReplacement::new("루돌프 코", "산타 할아버지 수염", &vocabulary);
        assert_eq!(names.apply("루돌프의 둥근 빨강"), None);
        assert_eq!(
            names.apply("루돌프 코와 둥근 빨강").as_deref(),
            Some("산타 할아버지 수염과 둥근 빨강")
        );
    }
}
