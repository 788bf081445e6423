//! Derives the labels of an icon from those of another that shows the same drawing in other
//! colors. The description is kept; the colors come from the icon's own pixels and the name from
//! its item.

mod name;

use super::fixes::TokenizedText;
use super::rules::{is_readable, is_readable_name};
use super::{ColorHistogram, Field, Labels, Vocabulary, Word};
use name::NameReplacement;
use std::collections::BTreeMap;

/// The maximum number of colors in `attributes.colors`, the same as for a model.
const MAX_COLORS: usize = 4;

/// Maps the colors of an icon to those of another icon with the same drawing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recoloring(BTreeMap<String, String>);

impl Recoloring {
    /// The color that replaces `word`; `None` if the drawing does not have it.
    pub fn get(&self, word: &str) -> Option<&str> {
        self.0.get(word).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Recoloring {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(colors: T) -> Self {
        Self(colors.into_iter().collect())
    }
}

/// The inputs of [`derive`] besides the labels.
#[derive(Debug, Clone, Copy)]
pub struct Derivation<'a> {
    pub vocabulary: &'a Vocabulary,
    /// The name of the item whose labels are given.
    pub from: &'a str,
    /// The name of the item that gets them.
    pub to: &'a str,
    pub recoloring: &'a Recoloring,
    /// The colors of the icon that gets them.
    pub colors: Option<&'a ColorHistogram>,
}

/// Derives the labels of the other icon. `None` if the label refers to the first item's name in
/// a way that may not apply to the other, names two colors where the other icon has only one,
/// or is far over the limits of a record. Such an icon needs its own labels.
///
/// Color words that the drawing does not show are kept: they were wrong before, and the rules find
/// them again.
pub fn derive(labels: &Labels, derivation: &Derivation) -> Option<Labels> {
    let Derivation {
        vocabulary,
        from,
        to,
        ..
    } = *derivation;
    if !is_readable(labels) || ![from, to].into_iter().all(is_readable_name) {
        return None;
    }
    let names = NameReplacement::new(from, to, vocabulary);
    let plan = color_plan(derivation);
    let measured = derivation.colors.map(|colors| colors.measured(vocabulary));
    let measured: Vec<&Word> = measured
        .into_iter()
        .flatten()
        .map(|(word, _)| word)
        .take(MAX_COLORS)
        .collect();
    let derived_text = |text: &str| {
        let text = names.apply(text)?;
        let phrase = TokenizedText::new(&text, to, vocabulary);
        Some(phrase.recolored(&plan, &measured)?.text())
    };
    let mut derived = labels.clone();
    for field in Field::free_text() {
        let mut values = Vec::new();
        for value in labels.values(field) {
            match derived_text(value) {
                Some(text) => values.push(text),
                None if field.is_list() => {}
                None => return None,
            }
        }
        derived.set(field, values);
    }
    let mut colors: Vec<String> = measured.iter().map(|word| word.word.clone()).collect();
    if colors.is_empty() {
        let own = labels.values(Field::Colors).iter();
        let recolored = own.map(|word| derivation.recoloring.get(word).unwrap_or(word));
        colors = recolored.map(str::to_owned).collect();
    }
    derived.set(Field::Colors, colors);
    let derived = derived.normalized(vocabulary);
    Some(derived.without_repetition(to))
}

fn color_plan<'a>(derivation: &Derivation<'a>) -> Vec<(&'a Word, &'a Word)> {
    let find = |word: &str| derivation.vocabulary.find_exact(Field::Colors, word);
    let colors = derivation.recoloring.0.iter();
    colors
        .filter_map(|(from, to)| find(from).zip(find(to)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::to_oklab;

    fn recoloring(colors: &[(&str, &str)]) -> Recoloring {
        let colors = colors.iter();
        colors
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect()
    }

    fn red_hat() -> Labels {
        Labels::default()
            .with(
                Field::LabelKo,
                ["빨간 천에 흰색 리본이 달린 단풍 모자는 겨울 느낌이다"],
            )
            .with(
                Field::TagsKo,
                ["모자", "빨간색", "하얀 리본", "단풍 모자", "단풍"],
            )
            .with(Field::Colors, ["red", "white"])
            .with(Field::Theme, ["winter"])
            .with(Field::ItemTypeGuess, ["hat"])
            .with(
                Field::QueryVariantsKo,
                ["빨간 모자", "단풍 모자를 쓴 캐릭터", "하얀 리본 장식"],
            )
    }

    #[test]
    fn the_description_stays_and_colors_and_name_change() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let swapped = recoloring(&[("red", "white"), ("white", "navy")]);
        let colors = ColorHistogram {
            opaque: 300,
            bins: vec![
                (to_oklab([252, 252, 252]), 0.7),
                (to_oklab([27, 42, 92]), 0.3),
            ],
            ..ColorHistogram::default()
        };
        let derivation = Derivation {
            vocabulary: &vocabulary,
            from: "단풍 모자",
            to: "눈꽃 비니",
            recoloring: &swapped,
            colors: Some(&colors),
        };
        let derived = derive(&red_hat(), &derivation).unwrap();
        assert_eq!(
            derived.label_ko(),
            "하얀 천에 남색 리본이 달린 눈꽃 비니는 겨울 느낌이다"
        );
        assert_eq!(
            derived.values(Field::TagsKo),
            ["모자", "흰색", "남색 리본", "눈꽃 비니", "눈꽃"]
        );
        assert_eq!(derived.values(Field::Colors), ["white", "navy"]);
        assert_eq!(
            derived.values(Field::QueryVariantsKo),
            ["하얀 모자", "눈꽃 비니를 쓴 캐릭터", "남색 리본 장식"]
        );
        assert_eq!(derived.values(Field::Theme), ["winter"]);
        assert_eq!(derived.text(Field::ItemTypeGuess), Some("hat"));
    }

    #[test]
    fn a_color_that_the_drawing_lacks_stays_for_the_rules_to_find() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let derivation = Derivation {
            vocabulary: &vocabulary,
            from: "단풍 모자",
            to: "단풍 모자",
            recoloring: &recoloring(&[("white", "pink")]),
            colors: None,
        };
        let derived = derive(&red_hat(), &derivation).unwrap();
        assert_eq!(
            derived.label_ko(),
            "빨간 천에 분홍색 리본이 달린 단풍 모자는 겨울 느낌이다"
        );
        assert_eq!(derived.values(Field::Colors), ["red", "pink"]);
    }

    #[test]
    fn a_label_that_refers_to_the_old_name_is_not_derived() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let none = Recoloring::default();
        let derived = |label: &str, to: &str| {
            let labels = red_hat().with(Field::LabelKo, [label]);
            let derivation = Derivation {
                vocabulary: &vocabulary,
                from: "단풍 축제 모자",
                to,
                recoloring: &none,
                colors: None,
            };
            let derived = derive(&labels, &derivation)?;
            Some((
                derived.label_ko().to_owned(),
                derived.values(Field::TagsKo).to_vec(),
            ))
        };
        // The names correspond word for word.
        let (label, tags) = derived("단풍이 그려진 단풍 축제 모자", "벚꽃 축제 모자").unwrap();
        assert_eq!(label, "벚꽃이 그려진 벚꽃 축제 모자");
        assert_eq!(tags, ["모자", "빨간색", "하얀 리본", "벚꽃 모자", "벚꽃"]);
        assert_eq!(derived("단풍이 그려진 단풍 축제 모자", "마법 비니"), None);
        // An item type describes the drawing, not the name.
        let (label, tags) = derived("빨간 단풍 축제 모자, 둥근 모자", "마법 비니").unwrap();
        assert_eq!(label, "빨간 마법 비니, 둥근 모자");
        assert_eq!(tags, ["모자", "빨간색", "하얀 리본"]);
    }
}
