//! Assigns images to splits without leakage: equal images, equal names and recolors of one drawing
//! are in the same split.

use super::options::SplitShare;
use crate::icon::Drawing;
use crate::record::SourceType;
use crate::text::clean_text;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The properties by which images are related.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub image_sha256: Option<String>,
    pub name: String,
    pub drawing: Option<Drawing>,
    pub source_type: SourceType,
    pub part: Option<String>,
}

/// Assigns images to splits, one after another. An image joins the split of related ones, by name,
/// bytes or drawing. Otherwise it is drawn by the shares, for each source and part separately. The
/// result depends only on earlier images, so later images move none.
#[derive(Debug)]
pub(super) struct Splitter {
    shares: Vec<f64>,
    seed: u64,
    by_image: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    /// Drawings of each outline, by split.
    by_outline: HashMap<[u8; 32], Vec<Vec<Drawing>>>,
    /// Number of images in each split, for each source and part.
    assigned: HashMap<(SourceType, Option<String>), Vec<u64>>,
}

impl Splitter {
    pub fn new(shares: &[SplitShare], seed: u64) -> Self {
        let sum: f64 = shares.iter().map(|share| share.share).sum();
        Self {
            shares: shares.iter().map(|share| share.share / sum).collect(),
            seed,
            by_image: HashMap::new(),
            by_name: HashMap::new(),
            by_outline: HashMap::new(),
            assigned: HashMap::new(),
        }
    }

    /// Assigns the next image. `None` if it is related to images in different splits, such as by
    /// its name to one and by its drawing to another.
    pub fn assign(&mut self, member: Member) -> Option<usize> {
        let name = clean_text(&member.name).to_lowercase();
        let mut related = Vec::new();
        if let Some(hash) = &member.image_sha256 {
            related.extend(self.by_image.get(hash).copied());
        }
        related.extend(self.by_name.get(&name).copied());
        if let Some(drawing) = &member.drawing {
            let splits = self.by_outline.get(&drawing.outline).into_iter().flatten();
            let has_same = |others: &[Drawing]| others.iter().any(|other| other.is_same(drawing));
            let splits = splits.enumerate().filter(|(_, others)| has_same(others));
            related.extend(splits.map(|(split, _)| split));
        }
        related.sort_unstable();
        related.dedup();
        let assigned = self
            .assigned
            .entry((member.source_type, member.part))
            .or_insert_with(|| vec![0; self.shares.len()]);
        let split = match related[..] {
            [] => {
                // The name first, which an item has even while its image is missing.
                let image = member.image_sha256.as_deref().unwrap_or_default();
                let key = if name.is_empty() { image } else { &name };
                draw(&self.shares, assigned, uniform(self.seed, key))
            }
            [split] => split,
            _ => return None,
        };
        assigned[split] += 1;
        if let Some(hash) = member.image_sha256 {
            self.by_image.insert(hash, split);
        }
        if !name.is_empty() {
            self.by_name.insert(name, split);
        }
        if let Some(drawing) = member.drawing {
            let splits = || vec![Vec::new(); self.shares.len()];
            let splits = self
                .by_outline
                .entry(drawing.outline)
                .or_insert_with(splits);
            splits[split].push(drawing);
        }
        Some(split)
    }
}

/// Draws one of the splits that are below their share, weighted by how far they are below it.
/// `random` is in 0..1.
fn draw(shares: &[f64], assigned: &[u64], random: f64) -> usize {
    let total = (assigned.iter().sum::<u64>() + 1) as f64;
    let deficits = shares
        .iter()
        .zip(assigned)
        .map(|(share, assigned)| (share * total - *assigned as f64).max(0.0));
    let deficits: Vec<f64> = deficits.collect();
    let mut rest = random * deficits.iter().sum::<f64>();
    for (split, deficit) in deficits.iter().enumerate() {
        if rest < *deficit {
            return split;
        }
        rest -= deficit;
    }
    // Only reached by rounding errors.
    0
}

/// Returns a pseudorandom number in 0..1 that depends only on the seed and the key.
fn uniform(seed: u64, key: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(key.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let bits = u64::from_le_bytes(std::array::from_fn(|at| hash[at]));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icon::Edges;
    use proptest::prelude::*;

    fn shares() -> Vec<SplitShare> {
        let shares = [("train", 0.8), ("val", 0.1), ("test", 0.1)];
        shares
            .map(|(name, share)| SplitShare {
                name: name.to_owned(),
                share,
            })
            .into()
    }

    fn drawing(outline: u8) -> Drawing {
        Drawing {
            outline: [outline; 32],
            edges: Edges::new([100, -50, -50].into()),
            is_plate: false,
        }
    }

    fn member(name: u16, drawing_of: Option<u8>, image: u16) -> Member {
        Member {
            image_sha256: Some(format!("{image:04}")),
            name: format!("모자 {name}"),
            drawing: drawing_of.map(drawing),
            source_type: SourceType::Cash,
            part: Some("모자".to_owned()),
        }
    }

    fn assign(members: &[Member], seed: u64) -> Vec<Option<usize>> {
        let mut splitter = Splitter::new(&shares(), seed);
        let members = members.iter().cloned();
        members.map(|member| splitter.assign(member)).collect()
    }

    #[test]
    fn splits_are_filled_by_their_shares_in_each_part() {
        let members: Vec<Member> = (0..400)
            .map(|n| Member {
                part: Some(if n % 4 == 0 { "모자" } else { "망토" }.to_owned()),
                ..member(n, None, n)
            })
            .collect();
        let splits = assign(&members, 7);
        for (part, of_test) in [("모자", 10), ("망토", 30)] {
            let placed = members.iter().zip(&splits);
            let test = placed.filter(|(member, split)| {
                member.part.as_deref() == Some(part) && **split == Some(2)
            });
            assert!(test.count().abs_diff(of_test) <= 2, "{part}");
        }
        assert_ne!(splits, assign(&members, 8));
    }

    #[test]
    fn an_image_that_appears_later_moves_none() {
        let members: Vec<Member> = (0..200).map(|n| member(n, None, n)).collect();
        let mut missing = members.clone();
        for member in missing.iter_mut().step_by(4) {
            member.image_sha256 = None;
        }
        assert_eq!(assign(&missing, 1), assign(&members, 1));
    }

    #[test]
    fn an_image_related_to_two_splits_is_left_out() {
        let members: Vec<Member> = (0..40).map(|n| member(n, Some(n as u8), n)).collect();
        let splits = assign(&members, 1);
        let test = splits.iter().position(|split| *split == Some(2)).unwrap();
        let train = splits.iter().position(|split| *split == Some(0)).unwrap();
        let mut more = members.clone();
        more.push(member(test as u16, Some(train as u8), 99));
        assert_eq!(assign(&more, 1)[..40], splits);
        assert_eq!(assign(&more, 1)[40], None);
    }

    proptest! {
        #[test]
        fn related_images_share_a_split_and_later_images_move_none(
            members in prop::collection::vec(
                (0..40_u16, prop::option::of(0..30_u8), 0..60_u16), 1..120
            ),
            seed: u64,
        ) {
            let members: Vec<Member> = members
                .into_iter()
                .map(|(name, drawing, image)| member(name, drawing, image))
                .collect();
            let splits = assign(&members, seed);
            let kept = members.len() * 10 / 11;
            prop_assert_eq!(&assign(&members[..kept], seed)[..], &splits[..kept]);
            let placed: Vec<(&Member, usize)> = members
                .iter()
                .zip(&splits)
                .filter_map(|(member, split)| Some((member, (*split)?)))
                .collect();
            for (a, in_a) in &placed {
                for (b, in_b) in &placed {
                    let related = a.name == b.name
                        || a.image_sha256 == b.image_sha256
                        || (a.drawing.is_some() && a.drawing == b.drawing);
                    prop_assert!(!related || in_a == in_b);
                }
            }
        }
    }
}
