//! Compares two sets of records of the same images.

use super::{Field, Labels, Reason, Record, Vocabulary};
use crate::text::{self, clean_text, particles};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// The result of comparing two sets of records, A and B.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RecordComparison {
    /// Number of images with a record in both.
    pub both: usize,
    /// Paths of images with a record only in A, in its order.
    pub only_a: Vec<String>,
    pub only_b: Vec<String>,
    pub fields: Vec<FieldComparison>,
    /// Reasons that occur in either set, over the images in both.
    pub reasons: Vec<ReasonComparison>,
    pub uncertain_a: usize,
    pub uncertain_b: usize,
}

/// Comparison of one field, over the images where at least one record has a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldComparison {
    pub field: Field,
    pub compared: usize,
    /// Exactly equal, including the order of lists.
    pub equal: usize,
    /// Equal as sets of words, with synonyms mapped to vocabulary words and Korean particles
    /// removed.
    pub same_words: usize,
    /// Mean Jaccard index of the word sets, 0-1.
    pub overlap: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonComparison {
    pub reason: Reason,
    pub a: usize,
    pub b: usize,
    /// Images whose record has the reason in B but not in A.
    pub gained: usize,
    /// Images whose record has the reason in A but not in B.
    pub lost: usize,
}

/// Pairs of indexes of records of the same image, matched by hash, or by path if there is no hash.
pub fn pairs<'a>(
    a: impl IntoIterator<Item = &'a Record>,
    b: impl IntoIterator<Item = &'a Record>,
) -> Vec<(usize, usize)> {
    let b = b.into_iter().enumerate();
    let by_image: HashMap<String, usize> = b.map(|(at, record)| (record.image(), at)).collect();
    let a = a.into_iter().enumerate();
    a.filter_map(|(at, record)| Some((at, *by_image.get(&record.image())?)))
        .collect()
}

/// Compares the records of A and B that are of the same images.
pub fn compare(a: &[Record], b: &[Record], vocabulary: &Vocabulary) -> RecordComparison {
    let places = pairs(a, b);
    let (in_both_a, in_both_b): (BTreeSet<usize>, BTreeSet<usize>) = places.iter().copied().unzip();
    let only = |records: &[Record], in_both: &BTreeSet<usize>| {
        let records = records.iter().enumerate();
        let left = records.filter(|(at, _)| !in_both.contains(at));
        left.map(|(_, record)| record.image_path.clone()).collect()
    };
    let mut comparison = RecordComparison {
        both: places.len(),
        only_a: only(a, &in_both_a),
        only_b: only(b, &in_both_b),
        ..RecordComparison::default()
    };
    let places = places.into_iter();
    let pairs: Vec<(&Record, &Record)> = places.map(|(at, other)| (&a[at], &b[other])).collect();
    let uncertain = |record: &Record| usize::from(record.quality_flags.is_uncertain);
    comparison.uncertain_a = pairs.iter().map(|(a, _)| uncertain(a)).sum();
    comparison.uncertain_b = pairs.iter().map(|(_, b)| uncertain(b)).sum();
    let fields = Field::ALL.iter().copied();
    comparison.fields = fields
        .map(|field| compare_field(field, &pairs, vocabulary))
        .filter(|compared| compared.compared > 0)
        .collect();
    let reasons = Reason::ALL.iter().copied();
    comparison.reasons = reasons
        .map(|reason| compare_reason(reason, &pairs))
        .filter(|compared| compared.a + compared.b > 0)
        .collect();
    comparison
}

fn compare_field(
    field: Field,
    pairs: &[(&Record, &Record)],
    vocabulary: &Vocabulary,
) -> FieldComparison {
    let mut compared = FieldComparison {
        field,
        compared: 0,
        equal: 0,
        same_words: 0,
        overlap: 0.0,
    };
    for (a, b) in pairs {
        let (a, b) = (&a.labels, &b.labels);
        if a.values(field).is_empty() && b.values(field).is_empty() {
            continue;
        }
        compared.compared += 1;
        compared.equal += usize::from(a.values(field) == b.values(field));
        let (a, b) = (words(a, field, vocabulary), words(b, field, vocabulary));
        compared.same_words += usize::from(a == b);
        let (common, all) = (a.intersection(&b).count(), a.union(&b).count());
        compared.overlap += match all {
            0 => 1.0,
            all => common as f64 / all as f64,
        };
    }
    if compared.compared > 0 {
        compared.overlap /= compared.compared as f64;
    }
    compared
}

fn words(labels: &Labels, field: Field, vocabulary: &Vocabulary) -> BTreeSet<String> {
    let values = labels.values(field).iter();
    if field.words().is_some() {
        return values
            .map(|value| match vocabulary.find_exact(field, value) {
                Some(word) => word.word.clone(),
                None => clean_text(value).to_lowercase(),
            })
            .collect();
    }
    values
        .flat_map(|value| {
            let value = clean_text(value).to_lowercase();
            text::words(&value)
                .map(|word| particles::stem(word).to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn compare_reason(reason: Reason, pairs: &[(&Record, &Record)]) -> ReasonComparison {
    let mut compared = ReasonComparison {
        reason,
        a: 0,
        b: 0,
        gained: 0,
        lost: 0,
    };
    for (a, b) in pairs {
        let has = |record: &Record| record.quality_flags.reasons.contains(&reason);
        let (in_a, in_b) = (has(a), has(b));
        compared.a += usize::from(in_a);
        compared.b += usize::from(in_b);
        compared.gained += usize::from(in_b && !in_a);
        compared.lost += usize::from(in_a && !in_b);
    }
    compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;
    use crate::record::{QualityFlags, SourceType};

    fn record(path: &str, hash: Option<&str>, labels: Labels, reasons: &[Reason]) -> Record {
        Record {
            image_path: path.to_owned(),
            image_sha256: hash.map(str::to_owned),
            source_type: SourceType::Cash,
            item_name: "눈꽃 모자".to_owned(),
            item_description: None,
            labels,
            quality_flags: QualityFlags {
                is_uncertain: !reasons.is_empty(),
                reasons: reasons.to_vec(),
            },
            model: "m".to_owned(),
            prompt_version: "v2".to_owned(),
            generated_at: "2026-01-10T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn records_are_matched_by_image_and_compared_by_words() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let base = labels("눈꽃 모자");
        let other = base
            .clone()
            .with(Field::Colors, ["빨간색", "white"])
            .with(Field::TagsKo, ["리본", "모자와"]);
        let a = [
            record(
                "a.png",
                Some("ab"),
                base.clone().with(Field::Colors, ["red"]),
                &[],
            ),
            record("b.png", None, base.clone(), &[Reason::FewTags]),
            record("c.png", Some("c"), base.clone(), &[]),
        ];
        let b = [
            record("moved.png", Some("ab"), other, &[Reason::ColorMismatch]),
            record("b.png", None, base.clone(), &[]),
            record("d.png", Some("d"), base, &[]),
        ];
        let compared = compare(&a, &b, &vocabulary);
        assert_eq!(compared.both, 2);
        assert_eq!(compared.only_a, ["c.png"]);
        assert_eq!(compared.only_b, ["d.png"]);
        assert_eq!((compared.uncertain_a, compared.uncertain_b), (1, 1));
        let of = |field| {
            let found = compared.fields.iter().find(|of| of.field == field);
            found.unwrap().clone()
        };
        let colors = of(Field::Colors);
        assert_eq!(
            (colors.compared, colors.equal, colors.same_words),
            (2, 1, 1)
        );
        assert!((colors.overlap - 0.75).abs() < 1e-9, "{colors:?}");
        assert_eq!(of(Field::LabelKo).equal, 2);
        assert!(compared.fields.iter().all(|of| of.field != Field::LabelEn));
        let gained = |reason, gained, lost| ReasonComparison {
            reason,
            a: lost,
            b: gained,
            gained,
            lost,
        };
        let expected = [
            gained(Reason::FewTags, 0, 1),
            gained(Reason::ColorMismatch, 1, 0),
        ];
        assert_eq!(compared.reasons, expected);
    }
}
