//! Find and replace in free text. Occurrences of the item's name are never changed.

use super::facts::EditFacts;
use super::values::{parse_values, replace_matching, same, usage_error};
use crate::error::Result;
use crate::record::{Labels, Matching, Replacement};
use crate::text::particles::{fitted, is_particle};
use crate::text::said;
use crate::text::{clean_text, split_word};
use unicode_normalization::UnicodeNormalization;

/// Suffixes that do not change the meaning of a word: `블랙색` is `블랙`.
const SUFFIXES: [&str; 3] = ["색", "빛", "톤"];

/// In characters; longer than any suffix with any particle.
const LONGEST_ENDING: usize = 16;

/// Replaces a text in all fields to search.
pub(super) fn replace(labels: &mut Labels, what: &Replacement, facts: &EditFacts) -> Result<()> {
    if what.find.trim().is_empty() {
        return Err(usage_error(said!(
            "there is no text to find",
            "찾을 말이 없습니다"
        )));
    }
    for field in what.fields() {
        let values = labels.values(field).to_vec();
        let mut made = Vec::new();
        let mut named = Vec::new();
        for text in &values {
            let after = replaced_text(text, what, facts.item_name).after;
            named.push(after.is_some());
            made.push(match after {
                Some(after) => parse_values(field, &after, facts.vocabulary)?,
                None => Vec::new(),
            });
        }
        let values = replace_matching(field, values, &named, |at| std::mem::take(&mut made[at]))?;
        labels.set(field, values);
    }
    Ok(())
}

/// The result of find and replace in one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// `None` if nothing is replaced.
    pub after: Option<String>,
    /// Whether there was a match inside the item's name, which stays.
    pub in_name: bool,
}

pub fn replaced_text(text: &str, what: &Replacement, item_name: &str) -> Replaced {
    let text: String = text.nfc().collect();
    let find: String = what.find.nfc().collect();
    if what.except.contains(&text) {
        return Replaced::default();
    }
    let name: String = clean_text(item_name).nfc().collect();
    if what.matching == Matching::Value {
        let found = same(&text, &find) && text != what.with;
        let in_name = found && same(&text, &name);
        return Replaced {
            after: (found && !in_name).then(|| what.with.clone()),
            in_name,
        };
    }
    let names: Vec<(usize, usize)> = match name.is_empty() {
        true => Vec::new(),
        false => text
            .match_indices(&name)
            .map(|(at, name)| (at, at + name.len()))
            .collect(),
    };
    let mut after = String::new();
    let mut in_name = false;
    let mut done = 0;
    for (at, _) in text.match_indices(&find) {
        let end = at + find.len();
        if at < done {
            continue;
        }
        let Some(substitution) = substitute(&text, at, end, what) else {
            continue;
        };
        // The first name that does not end before the match.
        let next = names.partition_point(|(_, stop)| *stop <= at);
        if names.get(next).is_some_and(|(start, _)| *start < end) {
            in_name = true;
            continue;
        }
        after.push_str(&text[done..at]);
        after.push_str(&substitution.text);
        done = substitution.end;
    }
    after.push_str(&text[done..]);
    Replaced {
        after: (after != text).then_some(after),
        in_name,
    }
}

/// The text that replaces a match, which extends to `end`.
struct Substitution {
    text: String,
    end: usize,
}

/// The substitution for a match at `at..end`, including a suffix or particle after it. `None` if
/// the match must not be replaced.
fn substitute(text: &str, at: usize, end: usize, what: &Replacement) -> Option<Substitution> {
    let is_word = what.matching == Matching::Word;
    let before = text[..at].chars().next_back();
    if is_word && before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    // Limits the work, since words may be of any length.
    let tail = &text[end..];
    let near = tail.char_indices().nth(LONGEST_ENDING);
    let (tail, _) = split_word(near.map_or(tail, |(at, _)| &tail[..at]));
    let suffix = SUFFIXES
        .into_iter()
        .find(|suffix| tail.starts_with(suffix))
        .unwrap_or_default();
    let particle = match &tail[suffix.len()..] {
        rest if rest.is_empty() || is_particle(rest) => rest,
        // The end of another word.
        _ if is_word => return None,
        _ => "",
    };
    let with = what.with.as_str();
    if with.is_empty() && !is_word {
        return Some(Substitution {
            text: String::new(),
            end,
        });
    }
    let end = end + suffix.len() + particle.len();
    if with.is_empty() {
        // Without the word, its particle goes too.
        return Some(Substitution {
            text: String::new(),
            end,
        });
    }
    // `검은색` replaces all of `블랙색`, since it has the suffix itself.
    let word = match with.ends_with(suffix) {
        true => with.to_owned(),
        false => format!("{with}{suffix}"),
    };
    let particle = fitted(particle, &word);
    Some(Substitution {
        text: format!("{word}{particle}"),
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(matching: Matching, find: &str, with: &str, text: &str) -> String {
        let what = Replacement {
            matching,
            ..Replacement::everywhere(find, with)
        };
        let after = replaced_text(text, &what, "블랙 나이트").after;
        after.unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn a_word_is_replaced_with_its_particle_but_not_inside_another_word() {
        for (text, expected) in [
            ("블랙 망토", "검은색 망토"),
            ("블랙의 망토와 블랙", "검은색의 망토와 검은색"),
            ("블랙핑크 망토", "블랙핑크 망토"),
            ("올블랙 망토", "올블랙 망토"),
            ("블랙색 망토", "검은색 망토"),
            ("블랙색과 흰색", "검은색과 흰색"),
            ("블랙이 어울린다", "검은색이 어울린다"),
            ("블랙 나이트의 블랙 검", "블랙 나이트의 검은색 검"),
        ] {
            assert_eq!(replaced(Matching::Word, "블랙", "검은색", text), expected);
        }
        assert_eq!(
            replaced(Matching::Word, "블랙", "검정", "블랙색으로"),
            "검정색으로"
        );
        assert_eq!(
            replaced(Matching::Word, "블랙", "진주", "블랙과 블랙으로"),
            "진주와 진주로"
        );
        assert_eq!(
            replaced(Matching::Word, "블랙", "", "블랙의 망토").trim(),
            "망토"
        );
    }

    #[test]
    fn a_part_is_replaced_anywhere_without_doubling_suffixes() {
        let by = |text| replaced(Matching::Part, "검은", "검은색", text);
        assert_eq!(by("검은색 망토"), "검은색 망토");
        assert_eq!(by("검은 망토"), "검은색 망토");
        let by = |text| self::replaced(Matching::Part, "블랙", "검은색", text);
        assert_eq!(by("블랙핑크"), "검은색핑크");
        assert_eq!(by("올블랙색"), "올검은색");
    }

    #[test]
    fn value_matching_replaces_entire_values_only() {
        let by = |text| self::replaced(Matching::Value, "블랙", "검은색", text);
        assert_eq!(by("블랙"), "검은색");
        assert_eq!(by("블랙 망토"), "블랙 망토");
        assert_eq!(by("블랙 나이트"), "블랙 나이트");
    }

    #[test]
    fn excluded_texts_stay() {
        let mut what = Replacement::everywhere("블랙", "검은색");
        what.except = vec!["블랙 망토".to_owned()];
        assert_eq!(replaced_text("블랙 망토", &what, "").after, None);
        let after = replaced_text("블랙 검", &what, "").after;
        assert_eq!(after.as_deref(), Some("검은색 검"));
        assert!(replaced_text("블랙 나이트", &what, "블랙 나이트").in_name);
    }
}
