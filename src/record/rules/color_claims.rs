//! Finds the color words in a record, which claim colors of the icon.

use crate::record::{Field, Labels, Vocabulary, Word};
use crate::text::{clean_text, particles::is_particle, without, words};

/// Endings between a color word and its particle (`황금` + `빛` + `의`, `블루` + `한`).
const ENDINGS: [&str; 8] = ["색상", "색", "빛깔", "빛", "계열", "계통", "톤", "한"];

/// A color that a record claims, with the words that claim it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorClaim<'v> {
    pub word: &'v Word,
    pub field: Field,
    /// The word as written in the record (`블랙색의`).
    pub text: String,
}

impl Labels {
    /// All colors claimed by the label, the tags, the queries and `attributes.colors`. The
    /// item's name and color words that it contains do not count.
    pub fn color_claims<'v>(
        &self,
        item_name: &str,
        vocabulary: &'v Vocabulary,
    ) -> Vec<ColorClaim<'v>> {
        let name = plain(item_name);
        let mut claims = Vec::new();
        let fields = Field::free_text().chain([Field::Colors]);
        for field in fields {
            for value in self.values(field) {
                if field == Field::Colors
                    && let Some(word) = vocabulary.find_exact(field, value)
                {
                    claims.push(ColorClaim {
                        word,
                        field,
                        text: value.clone(),
                    });
                    continue;
                }
                for token in words(&without(&plain(value), &name)) {
                    if let Some((word, stem, _)) = color_of(token, vocabulary)
                        && !name.contains(stem.strip_suffix(['색', '한']).unwrap_or(stem))
                    {
                        let text = token.to_owned();
                        claims.push(ColorClaim { word, field, text });
                    }
                }
            }
        }
        claims
    }

    /// The colors that [`Self::color_claims`] finds, each once.
    pub fn claimed_colors<'v>(&self, item_name: &str, vocabulary: &'v Vocabulary) -> Vec<&'v Word> {
        let mut claimed = Vec::new();
        for claim in self.color_claims(item_name, vocabulary) {
            if !claimed.contains(&claim.word) {
                claimed.push(claim.word);
            }
        }
        claimed
    }

    /// All colors that the record mentions: the claimed ones, and those of the item's name.
    pub fn mentioned_colors<'v>(&self, vocabulary: &'v Vocabulary) -> Vec<&'v Word> {
        self.claimed_colors("", vocabulary)
    }
}

/// Normalizes a name, or a text to search for the name.
fn plain(text: &str) -> String {
    clean_text(text).to_lowercase()
}

/// The color that a word names, the longest prefix that names it, and the particle at the end:
/// `황금빛의` names gold by `황금빛`, `블랙박스` names no color.
pub(in crate::record) fn color_of<'v, 't>(
    token: &'t str,
    vocabulary: &'v Vocabulary,
) -> Option<(&'v Word, &'t str, &'t str)> {
    if !vocabulary.may_start(Field::Colors, token) {
        return None;
    }
    let max = vocabulary.max_letters(Field::Colors);
    let ends = token.char_indices().take(max);
    let ends = ends.map(|(at, c)| at + c.len_utf8());
    let mut stems: Vec<&str> = ends.map(|end| &token[..end]).collect();
    stems.reverse();
    stems.into_iter().find_map(|stem| {
        let word = vocabulary.find_exact(Field::Colors, stem)?;
        let rest = &token[stem.len()..];
        let is_ending = |rest: &&str| rest.is_empty() || is_particle(rest);
        let endings = ENDINGS
            .iter()
            .filter_map(|ending| rest.strip_prefix(ending));
        let mut endings = std::iter::once(rest).chain(endings);
        Some((word, stem, endings.find(is_ending)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(labels: &Labels, name: &str) -> Vec<(Field, String, String)> {
        let vocabulary = Vocabulary::builtin().unwrap();
        let claims = labels.color_claims(name, &vocabulary);
        let claims = claims.into_iter();
        claims
            .map(|claim| (claim.field, claim.text, claim.word.word.clone()))
            .collect()
    }

    fn in_label(label: &str, name: &str) -> Vec<(String, String)> {
        let labels = Labels::default().with(Field::LabelKo, [label]);
        let claims = claims(&labels, name).into_iter();
        claims.map(|(_, text, word)| (text, word)).collect()
    }

    #[test]
    fn color_words_are_found_with_their_particles() {
        let pair = |text: &str, word: &str| (text.to_owned(), word.to_owned());
        assert_eq!(
            in_label(
                "블랙색과 황금빛의 레이스가 달린 파란 모자, 핑크한 검붉은색",
                "눈꽃 모자"
            ),
            [
                pair("블랙색과", "black"),
                pair("황금빛의", "gold"),
                pair("파란", "blue"),
                pair("핑크한", "pink"),
                pair("검붉은색", "wine"),
            ]
        );
        assert_eq!(in_label("블랙박스 모양의 금속 보라매 모자", "모자"), []);
    }

    #[test]
    fn the_name_claims_no_color() {
        assert_eq!(in_label("골드 크리스탈 엠블렘", "골드 크리스탈 엠블렘"), []);
        assert_eq!(in_label("핑크색 젤리 가방", "핑크 젤리백"), []);
        assert_eq!(in_label("투명한 날의 방패", "투명 방패"), []);
        assert_eq!(
            in_label("분홍색 젤리 가방", "핑크 젤리백"),
            [("분홍색".to_owned(), "pink".to_owned())]
        );
    }

    #[test]
    fn claims_are_found_in_all_fields() {
        let labels = Labels::default()
            .with(Field::LabelEn, ["a red hat"])
            .with(Field::TagsKo, ["하얀 리본"])
            .with(Field::QueryVariantsKo, ["초록 모자"])
            .with(Field::Colors, ["sky blue", "수상한 색"]);
        let found = [
            (Field::LabelEn, "red", "red"),
            (Field::TagsKo, "하얀", "white"),
            (Field::QueryVariantsKo, "초록", "green"),
            (Field::Colors, "sky blue", "sky blue"),
        ];
        let found = found.map(|(field, text, word)| (field, text.to_owned(), word.to_owned()));
        assert_eq!(claims(&labels, "눈꽃 모자"), found);
    }
}
