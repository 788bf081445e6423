//! Caches drawings by outline. A new image is compared with all images of its outline, which can be
//! very many.

use crate::error::Result;
use crate::icon::{Drawing, Edges};
use crate::record::GroupId;
use crate::store::tables::computed::drawings_with_outline;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The cache is cleared before it adds an outline beyond this size.
const MAX_BYTES: usize = 64 << 20;
/// Estimated size of an outline without members.
const OUTLINE_BYTES: usize = 1 << 10;

/// Cache of recently used outlines.
#[derive(Debug, Default)]
pub struct Outlines {
    known: HashMap<[u8; 32], Outline>,
    bytes: usize,
}

/// Groups whose images have the same outline, by family. `None` holds the groups without one.
#[derive(Debug, Default)]
pub struct Outline {
    families: BTreeMap<Option<GroupId>, Vec<OutlineMember>>,
}

#[derive(Debug)]
struct OutlineMember {
    group: GroupId,
    edges: Edges,
}

impl Outlines {
    /// Returns the groups with the outline of this drawing, without `added`, which the caller adds.
    pub fn others(
        &mut self,
        db: &Connection,
        drawing: &Drawing,
        added: GroupId,
    ) -> Result<&mut Outline> {
        if !self.known.contains_key(&drawing.outline) {
            if self.bytes > MAX_BYTES {
                self.forget();
            }
            let mut outline = Outline::default();
            self.bytes += OUTLINE_BYTES;
            for (group, family, edges) in drawings_with_outline(db, drawing.outline, added)? {
                self.bytes += bytes(&edges);
                outline.add(group, family, edges);
            }
            self.known.insert(drawing.outline, outline);
        }
        self.bytes += bytes(&drawing.edges);
        Ok(self.known.entry(drawing.outline).or_default())
    }

    /// Clears the cache. Called when it may differ from the journal.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn bytes(edges: &Edges) -> usize {
    size_of::<OutlineMember>() + edges.values().len()
}

impl Outline {
    /// Returns the groups without a family, and the families, whose drawings have these edges.
    pub fn matching(&self, edges: &Edges) -> (Vec<GroupId>, Vec<GroupId>) {
        let (mut alone, mut families) = (Vec::new(), Vec::new());
        for (family, members) in &self.families {
            let mut same = members.iter().filter(|other| other.edges.are_same(edges));
            match family {
                // One member is enough.
                Some(family) => families.extend(same.next().map(|_| *family)),
                None => alone.extend(same.map(|other| other.group)),
            }
        }
        (alone, families)
    }

    pub fn add(&mut self, group: GroupId, family: Option<GroupId>, edges: Edges) {
        let members = self.families.entry(family).or_default();
        members.push(OutlineMember { group, edges });
    }

    /// Merges groups and families into `family`. Returns how many groups changed their family.
    pub fn join(&mut self, alone: &[GroupId], families: &[GroupId], family: GroupId) -> usize {
        let mut joined = Vec::new();
        if !alone.is_empty() {
            let alone: HashSet<_> = alone.iter().collect();
            let single = self.families.entry(None).or_default();
            joined.extend(single.extract_if(.., |member| alone.contains(&member.group)));
        }
        for other in families.iter().filter(|other| **other != family) {
            joined.extend(self.families.remove(&Some(*other)).unwrap_or_default());
        }
        let count = joined.len();
        let members = self.families.entry(Some(family)).or_default();
        members.extend(joined);
        count
    }
}
