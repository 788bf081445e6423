//! Detects and updates texts that use an outdated item name.

use crate::record::rules::is_readable_name;
use crate::record::{Field, Labels, RecordContext, Vocabulary};
use crate::text::particles::{is_particle, stem, with_particle};
use crate::text::{clean_text, split_word};

/// The item name that a text was written for, and the item's current name. They differ if the
/// source renamed the item or an earlier program used another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// Empty if it is unknown.
    pub original: &'a str,
    pub current: &'a str,
}

impl<'a> Names<'a> {
    /// The name that these labels use: the current one if the label contains it and no field
    /// contains the original.
    pub fn of_text(self, labels: &Labels) -> &'a str {
        match self.differ() && !self.uses_current(labels) {
            true => self.original,
            false if clean_text(self.original) == self.current => self.original,
            false => self.current,
        }
    }

    /// Whether the labels use an outdated name.
    pub fn is_mismatch(self, labels: &Labels) -> bool {
        self.differ() && !self.uses_current(labels)
    }

    /// Replaces the original name with the current one wherever it is a word of its own, and
    /// adjusts the particle after it. Existing uses of the current name stay, as do values that
    /// would become too long. Lists also lose single words that only occur in the original name,
    /// and duplicates.
    pub fn updated(self, labels: &Labels, vocabulary: &Vocabulary) -> Labels {
        let mut updated = labels.clone();
        if !self.is_mismatch(labels) {
            return updated;
        }
        for field in Field::free_text() {
            let mut after: Vec<String> = Vec::new();
            for value in labels.values(field) {
                let mut new = self
                    .replaced(value)
                    .filter(|new| new.chars().count() <= field.max_chars());
                if field.is_list() {
                    let named = new.as_deref().unwrap_or(value);
                    new = self.without_original_words(named, vocabulary).or(new);
                }
                match new {
                    Some(new) if new.is_empty() => {}
                    None => after.push(value.clone()),
                    Some(new) if after.contains(&new) || labels.values(field).contains(&new) => {}
                    Some(new) => after.push(new),
                }
            }
            updated.set(field, after);
        }
        updated
    }

    /// Whether the names differ. Names too long for any label are ignored.
    fn differ(self) -> bool {
        if ![self.original, self.current]
            .into_iter()
            .all(is_readable_name)
        {
            return false;
        }
        let original = clean_text(self.original);
        !original.is_empty() && original != clean_text(self.current)
    }

    fn uses_current(self, labels: &Labels) -> bool {
        let holds_old = |field: Field| {
            let mut values = labels.values(field).iter();
            values.any(|value| self.replaced(value).is_some())
        };
        labels.label_ko().contains(self.current) && !Field::free_text().any(holds_old)
    }

    /// Removes words that only occur in the original name; `None` if there are none. Vocabulary
    /// words stay, since the icon may show them.
    fn without_original_words(self, text: &str, vocabulary: &Vocabulary) -> Option<String> {
        let name = clean_text(self.original);
        let is_old = |word: &&str| {
            let word = stem(word.trim_matches(|c: char| !c.is_alphanumeric()));
            word.chars().count() > 1
                && name.split(' ').any(|part| part == word)
                && !self.current.contains(word)
                && !vocabulary.knows(word)
        };
        let words = text.split(' ');
        let left: Vec<&str> = words.filter(|word| !is_old(word)).collect();
        let left = left.join(" ");
        (left != text).then_some(left)
    }

    /// Replaces the original name in a text; `None` if the text does not contain it.
    fn replaced(self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut found = false;
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let begins_word = !out.chars().next_back().is_some_and(char::is_alphanumeric);
            if begins_word {
                let now = end_of(self.current, &text[at..]);
                let old = end_of(self.original, &text[at..]);
                if let Some(end) = old.filter(|end| now.is_none_or(|now| *end > now)) {
                    let (particle, _) = split_word(&text[at + end..]);
                    out.push_str(&with_particle(self.current, particle));
                    at += end + particle.len();
                    found = true;
                    continue;
                }
                if let Some(end) = now {
                    out.push_str(&text[at..at + end]);
                    at += end;
                    continue;
                }
            }
            out.push(c);
            at += c.len_utf8();
        }
        found.then_some(out)
    }
}

impl<'a> RecordContext<'a> {
    pub fn names(&self) -> Names<'a> {
        Names {
            original: self.item_name,
            current: self.current_name,
        }
    }

    /// The context for these labels, with the item name that they use.
    pub fn of_labels(self, labels: &Labels) -> Self {
        self.under(self.names().of_text(labels))
    }
}

/// End of the name at the start of a text, if the name is a word of its own there, with or without
/// a particle. Ignores blanks and the case of Latin letters: `아케인 셰이드` is `아케인셰이드`.
fn end_of(name: &str, text: &str) -> Option<usize> {
    let mut letters = name.chars().filter(|c| !c.is_whitespace()).peekable();
    letters.peek()?;
    let mut rest = text.char_indices();
    let mut end = 0;
    for letter in letters {
        let (at, c) = match end {
            0 => rest.next(),
            _ => rest.find(|(_, c)| !c.is_whitespace()),
        }?;
        if !c.to_lowercase().eq(letter.to_lowercase()) {
            return None;
        }
        end = at + c.len_utf8();
    }
    let (ending, _) = split_word(&text[end..]);
    (ending.is_empty() || is_particle(ending)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::list;

    fn names<'a>(original: &'a str, current: &'a str) -> Names<'a> {
        Names { original, current }
    }

    fn vocabulary() -> Vocabulary {
        Vocabulary::builtin().unwrap()
    }

    fn label(text: &str) -> Labels {
        Labels::default().with(Field::LabelKo, [text])
    }

    #[test]
    fn the_current_name_replaces_the_original() {
        for (old, now, text, expected) in [
            ("검은 나팔", "우산", "검은 나팔은 길다", "우산은 길다"),
            (
                "활",
                "보라 모자",
                "활이 든 활을",
                "보라 모자가 든 보라 모자를",
            ),
            ("모자", "활", "흰 모자로, 모자와", "흰 활로, 활과"),
            ("모자", "우산", "모자로 가린 (모자)", "우산으로 가린 (우산)"),
            ("아케인셰이드 활", "창", "아케인 셰이드 활의 빛", "창의 빛"),
            ("VIP Hat", "모자", "vip hat을 쓴", "모자를 쓴"),
            // One place already has the new name.
            (
                "우산",
                "보라 우산",
                "보라 우산 옆의 우산",
                "보라 우산 옆의 보라 우산",
            ),
            ("보라 우산", "우산", "보라 우산 옆의 우산", "우산 옆의 우산"),
        ] {
            assert_eq!(names(old, now).replaced(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_name_inside_another_word_is_not_replaced() {
        for text in ["검은색 칼", "쌍검", "검정 검집", ""] {
            assert_eq!(names("검", "창").replaced(text), None, "{text}");
        }
    }

    #[test]
    fn every_free_text_field_is_updated() {
        let old = label("붉은 천의 눈꽃 모자")
            .with(Field::TagsKo, ["눈꽃 모자", "설산 모자", "모자"])
            .with(Field::QueryVariantsKo, ["눈꽃 모자 천", "붉은 모자"])
            .with(Field::Vibe, ["눈꽃 모자"]);
        let names = names("눈꽃 모자", "설산 모자");
        assert!(names.is_mismatch(&old));
        assert_eq!(names.of_text(&old), "눈꽃 모자");
        let new = names.updated(&old, &vocabulary());
        assert_eq!(new.label_ko(), "붉은 천의 설산 모자");
        assert_eq!(new.values(Field::TagsKo), ["설산 모자", "모자"]);
        assert_eq!(
            new.values(Field::QueryVariantsKo),
            ["설산 모자 천", "붉은 모자"]
        );
        assert_eq!(new.values(Field::Vibe), ["눈꽃 모자"]);
        assert!(!names.is_mismatch(&new));
        assert_eq!(names.of_text(&new), "설산 모자");
        assert_eq!(names.updated(&new, &vocabulary()), new);
    }

    #[test]
    fn lists_lose_words_that_only_the_original_name_has() {
        let old = label("제네시스 활의 붉은 시위")
            .with(
                Field::TagsKo,
                ["제네시스", "활", "붉은색", "제네시스 무기", "활대"],
            )
            .with(
                Field::QueryVariantsKo,
                ["제네시스의 긴 활", "제네시스 활", "무기"],
            );
        let new = names("제네시스 붉은색 활", "별빛 활").updated(&old, &vocabulary());
        // A sentence keeps its words.
        assert_eq!(new.label_ko(), "제네시스 활의 붉은 시위");
        assert_eq!(new.values(Field::TagsKo), ["활", "붉은색", "무기", "활대"]);
        assert_eq!(new.values(Field::QueryVariantsKo), ["긴 활", "활", "무기"]);
    }

    #[test]
    fn a_text_that_the_operator_has_updated_uses_the_current_name() {
        let names = names("눈꽃 모자", "설산");
        assert!(!names.is_mismatch(&label("흰 설산을 그린 모자")));
        assert!(names.is_mismatch(&label("흰 설산과 눈꽃 모자")));
        // A text with neither name was written for the original.
        assert!(names.is_mismatch(&label("흰 모자")));
    }

    #[test]
    fn spacing_does_not_make_a_name_different() {
        let spaced = names("눈꽃  모자", "눈꽃 모자");
        assert!(!spaced.is_mismatch(&label("모자")));
        assert!(!names("", "모자").is_mismatch(&label("모자")));
        assert_eq!(names("", "모자").of_text(&label("칼")), "모자");
    }

    #[test]
    fn a_value_that_would_become_too_long_stays() {
        let long = "가".repeat(99);
        let old = label("눈꽃").with(Field::TagsKo, list(&["눈꽃 모자"]));
        let new = names("눈꽃", &long).updated(&old, &vocabulary());
        assert_eq!(new.label_ko(), long);
        assert_eq!(new.values(Field::TagsKo), ["눈꽃 모자"]);
    }
}
