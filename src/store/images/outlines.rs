//! Drawings in memory, by outline: very many images may have one, and a new image is compared with
//! all of them.

use crate::error::Result;
use crate::icon::{Drawing, Edges};
use crate::record::GroupId;
use crate::store::tables::computed::drawn;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};

/// With more than so many bytes in memory no other outline is added.
const MOST_BYTES: usize = 64 << 20;
/// What an outline takes before anything has it.
const OUTLINE_BYTES: usize = 1 << 10;

/// The outlines that were met last, as the journal holds them.
#[derive(Debug, Default)]
pub struct Outlines {
    known: HashMap<[u8; 32], Outline>,
    bytes: usize,
}

/// The groups whose images have one outline, by family. Those of none are all alone.
#[derive(Debug, Default)]
pub struct Outline {
    families: BTreeMap<Option<GroupId>, Vec<Member>>,
}

#[derive(Debug)]
struct Member {
    group: GroupId,
    edges: Edges,
}

impl Outlines {
    /// The groups that have the outline of this drawing, without the one that comes to it now.
    pub fn others(
        &mut self,
        db: &Connection,
        drawing: &Drawing,
        coming: GroupId,
    ) -> Result<&mut Outline> {
        if !self.known.contains_key(&drawing.outline) {
            if self.bytes > MOST_BYTES {
                self.forget();
            }
            let mut outline = Outline::default();
            self.bytes += OUTLINE_BYTES;
            for (group, family, edges) in drawn(db, drawing.outline, coming)? {
                self.bytes += bytes(&edges);
                outline.add(group, family, edges);
            }
            self.known.insert(drawing.outline, outline);
        }
        self.bytes += bytes(&drawing.edges);
        Ok(self.known.entry(drawing.outline).or_default())
    }

    /// Whenever the journal may hold something else than what is known here.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn bytes(edges: &Edges) -> usize {
    size_of::<Member>() + edges.values().len()
}

impl Outline {
    /// Who shows a drawing with these edges: groups that are alone, and families.
    pub fn showing(&self, edges: &Edges) -> (Vec<GroupId>, Vec<GroupId>) {
        let (mut alone, mut families) = (Vec::new(), Vec::new());
        for (family, members) in &self.families {
            let mut same = members.iter().filter(|other| other.edges.are_same(edges));
            match family {
                // One of its members is enough.
                Some(family) => families.extend(same.next().map(|_| *family)),
                None => alone.extend(same.map(|other| other.group)),
            }
        }
        (alone, families)
    }

    pub fn add(&mut self, group: GroupId, family: Option<GroupId>, edges: Edges) {
        let members = self.families.entry(family).or_default();
        members.push(Member { group, edges });
    }

    /// Makes one family of them. Returns how many groups are in another one now.
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
