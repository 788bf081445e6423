//! What a [`Change`] makes of labels. Pure; the journal keeps the history.

use super::rules::category;
use super::{Change, Field, Labels, MAX_ATTRIBUTES, MAX_QUERIES, MAX_TAGS, Vocabulary, clean_text};
use crate::error::{Error, ErrorKind, Result};
use unicode_normalization::UnicodeNormalization;

impl Labels {
    /// The field's texts: the list, or the one text of a scalar field if it has any.
    pub fn values(&self, field: Field) -> Vec<String> {
        let attributes = &self.attributes;
        match field {
            Field::LabelKo => vec![self.label_ko.clone()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect(),
            Field::LabelEn => self.label_en.iter().cloned().collect(),
            Field::TagsKo => self.tags_ko.clone(),
            Field::Colors => attributes.colors.clone(),
            Field::Theme => attributes.theme.clone(),
            Field::Material => attributes.material.clone(),
            Field::Vibe => attributes.vibe.clone(),
            Field::ItemTypeGuess => attributes.item_type_guess.iter().cloned().collect(),
            Field::QueryVariantsKo => self.query_variants_ko.clone(),
        }
    }

    /// Sets the field as it is; a scalar field takes the first text.
    pub fn set(&mut self, field: Field, values: Vec<String>) {
        let attributes = &mut self.attributes;
        match field {
            Field::LabelKo => self.label_ko = values.into_iter().next().unwrap_or_default(),
            Field::LabelEn => self.label_en = values.into_iter().next(),
            Field::TagsKo => self.tags_ko = values,
            Field::Colors => attributes.colors = values,
            Field::Theme => attributes.theme = values,
            Field::Material => attributes.material = values,
            Field::Vibe => attributes.vibe = values,
            Field::ItemTypeGuess => attributes.item_type_guess = values.into_iter().next(),
            Field::QueryVariantsKo => self.query_variants_ko = values,
        }
    }
}

/// The labels after `change`, in a record's form. `taken` are the labels of the version that the
/// change names. A change that touches no label gives them back; one that cannot be done (a colour
/// outside the vocabulary, a full list) is refused, so that nothing an operator types is lost
/// without a word.
pub fn apply(
    labels: &Labels,
    change: &Change,
    taken: Option<&Labels>,
    vocabulary: &Vocabulary,
) -> Result<Labels> {
    let mut edited = labels.clone();
    match change {
        Change::Set { field, values } => {
            if !field.is_list() && values.len() > 1 {
                return Err(refused(format!("{} takes one text", field.key())));
            }
            let values = values
                .iter()
                .filter(|text| !clean_text(text).is_empty())
                .map(|text| word(*field, text, vocabulary))
                .collect::<Result<Vec<_>>>()?;
            fits(*field, values.len())?;
            edited.set(*field, values);
        }
        Change::Add { field, value } => {
            let mut values = list(labels, *field)?;
            let texts = || value.split(',').filter(|text| !clean_text(text).is_empty());
            if texts().next().is_none() {
                return Err(refused(format!(
                    "an empty text cannot go into {}",
                    field.key()
                )));
            }
            for text in texts() {
                let value = word(*field, text, vocabulary)?;
                if !values.iter().any(|known| same(known, &value)) {
                    fits(*field, values.len() + 1)?;
                    values.push(value);
                }
            }
            edited.set(*field, values);
        }
        Change::Remove { field, value } => {
            let mut values = list(labels, *field)?;
            values.retain(|known| !means(*field, known, value, vocabulary));
            edited.set(*field, values);
        }
        Change::Rename { field, from, to } => {
            let mut values = list(labels, *field)?;
            let to = word(*field, to, vocabulary)?;
            for value in &mut values {
                if means(*field, value, from, vocabulary) {
                    value.clone_from(&to);
                }
            }
            edited.set(*field, values);
        }
        Change::Replace { find, with } => {
            let find: String = find.nfc().collect();
            if find.is_empty() {
                return Err(refused("there is nothing to look for"));
            }
            let texts = [&mut edited.label_ko]
                .into_iter()
                .chain(&mut edited.label_en)
                .chain(&mut edited.tags_ko)
                .chain(&mut edited.query_variants_ko);
            for text in texts {
                *text = text.nfc().collect::<String>().replace(&find, with);
            }
        }
        Change::TakeVersion { version } => {
            edited = taken.ok_or_else(|| no_version(*version))?.clone();
        }
        Change::TakeField { version, field } => {
            let taken = taken.ok_or_else(|| no_version(*version))?;
            edited.set(*field, taken.values(*field));
        }
        Change::SetNote { .. }
        | Change::Accept
        | Change::Reject { .. }
        | Change::Reopen
        | Change::Commit => return Ok(edited),
    }
    let edited = edited.normalized(vocabulary);
    if edited.label_ko.is_empty() && !labels.label_ko.is_empty() {
        return Err(refused("label_ko cannot be empty").with_hint("reject the item instead"));
    }
    Ok(edited)
}

fn list(labels: &Labels, field: Field) -> Result<Vec<String>> {
    if field.is_list() {
        Ok(labels.values(field))
    } else {
        Err(refused(format!("{} is no list", field.key())))
    }
}

/// What the field holds for a typed text; closed lists take words of the vocabulary only.
fn word(field: Field, text: &str, vocabulary: &Vocabulary) -> Result<String> {
    let Some(category) = category(field).filter(|category| category.is_closed()) else {
        return Ok(text.to_string());
    };
    if let Some(word) = vocabulary.canonical(category, text) {
        return Ok(word.to_string());
    }
    let typed = clean_text(text);
    let begun: String = typed.chars().take(2).collect::<String>().to_lowercase();
    let mut near: Vec<&str> = vocabulary
        .words(category)
        .filter(|word| word.contains(&begun))
        .collect();
    if near.is_empty() {
        near = vocabulary.words(category).collect();
    }
    near.truncate(24);
    Err(refused(format!(
        "\"{typed}\" is not in the vocabulary of {}",
        category.key()
    ))
    .with_hint(format!("for example {}", near.join(", "))))
}

fn fits(field: Field, length: usize) -> Result<()> {
    let most = match field {
        Field::TagsKo => MAX_TAGS,
        Field::QueryVariantsKo => MAX_QUERIES,
        _ => MAX_ATTRIBUTES,
    };
    if length > most {
        return Err(refused(format!("{} holds at most {most}", field.key())));
    }
    Ok(())
}

fn same(a: &str, b: &str) -> bool {
    clean_text(a).to_lowercase() == clean_text(b).to_lowercase()
}

/// Whether `text` is a way to say a value that the field holds.
fn means(field: Field, value: &str, text: &str, vocabulary: &Vocabulary) -> bool {
    same(value, text)
        || category(field)
            .and_then(|category| vocabulary.find_exact(category, text))
            .is_some_and(|entry| entry.word == value)
}

fn no_version(version: i64) -> Error {
    refused(format!("this item has no version {version} to take"))
}

fn refused(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Attributes;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| text.to_string()).collect()
    }

    fn labels() -> Labels {
        Labels {
            label_ko: "빨간 리본 모자".into(),
            label_en: Some("A red hat.".into()),
            tags_ko: texts(&["모자", "리본", "빨강"]),
            attributes: Attributes {
                colors: texts(&["red"]),
                item_type_guess: Some("hat".into()),
                ..Attributes::default()
            },
            query_variants_ko: texts(&["리본 모자"]),
            ..Labels::default()
        }
    }

    fn after(change: Change) -> Result<Labels> {
        apply(&labels(), &change, None, &Vocabulary::builtin().unwrap())
    }

    #[test]
    fn fields_are_set_in_a_records_form() {
        let set = |field, values: &[&str]| {
            after(Change::Set {
                field,
                values: texts(values),
            })
        };
        assert_eq!(
            set(Field::LabelKo, &[" 새\n이름 "]).unwrap().label_ko,
            "새 이름"
        );
        assert_eq!(set(Field::LabelEn, &[]).unwrap().label_en, None);
        let colors = set(Field::Colors, &["금색", "황금", "White"]).unwrap();
        assert_eq!(colors.attributes.colors, ["gold", "white"]);
        let kind = set(Field::ItemTypeGuess, &["반지"]).unwrap();
        assert_eq!(kind.attributes.item_type_guess.as_deref(), Some("ring"));
        assert!(set(Field::LabelKo, &["a", "b"]).is_err());
        assert!(set(Field::LabelKo, &[]).is_err());
        assert!(set(Field::TagsKo, &["태그"; 16]).is_err());
    }

    #[test]
    fn a_word_outside_the_vocabulary_is_refused_with_near_ones() {
        let error = after(Change::Add {
            field: Field::Colors,
            value: "bluish".into(),
        })
        .unwrap_err();
        assert!(error.cause.contains("bluish"));
        assert!(error.hint.unwrap().contains("blue"));
    }

    #[test]
    fn lists_are_added_to_renamed_and_thinned() {
        let add = |value: &str| {
            after(Change::Add {
                field: Field::TagsKo,
                value: value.into(),
            })
        };
        assert_eq!(add("겨울").unwrap().tags_ko.len(), 4);
        assert_eq!(add(" 모자").unwrap(), labels());
        assert_eq!(
            add("겨울, 모자,눈").unwrap().tags_ko,
            ["모자", "리본", "빨강", "겨울", "눈"]
        );
        assert!(add("\u{7}").is_err());
        let renamed = after(Change::Rename {
            field: Field::TagsKo,
            from: "리본".into(),
            to: "나비 리본".into(),
        });
        assert_eq!(renamed.unwrap().tags_ko, ["모자", "나비 리본", "빨강"]);
        let removed = after(Change::Remove {
            field: Field::Colors,
            value: "빨간색".into(),
        });
        assert!(removed.unwrap().attributes.colors.is_empty());
        assert!(
            after(Change::Remove {
                field: Field::LabelKo,
                value: "모자".into()
            })
            .is_err()
        );
    }

    #[test]
    fn a_text_is_replaced_in_label_tags_and_queries() {
        let find: String = "리본".nfd().collect();
        let replaced = after(Change::Replace {
            find,
            with: "꽃".into(),
        })
        .unwrap();
        assert_eq!(replaced.label_ko, "빨간 꽃 모자");
        assert_eq!(replaced.tags_ko, ["모자", "꽃", "빨강"]);
        assert_eq!(replaced.query_variants_ko, ["꽃 모자"]);
        let emptied = after(Change::Replace {
            find: "빨간 리본 모자".into(),
            with: String::new(),
        });
        assert!(emptied.is_err());
    }

    #[test]
    fn versions_are_taken_whole_or_by_field() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let other = Labels {
            label_ko: "파란 모자".into(),
            tags_ko: texts(&["파랑"]),
            ..Labels::default()
        };
        let take = |change| apply(&labels(), &change, Some(&other), &vocabulary).unwrap();
        assert_eq!(take(Change::TakeVersion { version: 3 }), other);
        let tags = take(Change::TakeField {
            version: 3,
            field: Field::TagsKo,
        });
        assert_eq!(tags.tags_ko, ["파랑"]);
        assert_eq!(tags.label_ko, labels().label_ko);
        let missing = after(Change::TakeVersion { version: 3 }).unwrap_err();
        assert!(missing.cause.contains("version 3"));
        assert_eq!(after(Change::Commit).unwrap(), labels());
    }
}
