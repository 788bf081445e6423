//! Finds records that an operator committed for icons similar to another one: same kind of item,
//! closest in colors and drawing. Uses no model.

use super::fixes::kind_of;
use super::{ColorHistogram, GroupId, Labels, Neighbor, Vocabulary};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of histogram bins for edge strength.
const EDGES: usize = 8;
/// Weight of the edge difference relative to the color difference.
const EDGE_WEIGHT: f32 = 0.5;
/// Weight of each doubling of size.
const SIZE_WEIGHT: f32 = 0.2;
/// Factor on the distance between icons of one recolor family, which share their drawing.
const FAMILY_WEIGHT: f32 = 0.1;

/// The features by which icons are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// The item type, from the item's part or name.
    kind: String,
    /// Share of the pixels closest to each color word.
    colors: Vec<f32>,
    /// Number of opaque pixels.
    size: f32,
    /// Histogram of edge strength over the opaque pixels; `None` if the icon has no drawing.
    edges: Option<[f32; EDGES]>,
    family: Option<GroupId>,
}

impl Appearance {
    /// Computes the features. `None` if the kind of item is unknown or the icon has no opaque
    /// pixel. `edges` come from a [`crate::icon::Drawing`].
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

    /// The distance, 0 for identical features; `None` between different kinds of items.
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

/// Histogram of edge strength, from flat to the strongest edge.
fn by_strength(edges: &[i8]) -> [f32; EDGES] {
    let mut shares = [0.0; EDGES];
    for edge in edges {
        let from_flat = (i16::from(*edge) - i16::from(i8::MIN)) as usize;
        shares[from_flat * EDGES / 256] += 1.0 / edges.len() as f32;
    }
    shares
}

/// Total variation distance of two distributions, 0-1.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / 2.0
}

/// A record that an operator committed, with the features of its icon.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedRecord {
    pub group: GroupId,
    /// Journal id of the record.
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

/// A snapshot of the records that the operator has committed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApprovedRecords(BTreeMap<GroupId, Arc<ApprovedRecord>>);

impl ApprovedRecords {
    /// Replaces the entries of these groups with the current records, which some may lack.
    pub fn update(&mut self, groups: &[GroupId], current: Vec<ApprovedRecord>) {
        for group in groups {
            self.0.remove(group);
        }
        for approved in current {
            self.0.insert(approved.group, Arc::new(approved));
        }
    }

    /// Up to `most` records for the same kind of item, most similar first, excluding the group's
    /// own.
    pub fn nearest(&self, to: &Appearance, group: GroupId, max: usize) -> Vec<Arc<ApprovedRecord>> {
        let others = self.0.values().filter(|approved| approved.group != group);
        let mut found: Vec<(f32, &Arc<ApprovedRecord>)> = others
            .filter_map(|approved| Some((to.distance(&approved.appearance)?, approved)))
            .collect();
        // A stable sort keeps ties in journal order.
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(max);
        found
            .into_iter()
            .map(|(_, near)| Arc::clone(near))
            .collect()
    }
}

#[cfg(test)]
mod tests;
