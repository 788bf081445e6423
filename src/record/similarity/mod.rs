//! Which records that a person has committed are about icons like another one: of the same kind of
//! item, nearest in colors and drawing. Plain numbers; no model is asked.

use super::fixes::kind_of;
use super::{ColorHistogram, GroupId, Labels, Neighbor, Vocabulary};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many kinds of edges, from flat to strong, a drawing is counted by.
const EDGES: usize = 8;
/// What a difference counts for beside one of colors.
const EDGE_WEIGHT: f32 = 0.5;
/// The same for each doubling of size.
const SIZE_WEIGHT: f32 = 0.2;
/// What all differences of two icons of one family count for: their drawing is the same.
const FAMILY_WEIGHT: f32 = 0.1;

/// What icons are compared by.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// The type that the item's part or name says.
    kind: String,
    /// The share of the pixels that each color word is nearest to.
    colors: Vec<f32>,
    /// How many pixels are opaque.
    size: f32,
    /// The shares of the opaque pixels by how much the color changes there; `None` where the icon
    /// is a plate without a drawing.
    edges: Option<[f32; EDGES]>,
    family: Option<GroupId>,
}

impl Appearance {
    /// `None` for an item whose kind nobody knows, and for an icon without an opaque pixel: nothing
    /// is like it. `edges` are those of a [`crate::icon::Drawing`].
    pub fn of(
        item: (&str, Option<&str>),
        colors: &ColorHistogram,
        edges: Option<&[i8]>,
        family: Option<GroupId>,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let (name, part) = item;
        let kind = kind_of(part, name, vocabulary)?;
        (colors.opaque > 0).then(|| Self {
            kind: kind.word.word.clone(),
            colors: colors.by_word(vocabulary),
            size: colors.opaque as f32,
            edges: edges.filter(|edges| !edges.is_empty()).map(by_strength),
            family,
        })
    }

    /// 0 for the same; `None` for another kind of item.
    fn distance(&self, other: &Self) -> Option<f32> {
        if self.kind != other.kind {
            return None;
        }
        let size = (self.size / other.size).log2().abs();
        let edges = match (&self.edges, &other.edges) {
            (Some(own), Some(others)) => difference(own, others),
            (None, None) => 0.0,
            _ => 1.0,
        };
        let all =
            difference(&self.colors, &other.colors) + EDGE_WEIGHT * edges + SIZE_WEIGHT * size;
        let is_relative = self.family.is_some() && self.family == other.family;
        Some(if is_relative {
            FAMILY_WEIGHT * all
        } else {
            all
        })
    }
}

/// The shares of pixels by how much the color changes there, from flat to the strongest edge.
fn by_strength(edges: &[i8]) -> [f32; EDGES] {
    let mut shares = [0.0; EDGES];
    for edge in edges {
        let from_flat = (i16::from(*edge) - i16::from(i8::MIN)) as usize;
        shares[from_flat * EDGES / 256] += 1.0 / edges.len() as f32;
    }
    shares
}

/// How much of one distribution lies elsewhere in the other, 0-1.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / 2.0
}

/// A record that a person has committed, with what its icon looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedRecord {
    pub group: GroupId,
    /// Its number among the records of the journal.
    pub record: i64,
    pub image_path: String,
    pub item_name: String,
    pub labels: Labels,
    pub appearance: Appearance,
}

impl From<&ApprovedRecord> for Neighbor {
    fn from(approved: &ApprovedRecord) -> Self {
        Self {
            group: approved.group,
            image_path: approved.image_path.clone(),
            item_name: approved.item_name.clone(),
            label: approved.labels.label_ko().to_owned(),
        }
    }
}

/// The records that a person has committed, as they are at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApprovedRecords(BTreeMap<GroupId, Arc<ApprovedRecord>>);

impl ApprovedRecords {
    /// Takes in how these groups stand now: with such a record, or without one.
    pub fn update(&mut self, groups: &[GroupId], now: Vec<ApprovedRecord>) {
        for group in groups {
            self.0.remove(group);
        }
        for approved in now {
            self.0.insert(approved.group, Arc::new(approved));
        }
    }

    /// The nearest of those about the same kind of item, nearest first, without the group's own.
    pub fn nearest(
        &self,
        to: &Appearance,
        group: GroupId,
        most: usize,
    ) -> Vec<Arc<ApprovedRecord>> {
        let others = self.0.values().filter(|approved| approved.group != group);
        let mut found: Vec<(f32, &Arc<ApprovedRecord>)> = others
            .filter_map(|approved| Some((to.distance(&approved.appearance)?, approved)))
            .collect();
        // Equal ones in the order of the journal.
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(most);
        found
            .into_iter()
            .map(|(_, near)| Arc::clone(near))
            .collect()
    }
}

#[cfg(test)]
mod tests;
