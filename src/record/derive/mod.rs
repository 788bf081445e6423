//! The labels of an icon that is the same drawing as another in other colors: what is drawn is
//! what the other's labels say, the colors are those of its own pixels, the name is its own.

mod name;

use super::fixes::Phrase;
use super::rules::{is_readable, is_readable_name};
use super::{ColorHistogram, Field, Labels, Vocabulary, Word};
use name::Exchange;
use std::collections::BTreeMap;

/// Colors in `attributes.colors` at most, as many as a model may write.
const MOST_COLORS: usize = 4;

/// What each color of a drawing is in another icon that shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recoloring(BTreeMap<String, String>);

impl Recoloring {
    /// The color that takes the place of `word`; `None` where the drawing does not show that.
    pub fn get(&self, word: &str) -> Option<&str> {
        self.0.get(word).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Recoloring {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(colors: T) -> Self {
        Self(colors.into_iter().collect())
    }
}

/// What labels are derived from and for.
#[derive(Debug, Clone, Copy)]
pub struct Derivation<'a> {
    pub vocabulary: &'a Vocabulary,
    /// The name of the item whose labels they are.
    pub from: &'a str,
    /// The name of the item that gets them.
    pub to: &'a str,
    pub recoloring: &'a Recoloring,
    /// Of the item that gets them.
    pub colors: Option<&'a ColorHistogram>,
}

/// The labels of the other icon; `None` where the label says something of the first item's name
/// that may not be true of the other item, names two colors where the other icon has one, or says
/// far more than a record may hold, so that it must be looked at by itself.
///
/// A color word that the drawing does not show stays as it is: it was false before, and the rules
/// say so here as well.
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
    let names = Exchange::new(from, to, vocabulary);
    let plan = plan(derivation);
    let measured = derivation.colors.map(|colors| colors.measured(vocabulary));
    let measured: Vec<&Word> = measured
        .into_iter()
        .flatten()
        .map(|(word, _)| word)
        .take(MOST_COLORS)
        .collect();
    let derived_text = |text: &str| {
        let text = names.exchanged(text)?;
        let phrase = Phrase::new(&text, to, vocabulary);
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

fn plan<'a>(derivation: &Derivation<'a>) -> Vec<(&'a Word, &'a Word)> {
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
    fn the_drawing_stays_and_the_colors_and_the_name_are_the_others() {
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
    fn a_color_that_is_not_drawn_stays_for_the_rules_to_find() {
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
    fn a_label_that_tells_of_the_others_name_is_not_derived() {
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
        // Word for word it is known what takes the place of what.
        let (label, tags) = derived("단풍이 그려진 단풍 축제 모자", "벚꽃 축제 모자").unwrap();
        assert_eq!(label, "벚꽃이 그려진 벚꽃 축제 모자");
        assert_eq!(tags, ["모자", "빨간색", "하얀 리본", "벚꽃 모자", "벚꽃"]);
        assert_eq!(derived("단풍이 그려진 단풍 축제 모자", "마법 비니"), None);
        // A kind of thing is what is drawn, whatever the item is called.
        let (label, tags) = derived("빨간 단풍 축제 모자, 둥근 모자", "마법 비니").unwrap();
        assert_eq!(label, "빨간 마법 비니, 둥근 모자");
        assert_eq!(tags, ["모자", "빨간색", "하얀 리본"]);
    }
}
