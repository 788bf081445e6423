//! How far up an image stands when all images are sorted by how like a text they are.

use super::Vector;
use crate::error::{Context, ErrorKind, Result};
use candle_core::{Device, Tensor};

/// Texts that are compared at once.
const BLOCK: usize = 256;
/// Images of equal pixels come out a little apart.
const TIE: f32 = 1e-6;

/// The images that are searched.
pub struct Pool {
    /// `(dimensions, images)`.
    vectors: Tensor,
    /// Images of one drawing share it.
    families: Vec<Option<i64>>,
}

/// The place of a text's own image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1; images that are just as like do not count as better.
    pub rank: usize,
    /// The same without images of its own family.
    pub rank_outside: usize,
    /// How much more like it is than the best of the others; negative where that is better.
    pub margin: f32,
    /// The first image, where that is another one.
    pub first: Option<usize>,
}

impl Pool {
    /// Images with their families, all vectors of one width.
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

    /// How like each image is to a text, from -1 to 1.
    pub fn likeness(&self, texts: &[&Vector]) -> Result<Vec<Vec<f32>>> {
        let width = texts.first().map_or(0, |text| text.len());
        let numbers: Vec<f32> = texts.iter().flat_map(|text| text.iter().copied()).collect();
        let scores = Tensor::from_vec(numbers, (texts.len(), width), &Device::Cpu)
            .and_then(|texts| texts.matmul(&self.vectors)?.to_vec2());
        scores.context(ErrorKind::Internal, COMPARING)
    }

    /// Where the image of each text stands; a text comes with the place of its image in the pool.
    pub fn places(&self, texts: &[(&Vector, usize)]) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(texts.len());
        for block in texts.chunks(BLOCK) {
            let vectors: Vec<&Vector> = block.iter().map(|(vector, _)| *vector).collect();
            let scores = self.likeness(&vectors)?;
            let owns = block.iter().map(|(_, own)| *own);
            places.extend(
                owns.zip(&scores)
                    .map(|(own, scores)| self.place(own, scores)),
            );
        }
        Ok(places)
    }

    fn place(&self, own: usize, scores: &[f32]) -> Place {
        let score = scores.get(own).copied().unwrap_or(f32::NEG_INFINITY);
        let family = self.families.get(own).copied().flatten();
        let mut place = Place {
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
                place.rank += 1;
                let is_sibling = family.is_some() && self.families[at] == family;
                place.rank_outside += usize::from(!is_sibling);
            }
            if best.is_none_or(|(_, most)| other > most) {
                best = Some((at, other));
            }
        }
        if let Some((at, most)) = best {
            place.margin = score - most;
            place.first = (place.rank > 1).then_some(at);
        }
        place
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
    fn images_are_counted_that_are_more_like_the_text() {
        let images = [0.0, 10.0, 40.0, 90.0, 10.0].map(unit);
        let pool = Pool::new(&images, vec![None, Some(7), Some(7), None, None]).unwrap();
        let text = unit(0.0);
        let place = |own: usize| pool.places(&[(&text, own)]).unwrap()[0];
        assert_eq!((place(0).rank, place(0).first), (1, None));
        assert!((place(0).margin - (1.0 - unit(10.0)[0])).abs() < 1e-6);
        // Its equal is not better.
        assert_eq!((place(1).rank, place(1).first), (2, Some(0)));
        assert_eq!((place(4).rank, place(4).rank_outside), (2, 2));
        assert!(place(1).margin < 0.0);
        // One of the better ones is of its family.
        assert_eq!((place(2).rank, place(2).rank_outside), (4, 3));
        assert_eq!((place(3).rank, place(3).rank_outside), (5, 5));
    }

    #[test]
    fn many_texts_are_each_compared_with_all() {
        let images: Vec<Vector> = (0..90).map(|at| unit(at as f32)).collect();
        let pool = Pool::new(&images, vec![None; 90]).unwrap();
        let texts: Vec<Vector> = (0..700).map(|at| unit((at % 90) as f32)).collect();
        let texts: Vec<(&Vector, usize)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (text, at % 90))
            .collect();
        let places = pool.places(&texts).unwrap();
        assert_eq!(places.len(), 700);
        assert!(
            places
                .iter()
                .all(|place| place.rank == 1 && place.margin > 0.0)
        );
    }

    #[test]
    fn an_image_alone_is_first() {
        let pool = Pool::new(&[unit(3.0)], vec![None]).unwrap();
        let text = unit(80.0);
        let place = pool.places(&[(&text, 0)]).unwrap()[0];
        assert_eq!((place.rank, place.margin, place.first), (1, 0.0, None));
    }
}
