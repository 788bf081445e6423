//! Retrieval results: whether the texts of a record find its image among all images.

mod generic;

pub use generic::TrigramCounts;

use super::{Field, GroupId, Labels};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An image counts as found if it ranks at least this high,
const MAX_RANK: u32 = 10;
/// or within the first of this many parts of all images.
const MAX_RANK_PARTS: u32 = 100;

/// The image that ranks first instead of the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusedImage {
    pub group: GroupId,
    pub image_path: String,
    pub item_name: String,
    /// Whether it shows the same drawing in other colors.
    pub is_family: bool,
}

/// The rank of an image in a search by one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRank {
    pub text: String,
    /// Rank of the image by similarity to the text, from 1.
    pub rank: u32,
    /// The rank if images of its recolor family are excluded.
    pub rank_outside: u32,
    /// Similarity minus that of the best other image; negative if the other is more similar.
    pub margin: f32,
    /// The image of rank 1, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confused: Option<ConfusedImage>,
}

/// The ranks of an image in searches by the texts of its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetrievalResult {
    /// Number of images searched.
    pub images: u32,
    pub label: SearchRank,
    pub queries: Vec<SearchRank>,
}

impl RetrievalResult {
    /// The rank for these labels, if the label has not changed since the search.
    pub fn of(&self, labels: &Labels) -> Option<&SearchRank> {
        (self.label.text == labels.label_ko()).then_some(&self.label)
    }

    /// The rank for these labels, if it is too low for the image to count as found.
    pub fn miss(&self, labels: &Labels) -> Option<&SearchRank> {
        self.of(labels).filter(|label| self.is_miss(label))
    }

    /// Whether the rank is too low for the image to count as found.
    pub fn is_miss(&self, rank: &SearchRank) -> bool {
        rank.rank_outside > MAX_RANK.max(self.images / MAX_RANK_PARTS)
    }
}

/// The texts of a record to search by: the label, and the queries.
pub fn searched_texts(labels: &Labels) -> (&str, &[String]) {
    (labels.label_ko(), labels.values(Field::QueryVariantsKo))
}

/// Retrieval metrics over many texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrievalMetrics {
    pub texts: u64,
    /// Share of texts whose image ranks first.
    pub recall_1: f64,
    pub recall_5: f64,
    pub recall_10: f64,
    /// Mean reciprocal rank.
    pub mrr: f64,
}

impl RetrievalMetrics {
    pub fn of(ranks: impl IntoIterator<Item = u32>) -> Self {
        let mut sums = Self::default();
        for rank in ranks {
            sums.texts += 1;
            sums.recall_1 += f64::from(u8::from(rank <= 1));
            sums.recall_5 += f64::from(u8::from(rank <= 5));
            sums.recall_10 += f64::from(u8::from(rank <= 10));
            sums.mrr += 1.0 / f64::from(rank.max(1));
        }
        let texts = sums.texts.max(1) as f64;
        Self {
            texts: sums.texts,
            recall_1: sums.recall_1 / texts,
            recall_5: sums.recall_5 / texts,
            recall_10: sums.recall_10 / texts,
            mrr: sums.mrr / texts,
        }
    }
}

/// Metrics for the first texts of the records and for the current ones, over the same images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    pub before: RetrievalMetrics,
    pub after: RetrievalMetrics,
}

/// The retriever and settings that a set of vectors was computed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrieverName {
    /// Hugging Face id or folder.
    pub retriever: String,
    pub revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Background behind transparent pixels.
    pub background: super::Background,
    /// `fp32`, `bf16`, `fp16`.
    pub precision: String,
    /// `none`, `q8_0`, `q4k`.
    pub quantize: String,
    /// Digest that is equal for equal vectors.
    pub digest: String,
}

impl RetrieverName {
    /// The retriever and its adapter as named in public reports, without the paths of local
    /// folders.
    pub fn public(&self) -> (&str, Option<&str>) {
        (
            name_of(&self.retriever),
            self.adapter.as_deref().map(name_of),
        )
    }
}

/// The last component of an absolute path; ids are unchanged.
fn name_of(place: &str) -> &str {
    match Path::new(place).is_absolute() {
        true => place.rsplit(['/', '\\']).next().unwrap_or(place),
        false => place,
    }
}

/// The results of the latest evaluation of all records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetrievalSummary {
    pub at: String,
    #[serde(flatten)]
    pub by: RetrieverName,
    pub images: u64,
    pub labels: BeforeAfter,
    pub queries: BeforeAfter,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;

    #[test]
    fn reports_name_a_folder_without_its_path() {
        assert_eq!(name_of("google/siglip-base"), "google/siglip-base");
        let folder = std::env::temp_dir().join("mine").join("siglip-ko");
        assert_eq!(name_of(folder.to_str().unwrap()), "siglip-ko");
    }

    fn search_rank(text: &str, rank_outside: u32) -> SearchRank {
        SearchRank {
            text: text.to_owned(),
            rank: rank_outside + 3,
            rank_outside,
            margin: -0.1,
            confused: None,
        }
    }

    #[test]
    fn an_image_is_not_found_beyond_the_first_ten_or_the_first_hundredth() {
        let labels = labels("모자");
        let misses = |images, rank| {
            let label = search_rank(labels.label_ko(), rank);
            let queries = Vec::new();
            let retrieved = RetrievalResult {
                images,
                label,
                queries,
            };
            retrieved.miss(&labels).is_some()
        };
        assert!(!misses(200, 10) && misses(200, 11));
        assert!(!misses(8000, 80) && misses(8000, 81));
    }

    #[test]
    fn a_rank_applies_only_to_the_label_that_was_searched_by() {
        let mut labels = labels("모자");
        let retrieved = RetrievalResult {
            images: 50,
            label: search_rank(labels.label_ko(), 40),
            queries: Vec::new(),
        };
        assert!(retrieved.miss(&labels).is_some());
        labels.set(Field::LabelKo, ["다른 라벨".to_owned()]);
        assert!(retrieved.of(&labels).is_none() && retrieved.miss(&labels).is_none());
    }

    #[test]
    fn metrics_are_computed_from_ranks() {
        let figures = RetrievalMetrics::of([1, 4, 10, 20]);
        assert_eq!((figures.texts, figures.recall_1), (4, 0.25));
        assert_eq!((figures.recall_5, figures.recall_10), (0.5, 0.75));
        assert!((figures.mrr - (1.0 + 0.25 + 0.1 + 0.05) / 4.0).abs() < 1e-12);
        assert_eq!(RetrievalMetrics::of([]), RetrievalMetrics::default());
    }
}
