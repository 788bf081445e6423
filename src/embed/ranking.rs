//! The rank of an image when all images are sorted by similarity to a text.

use super::Vector;
use crate::error::{Context, ErrorKind, Result};
use candle_core::{Device, Tensor};

/// Number of texts that are compared at once.
const BLOCK: usize = 256;
/// Tolerance for equal scores: images with equal pixels get slightly different vectors.
const TIE: f32 = 1e-6;

/// The images to search.
pub struct ImageIndex {
    /// `(dimensions, images)`.
    vectors: Tensor,
    /// Recolor family of each image.
    families: Vec<Option<i64>>,
}

/// The rank of a text's own image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// Starts at 1; images with an equal score do not count as better.
    pub rank: usize,
    /// Rank without the other images of its family.
    pub rank_outside: usize,
    /// Score minus the best score of any other image; negative if another image is better.
    pub margin: f32,
    /// The image at rank 1, if it is another one.
    pub first: Option<usize>,
}

impl ImageIndex {
    /// All vectors must have the same width.
    pub fn new(vectors: &[Vector], families: Vec<Option<i64>>) -> Result<Self> {
        let width = vectors.first().map_or(0, Vec::len);
        let numbers: Vec<f32> = vectors.iter().flatten().copied().collect();
        let shape = (vectors.len(), width);
        let vectors = Tensor::from_vec(numbers, shape, &Device::Cpu)
            .and_then(|vectors| vectors.t()?.contiguous());
        Ok(Self {
            vectors: vectors.context(ErrorKind::Internal, COMPARING)?,
            families,
        })
    }

    /// Cosine similarity of each text with each image, -1 to 1.
    pub fn similarity(&self, texts: &[&Vector]) -> Result<Vec<Vec<f32>>> {
        let width = texts.first().map_or(0, |text| text.len());
        let numbers: Vec<f32> = texts.iter().flat_map(|text| text.iter().copied()).collect();
        let scores = Tensor::from_vec(numbers, (texts.len(), width), &Device::Cpu)
            .and_then(|texts| texts.matmul(&self.vectors)?.to_vec2());
        scores.context(ErrorKind::Internal, COMPARING)
    }

    /// Ranks the image of each text; each text comes with the position of its image.
    pub fn rankings(&self, texts: &[(&Vector, usize)]) -> Result<Vec<Ranking>> {
        let mut rankings = Vec::with_capacity(texts.len());
        for block in texts.chunks(BLOCK) {
            let vectors: Vec<&Vector> = block.iter().map(|(vector, _)| *vector).collect();
            let scores = self.similarity(&vectors)?;
            let owns = block.iter().map(|(_, own)| *own);
            rankings.extend(
                owns.zip(&scores)
                    .map(|(own, scores)| self.rank(own, scores)),
            );
        }
        Ok(rankings)
    }

    fn rank(&self, own: usize, scores: &[f32]) -> Ranking {
        let score = scores.get(own).copied().unwrap_or(f32::NEG_INFINITY);
        let family = self.families.get(own).copied().flatten();
        let mut ranking = Ranking {
            rank: 1,
            rank_outside: 1,
            margin: 0.0,
            first: None,
        };
        let mut best: Option<(usize, f32)> = None;
        for (at, &other) in scores.iter().enumerate() {
            if at == own {
                continue;
            }
            if other > score + TIE {
                ranking.rank += 1;
                let is_sibling = family.is_some() && self.families[at] == family;
                ranking.rank_outside += usize::from(!is_sibling);
            }
            if best.is_none_or(|(_, most)| other > most) {
                best = Some((at, other));
            }
        }
        if let Some((at, most)) = best {
            ranking.margin = score - most;
            ranking.first = (ranking.rank > 1).then_some(at);
        }
        ranking
    }
}

const COMPARING: &str = "comparing vectors";

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(angle: f32) -> Vector {
        vec![angle.to_radians().cos(), angle.to_radians().sin()]
    }

    #[test]
    fn a_rank_counts_images_with_a_better_score() {
        let images = [0.0, 10.0, 40.0, 90.0, 10.0].map(unit);
        let index = ImageIndex::new(&images, vec![None, Some(7), Some(7), None, None]).unwrap();
        let text = unit(0.0);
        let ranking = |own: usize| index.rankings(&[(&text, own)]).unwrap()[0];
        assert_eq!((ranking(0).rank, ranking(0).first), (1, None));
        assert!((ranking(0).margin - (1.0 - unit(10.0)[0])).abs() < 1e-6);
        // An equal score does not count as better.
        assert_eq!((ranking(1).rank, ranking(1).first), (2, Some(0)));
        assert_eq!((ranking(4).rank, ranking(4).rank_outside), (2, 2));
        assert!(ranking(1).margin < 0.0);
        // One of the better images is in its family.
        assert_eq!((ranking(2).rank, ranking(2).rank_outside), (4, 3));
        assert_eq!((ranking(3).rank, ranking(3).rank_outside), (5, 5));
    }

    #[test]
    fn every_text_is_compared_with_all_images() {
        let images: Vec<Vector> = (0..90).map(|at| unit(at as f32)).collect();
        let index = ImageIndex::new(&images, vec![None; 90]).unwrap();
        let texts: Vec<Vector> = (0..700).map(|at| unit((at % 90) as f32)).collect();
        let texts: Vec<(&Vector, usize)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (text, at % 90))
            .collect();
        let rankings = index.rankings(&texts).unwrap();
        assert_eq!(rankings.len(), 700);
        assert!(
            rankings
                .iter()
                .all(|ranking| ranking.rank == 1 && ranking.margin > 0.0)
        );
    }

    #[test]
    fn a_single_image_has_rank_1() {
        let index = ImageIndex::new(&[unit(3.0)], vec![None]).unwrap();
        let text = unit(80.0);
        let ranking = index.rankings(&[(&text, 0)]).unwrap()[0];
        assert_eq!(
            (ranking.rank, ranking.margin, ranking.first),
            (1, 0.0, None)
        );
    }
}
