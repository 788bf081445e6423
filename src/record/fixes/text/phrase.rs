//! A text split into words, in which color words can be replaced or removed without leaving
//! broken grammar. The item's name is one word and never changes.

use super::color_words::{ColorUse, Shape, in_shape};
use crate::record::{Vocabulary, Word};
use crate::text::{clean_text, particles::with_particle, split_word};
use unicode_normalization::UnicodeNormalization;

/// Particles that join two nouns.
const JOINS: [&str; 5] = ["과", "와", "하고", "랑", "이랑"];
/// Punctuation that joins two nouns.
const SIGNS: [char; 5] = [',', '/', '·', '&', '+'];
/// Words after colors that require at least two of them.
const MIXES: [&str; 10] = [
    "섞", "조합", "조화", "어우", "이루", "구성", "혼합", "대비", "배색", "투톤",
];
/// Words that only make sense after a color word.
const COLOR_NOUNS: [&str; 6] = ["컬러", "색상", "색조", "톤", "계열", "빛깔"];

#[derive(Debug, Clone, PartialEq)]
struct TextToken {
    /// Blanks and punctuation before the word.
    before: String,
    word: String,
    is_name: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TokenizedText<'a> {
    tokens: Vec<TextToken>,
    after: String,
    name: &'a str,
    vocabulary: &'a Vocabulary,
}

impl<'a> TokenizedText<'a> {
    pub fn new(text: &str, name: &'a str, vocabulary: &'a Vocabulary) -> Self {
        let text: String = clean_text(text).nfc().collect();
        let mut phrase = Self {
            tokens: Vec::new(),
            after: String::new(),
            name,
            vocabulary,
        };
        let mut parts = match name.is_empty() {
            true => vec![text.as_str()].into_iter(),
            false => text.split(name).collect::<Vec<_>>().into_iter(),
        };
        phrase.push(parts.next().unwrap_or_default());
        for part in parts {
            let before = std::mem::take(&mut phrase.after);
            phrase.tokens.push(TextToken {
                before,
                word: name.to_owned(),
                is_name: true,
            });
            phrase.push(part);
        }
        phrase
    }

    fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(begin) = rest.find(char::is_alphanumeric) {
            let (before, from) = rest.split_at(begin);
            let (word, left) = split_word(from);
            let mut before = before.to_owned();
            before.insert_str(0, &std::mem::take(&mut self.after));
            self.tokens.push(TextToken {
                before,
                word: word.to_owned(),
                is_name: false,
            });
            rest = left;
        }
        self.after.push_str(rest);
    }

    pub fn text(&self) -> String {
        let tokens = self.tokens.iter();
        let mut text: String = tokens
            .flat_map(|token| [token.before.as_str(), token.word.as_str()])
            .collect();
        text.push_str(&self.after);
        let text = clean_text(&text);
        text.trim_start_matches([',', '/', '·', ':', ' '])
            .trim_end_matches([',', '/', '·', ':', ' '])
            .to_owned()
    }

    fn color(&self, at: usize) -> Option<ColorUse<'a, '_>> {
        let token = self.tokens.get(at)?;
        match token.is_name {
            true => None,
            false => ColorUse::of(&token.word, self.name, self.vocabulary),
        }
    }

    pub fn has_color(&self, word: &Word) -> bool {
        (0..self.tokens.len()).any(|at| self.color(at).is_some_and(|color| color.word == word))
    }

    fn next_color(&self, word: &Word) -> Option<usize> {
        (0..self.tokens.len()).find(|at| self.color(*at).is_some_and(|color| color.word == word))
    }

    /// Replaces a color with another in the same form. If the text already has the new color, the
    /// old one is removed. `None` if that would break the text.
    pub fn replace_color(mut self, from: &Word, to: &Word) -> Option<Self> {
        while let Some(at) = self.next_color(from) {
            if self.has_color(to) {
                self = self.without(at)?;
                continue;
            }
            self.put(at, to);
        }
        Some(self)
    }

    /// Replaces all colors at once according to `plan`, each in the same form. If two adjacent
    /// colors become equal, one is removed; if the text needs two, the second becomes one of
    /// `others`. `None` if no other color is left.
    pub fn recolored(mut self, plan: &[(&Word, &Word)], others: &[&Word]) -> Option<Self> {
        let mut is_new = vec![false; self.tokens.len()];
        for (at, is_new) in is_new.iter_mut().enumerate() {
            let found = self.color(at).and_then(|color| {
                let (_, to) = plan.iter().find(|(from, _)| *from == color.word)?;
                (*to != color.word).then_some(*to)
            });
            if let Some(to) = found {
                self.put(at, to);
                *is_new = true;
            }
        }
        for at in (1..is_new.len()).rev() {
            let [before, here] = [at - 1, at].map(|at| self.color(at).map(|color| color.word));
            if here.is_none() || before != here || !(is_new[at - 1] || is_new[at]) {
                continue;
            }
            let mut once = [at, at - 1].into_iter();
            match once.find_map(|at| self.clone().without(at)) {
                Some(once) => self = once,
                None => {
                    let other = others.iter().find(|other| !self.has_color(other))?;
                    self.put(at, other);
                }
            }
        }
        Some(self)
    }

    /// Replaces the color at `at`, keeping its form and particle.
    fn put(&mut self, at: usize, to: &Word) {
        let word = self
            .color(at)
            .map(|color| with_particle(in_shape(to, color.shape), color.particle));
        if let Some(word) = word {
            self.tokens[at].word = word;
        }
    }

    /// Removes a color. `None` if that would break the text.
    pub fn remove_color(mut self, word: &Word) -> Option<Self> {
        while let Some(at) = self.next_color(word) {
            self = self.without(at)?;
        }
        Some(self)
    }

    /// Removes repeated colors: the later word, or the first if removing the later one would break
    /// the text.
    pub fn without_repeated_colors(mut self) -> Self {
        let mut at = self.tokens.len();
        while at > 1 {
            at -= 1;
            let Some(word) = self.color(at).map(|color| color.word) else {
                continue;
            };
            let is_same = |place: &usize| self.color(*place).is_some_and(|c| c.word == word);
            let Some(earlier) = (0..at).find(is_same) else {
                continue;
            };
            let once = [at, earlier]
                .into_iter()
                .find_map(|at| self.clone().without(at));
            self = once.unwrap_or(self);
        }
        self
    }

    /// Adds a color: before the first color if that is a noun, otherwise right before the item's
    /// name or the last word.
    pub fn with_color(mut self, word: &Word) -> Option<Self> {
        let first = (0..self.tokens.len()).find_map(|at| Some((at, self.color(at)?.shape)));
        let (at, text) = match first {
            Some((at, shape)) if !matches!(shape, Shape::Adjective | Shape::Latin) => {
                (at, with_particle(in_shape(word, shape), "과"))
            }
            _ => {
                let name = self.tokens.iter().position(|token| token.is_name);
                let at = name.or(self.tokens.len().checked_sub(1))?;
                (at, in_shape(word, Shape::Adjective).to_owned())
            }
        };
        let before = std::mem::replace(&mut self.tokens[at].before, " ".to_owned());
        self.tokens.insert(
            at,
            TextToken {
                before,
                word: text,
                is_name: false,
            },
        );
        Some(self)
    }

    /// Whether the word at `at` is joined to the next one.
    fn joins(&self, at: usize) -> bool {
        let by_particle = self
            .color(at)
            .is_some_and(|color| JOINS.contains(&color.particle));
        let next = self.tokens.get(at + 1);
        by_particle || next.is_some_and(|next| next.before.contains(SIGNS))
    }

    fn is_color(&self, at: usize) -> bool {
        self.color(at).is_some()
    }

    fn without(mut self, at: usize) -> Option<Self> {
        let particle = self.color(at)?.particle.to_owned();
        let is_last = at + 1 == self.tokens.len();
        if self.joins(at) && self.is_color(at + 1) {
            self.remove(at);
            return self.has_enough_colors(at).then_some(self);
        }
        if at > 0 && self.is_color(at - 1) && self.joins(at - 1) {
            let before = self.color(at - 1)?;
            let stem = self.tokens[at - 1].word.len() - before.particle.len();
            let word = with_particle(&self.tokens[at - 1].word[..stem], &particle);
            self.tokens[at - 1].word = word;
            self.tokens.remove(at);
            return self.has_enough_colors(at - 1).then_some(self);
        }
        if is_last {
            let token = self.tokens.remove(at);
            let is_loose = self.tokens.is_empty() || token.before.contains(SIGNS);
            return (particle.is_empty() && is_loose).then_some(self);
        }
        if !matches!(particle.as_str(), "" | "의") {
            return None;
        }
        let next = &self.tokens[at + 1];
        if next.before.contains(SIGNS) {
            self.remove(at);
            return Some(self);
        }
        let begins =
            |words: &[&str]| !next.is_name && words.iter().any(|w| next.word.starts_with(w));
        if begins(&MIXES) {
            return None;
        }
        if begins(&COLOR_NOUNS) {
            let stands_alone = COLOR_NOUNS
                .iter()
                .filter_map(|noun| next.word.strip_prefix(noun))
                .any(|rest| matches!(rest, "" | "의"));
            if !stands_alone || at + 2 >= self.tokens.len() {
                return None;
            }
            self.tokens.remove(at + 1);
        }
        self.remove(at);
        Some(self)
    }

    /// Removes a word. The next word gets its preceding punctuation.
    fn remove(&mut self, at: usize) {
        let gone = self.tokens.remove(at);
        if let Some(next) = self.tokens.get_mut(at) {
            next.before = gone.before;
        }
    }

    /// Whether enough colors remain for the words after the color at `at`.
    fn has_enough_colors(&self, at: usize) -> bool {
        let mut end = at;
        while self.joins(end) && self.is_color(end + 1) {
            end += 1;
        }
        let mut colors = 1;
        let mut begin = end;
        while begin > 0 && self.is_color(begin - 1) && self.joins(begin - 1) {
            begin -= 1;
            colors += 1;
        }
        let next = self.tokens.get(end + 1);
        let needs_two = next.is_some_and(|next| MIXES.iter().any(|mix| next.word.starts_with(mix)));
        colors > 1 || !needs_two
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    fn word<'v>(vocabulary: &'v Vocabulary, word: &str) -> &'v Word {
        vocabulary.find_exact(Field::Colors, word).unwrap()
    }

    #[test]
    fn a_replaced_color_keeps_its_shape() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (before, from, to, after) in [
            ("검은 리본 모자", "black", "white", "하얀 리본 모자"),
            (
                "검은색과 금색의 망토",
                "black",
                "white",
                "흰색과 금색의 망토",
            ),
            (
                "블랙과 골드의 망토",
                "black",
                "white",
                "화이트와 골드의 망토",
            ),
            (
                "블랙으로 빛나는 망토",
                "black",
                "blue",
                "블루로 빛나는 망토",
            ),
            ("블랙색의 망토", "black", "navy", "남색의 망토"),
            ("빨강을 띤 검", "red", "blue", "파랑을 띤 검"),
            ("a black hat", "black", "sky blue", "a sky blue hat"),
            // A color that the text already has is not repeated.
            ("검은색과 흰색의 망토", "black", "white", "흰색의 망토"),
            // Colors of the name stay.
            (
                "레드 클로버 붉은 모자",
                "red",
                "white",
                "레드 클로버 하얀 모자",
            ),
        ] {
            let phrase = TokenizedText::new(before, "레드 클로버", &vocabulary);
            let replaced = phrase
                .replace_color(word(&vocabulary, from), word(&vocabulary, to))
                .unwrap();
            assert_eq!(replaced.text(), after);
        }
    }

    #[test]
    fn all_colors_are_replaced_at_once() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let plan = [("red", "blue"), ("blue", "red"), ("white", "blue")];
        let plan = plan.map(|(from, to)| (word(&vocabulary, from), word(&vocabulary, to)));
        let others = ["blue", "gold"].map(|color| word(&vocabulary, color));
        let recolored = |before: &str, others: &[&Word]| {
            let phrase = TokenizedText::new(before, "눈꽃", &vocabulary);
            Some(phrase.recolored(&plan, others)?.text())
        };
        for (before, after) in [
            (
                "빨간 리본과 파란 끈이 달린 모자",
                "파란 리본과 빨간 끈이 달린 모자",
            ),
            ("레드와 블루의 망토", "블루와 레드의 망토"),
            ("빨간색과 하얀색의 망토", "파란색의 망토"),
            ("레드 화이트 망토", "블루 망토"),
            ("빨간색과 하얀색이 섞인 망토", "파란색과 금색이 섞인 망토"),
            ("검은 망토", "검은 망토"),
            ("검은색과 검은색이 섞인 망토", "검은색과 검은색이 섞인 망토"),
        ] {
            assert_eq!(recolored(before, &others).as_deref(), Some(after));
        }
        assert_eq!(recolored("빨간색과 하얀색이 섞인 망토", &[]), None);
    }

    #[test]
    fn a_color_is_added_where_it_reads_well() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (before, after) in [
            (
                "검은색과 금색의 빛나는 망토",
                "흰색과 검은색과 금색의 빛나는 망토",
            ),
            ("블랙 레이스 망토", "화이트와 블랙 레이스 망토"),
            (
                "검은 리본이 달린 눈꽃 모자",
                "검은 리본이 달린 하얀 눈꽃 모자",
            ),
            ("리본이 달린 망토", "리본이 달린 하얀 망토"),
        ] {
            let phrase = TokenizedText::new(before, "눈꽃 모자", &vocabulary);
            let named = phrase.with_color(word(&vocabulary, "white")).unwrap();
            assert_eq!(named.text(), after);
        }
    }

    #[test]
    fn a_color_is_removed_only_if_the_text_stays_intact() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (before, after) in [
            ("검은 리본 모자", Some("리본 모자")),
            ("검은색과 금색의 망토", Some("금색의 망토")),
            ("금색과 검은색의 망토", Some("금색의 망토")),
            ("흰색과 블랙 레이스 망토", Some("흰색 레이스 망토")),
            ("블랙/핑크 레이스 망토", Some("핑크 레이스 망토")),
            ("블랙 컬러의 망토", Some("망토")),
            ("검은색", Some("")),
            ("모자, 검은색, 리본", Some("모자, 리본")),
            (
                "흰색, 파란색과 검은색이 섞인 망토",
                Some("흰색, 파란색이 섞인 망토"),
            ),
            ("흰색과 검은색이 섞인 망토", None),
            ("검은색으로 빛나는 망토", None),
            ("색상이 검은색인 망토", None),
        ] {
            let phrase = TokenizedText::new(before, "눈꽃", &vocabulary);
            let left = phrase.remove_color(word(&vocabulary, "black"));
            assert_eq!(left.map(|left| left.text()).as_deref(), after);
        }
    }
}
