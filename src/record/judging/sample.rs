//! Stratified random sampling of committed records for audits.

use crate::record::{GroupId, SourceType};
use serde::Serialize;
use std::collections::BTreeMap;

/// A stratum of the sample. An audit draws from each in proportion to its size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Stratum {
    pub source_type: SourceType,
    /// The committed item type.
    pub item_type: Option<String>,
}

/// A committed record without a reason, which an audit may draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub group: GroupId,
    /// The committed version.
    pub version: i64,
    pub stratum: Stratum,
    pub uncertainty: f32,
}

/// The order in which an audit draws the candidates, as indexes into the list.
///
/// The order within each stratum is random, and the strata are interleaved evenly: a stratum with
/// a tenth of all records has a tenth of the first two hundred and of the first fifty. Every
/// prefix of the order is therefore a stratified sample that contains each record with the same
/// probability. The order depends only on the seed and the records, and a new record changes it
/// little.
pub fn draw_order(population: &[Candidate], seed: u64) -> Vec<usize> {
    let mut strata: BTreeMap<&Stratum, Vec<(u64, usize)>> = BTreeMap::new();
    for (place, candidate) in population.iter().enumerate() {
        let chance = chance(seed, candidate.group);
        let members = strata.entry(&candidate.stratum).or_default();
        members.push((chance, place));
    }
    let mut order: Vec<(f64, u64, usize)> = Vec::with_capacity(population.len());
    for mut members in strata.into_values() {
        members.sort_unstable();
        let size = members.len() as f64;
        // The offset of each stratum is random too.
        let first = population[members[0].1].group;
        let begin = unit(chance(!seed, first));
        let members = members.into_iter().enumerate();
        order.extend(members.map(|(rank, (chance, place))| {
            let at = (rank as f64 + begin) / size;
            (at, chance, place)
        }));
    }
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(.., place)| place).collect()
}

/// A reproducible pseudo-random number.
pub(super) fn chance(seed: u64, group: GroupId) -> u64 {
    mixed(mixed(seed) ^ group.0.cast_unsigned())
}

/// The mixing step of the generator SplitMix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Maps a number to the range from 0 (inclusive) to 1 (exclusive).
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(sizes: &[(&str, usize)]) -> Vec<Candidate> {
        let mut all = Vec::new();
        for (item_type, size) in sizes {
            for _ in 0..*size {
                all.push(Candidate {
                    group: GroupId(all.len() as i64 + 1),
                    version: 1,
                    stratum: Stratum {
                        source_type: SourceType::Cash,
                        item_type: Some((*item_type).to_owned()),
                    },
                    uncertainty: 0.0,
                });
            }
        }
        all
    }

    #[test]
    fn every_prefix_of_the_order_has_its_share_of_each_stratum() {
        let all = candidates(&[("hat", 600), ("ring", 300), ("sword", 100)]);
        let order = draw_order(&all, 7);
        for size in [10, 50, 200, 1000] {
            let of = |name: &str| {
                let types = order[..size].iter().map(|at| &all[*at].stratum.item_type);
                types.filter(|of| of.as_deref() == Some(name)).count() as f64
            };
            for (name, share) in [("hat", 0.6), ("ring", 0.3), ("sword", 0.1)] {
                let expected = share * size as f64;
                assert!((of(name) - expected).abs() <= 2.0, "{name} of {size}");
            }
        }
    }

    #[test]
    fn the_order_depends_on_the_seed_and_new_records_change_it_little() {
        let all = candidates(&[("hat", 500), ("ring", 500)]);
        assert_eq!(draw_order(&all, 1), draw_order(&all, 1));
        assert_ne!(draw_order(&all, 1), draw_order(&all, 2));
        let first = |all: &[Candidate]| -> Vec<GroupId> {
            let order = draw_order(all, 1);
            order[..200].iter().map(|at| all[*at].group).collect()
        };
        let (before, after) = (first(&all[..950]), first(&all));
        let kept = before.iter().filter(|group| after.contains(group)).count();
        assert!(kept >= 170, "{kept}");
    }

    #[test]
    fn each_record_is_drawn_equally_often() {
        let all = candidates(&[("hat", 40), ("ring", 7), ("sword", 1), ("bow", 2)]);
        let mut times = vec![0_u32; all.len()];
        for seed in 0..2000 {
            for at in &draw_order(&all, seed)[..10] {
                times[*at] += 1;
            }
        }
        // A fifth of 2000, give or take five standard errors.
        for (times, candidate) in times.iter().zip(&all) {
            assert!((310..=490).contains(times), "{times} {candidate:?}");
        }
    }
}
