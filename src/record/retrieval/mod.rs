//! What a retriever found out: whether the texts of a record find its image among all images.

mod generic;

pub use generic::TrigramCounts;

use super::{Field, GroupId, Labels};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An image that is not among so many first ones is not found,
const FIRST: u32 = 10;
/// nor one that is not among the first of so many parts of all images.
const PARTS: u32 = 100;

/// The image that comes first where it should be another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusedImage {
    pub group: GroupId,
    pub image_path: String,
    pub item_name: String,
    /// It shows the same drawing in other colors.
    pub is_family: bool,
}

/// How well one text finds its image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRank {
    pub text: String,
    /// The place of its image, from 1, when all are sorted by how like the text they are.
    pub rank: u32,
    /// The same without the images of its recolor family.
    pub rank_outside: u32,
    /// How much more like the text it is than the best of the others; negative where that is more.
    pub margin: f32,
    /// Of rank 1, where that is another image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confused: Option<ConfusedImage>,
}

/// How well the texts of one record find its image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetrievalResult {
    /// How many images were searched.
    pub images: u32,
    pub label: SearchRank,
    pub queries: Vec<SearchRank>,
}

impl RetrievalResult {
    /// The finding about these labels, where the label is still the one that was searched by.
    pub fn of(&self, labels: &Labels) -> Option<&SearchRank> {
        (self.label.text == labels.label_ko()).then_some(&self.label)
    }

    /// The finding that says that the label does not find its image.
    pub fn miss(&self, labels: &Labels) -> Option<&SearchRank> {
        self.of(labels).filter(|label| self.is_miss(label))
    }

    /// Whether the image is too far down to be found.
    pub fn is_miss(&self, finding: &SearchRank) -> bool {
        finding.rank_outside > FIRST.max(self.images / PARTS)
    }
}

/// The texts of a record that people search by: the label, and each query.
pub fn searched_texts(labels: &Labels) -> (&str, &[String]) {
    (labels.label_ko(), labels.values(Field::QueryVariantsKo))
}

/// How well many texts find their images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrievalMetrics {
    pub texts: u64,
    /// The share of texts whose image comes first, or among the first five or ten.
    pub recall_1: f64,
    pub recall_5: f64,
    pub recall_10: f64,
    /// The mean of one through the rank.
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

/// The same images searched by the first texts of their records, and by those of now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    pub before: RetrievalMetrics,
    pub after: RetrievalMetrics,
}

/// Which retriever made vectors, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrieverName {
    /// Hugging Face id or folder.
    pub retriever: String,
    pub revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What shows through transparent pixels.
    pub background: super::Background,
    /// `fp32`, `bf16`, `fp16`.
    pub precision: String,
    /// `none`, `q8_0`, `q4k`.
    pub quantize: String,
    /// The same for the same vectors.
    pub digest: String,
}

impl RetrieverName {
    /// The retriever, and its adapter where it has one, as a page for others names them: where a
    /// folder lies is nobody's business.
    pub fn public(&self) -> (&str, Option<&str>) {
        (
            name_of(&self.retriever),
            self.adapter.as_deref().map(name_of),
        )
    }
}

/// An id as it is; of an absolute path the last part.
fn name_of(place: &str) -> &str {
    match Path::new(place).is_absolute() {
        true => place.rsplit(['/', '\\']).next().unwrap_or(place),
        false => place,
    }
}

/// The last time that all records were searched for.
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
    fn a_folder_is_told_to_others_by_its_name_alone() {
        assert_eq!(name_of("google/siglip-base"), "google/siglip-base");
        let folder = std::env::temp_dir().join("mine").join("siglip-ko");
        assert_eq!(name_of(folder.to_str().unwrap()), "siglip-ko");
    }

    fn finding(text: &str, rank_outside: u32) -> SearchRank {
        SearchRank {
            text: text.to_owned(),
            rank: rank_outside + 3,
            rank_outside,
            margin: -0.1,
            confused: None,
        }
    }

    #[test]
    fn a_label_is_not_found_beyond_the_first_ten_or_the_first_hundredth() {
        let labels = labels("모자");
        let misses = |images, rank| {
            let label = finding(labels.label_ko(), rank);
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
    fn a_finding_is_about_the_label_that_was_searched_by() {
        let mut labels = labels("모자");
        let retrieved = RetrievalResult {
            images: 50,
            label: finding(labels.label_ko(), 40),
            queries: Vec::new(),
        };
        assert!(retrieved.miss(&labels).is_some());
        labels.set(Field::LabelKo, ["다른 라벨".to_owned()]);
        assert!(retrieved.of(&labels).is_none() && retrieved.miss(&labels).is_none());
    }

    #[test]
    fn figures_are_shares_of_texts() {
        let figures = RetrievalMetrics::of([1, 4, 10, 20]);
        assert_eq!((figures.texts, figures.recall_1), (4, 0.25));
        assert_eq!((figures.recall_5, figures.recall_10), (0.5, 0.75));
        assert!((figures.mrr - (1.0 + 0.25 + 0.1 + 0.05) / 4.0).abs() < 1e-12);
        assert_eq!(RetrievalMetrics::of([]), RetrievalMetrics::default());
    }
}
