//! The first pass: which records are exported, and in which split each is.

use super::caption::captions;
use super::example::Step;
use super::pictures::{Pictures, Unusable};
use super::split::{Member, Splitter};
use crate::error::{Context, ErrorKind, Result};
use crate::export::truth::View;
use crate::icon::{self, Drawing};
use crate::record::filter::{Query, Sort, select};
use crate::record::{GroupId, ImageLocation, Vocabulary};
use crate::settings::DatasetOptions;
use crate::source::image_bytes;
use crate::store::Journal;
use crate::text::{hex, plural};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

/// Records named for each reason why they are left out.
const NAMED: usize = 3;

/// Records that are not in a dataset for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    why: Why,
    pub count: usize,
    /// The paths of the first.
    pub first: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Missing,
    Unreadable,
    Changed,
    NoCaption,
    Ties,
    Damaged,
}

impl LeftOut {
    /// Whether it is a fault that somebody has to fix, and not how the dataset is to be.
    pub fn is_fault(&self) -> bool {
        !matches!(self.why, Why::Ties | Why::NoCaption)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let why = match self.why {
            Why::Missing => "the image is not there; --images DIR says where it is now",
            Why::Unreadable => "the image cannot be read",
            Why::Changed => "the image is another one than the one that was labeled",
            Why::NoCaption => "the record has none of the captions that are asked for",
            Why::Ties => "the name is in one split and the drawing in another",
            Why::Damaged => "the record cannot be read",
        };
        write!(f, "{} left out, {why}: ", plural(self.count, "record"))?;
        f.write_str(&self.first.join(", "))?;
        match self.count > self.first.len() {
            true => f.write_str(", ..."),
            false => Ok(()),
        }
    }
}

/// The records of a dataset.
#[derive(Debug)]
pub(super) struct Plan {
    splits: Vec<String>,
    placed: HashMap<GroupId, usize>,
    /// Of each split of the options.
    pub counts: Vec<usize>,
    pub left_out: Vec<LeftOut>,
    /// Two exports with the same one write the same files.
    pub digest: String,
}

impl Plan {
    pub fn make(
        view: &View,
        options: &DatasetOptions,
        vocabulary: &Vocabulary,
        pictures: &Pictures,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        let chosen = chosen(view.journal, options, vocabulary)?;
        let splits = match options.splits.len() {
            0 | 1 => None,
            _ => Some(split(view.journal, options)?),
        };
        let total = usize::try_from(view.journal.counts()?.records).unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(format!("{:?}", form_of(options)));
        let mut plan = Self {
            splits: options
                .splits
                .iter()
                .map(|share| share.name.clone())
                .collect(),
            placed: HashMap::new(),
            counts: vec![0; options.splits.len()],
            left_out: Vec::new(),
            digest: String::new(),
        };
        let mut done = 0;
        view.each_record(|exported| {
            done += 1;
            progress(Step {
                writes: false,
                done,
                total,
            });
            let group = exported.group;
            let path = exported.image_path.clone();
            if chosen
                .as_ref()
                .is_some_and(|chosen| !chosen.contains(&group))
            {
                return Ok(());
            }
            let Some(record) = exported.record()? else {
                plan.leave_out(Why::Damaged, path);
                return Ok(());
            };
            if let Err(unusable) = pictures.find(view.journal, group, &record) {
                let why = match unusable {
                    Unusable::Missing => Why::Missing,
                    Unusable::Unreadable => Why::Unreadable,
                    Unusable::Changed => Why::Changed,
                };
                plan.leave_out(why, path);
                return Ok(());
            }
            if captions(&record, &options.captions, vocabulary).is_empty() {
                plan.leave_out(Why::NoCaption, path);
                return Ok(());
            }
            let split = match &splits {
                None => Some(0),
                Some(splits) => splits.get(&group).copied().flatten(),
            };
            let Some(split) = split else {
                plan.leave_out(Why::Ties, path);
                return Ok(());
            };
            let record = serde_json::to_string(&record);
            digest.update(record.context(ErrorKind::Internal, "writing a record")?);
            digest.update([0, split as u8]);
            plan.placed.insert(group, split);
            plan.counts[split] += 1;
            Ok(())
        })?;
        plan.digest = hex(&digest.finalize());
        Ok(plan)
    }

    pub fn total(&self) -> usize {
        self.placed.len()
    }

    /// The split of a group's record; `None` where it is not in the dataset.
    pub fn split_of(&self, group: GroupId) -> Option<&str> {
        let split = self.placed.get(&group)?;
        Some(&self.splits[*split])
    }

    fn leave_out(&mut self, why: Why, path: String) {
        let known = self.left_out.iter().position(|left| left.why == why);
        let at = known.unwrap_or_else(|| {
            self.left_out.push(LeftOut {
                why,
                count: 0,
                first: Vec::new(),
            });
            self.left_out.len() - 1
        });
        let left = &mut self.left_out[at];
        left.count += 1;
        if left.first.len() < NAMED {
            left.first.push(path);
        }
    }
}

/// What the files depend on besides the records: the options less where the dataset is made of.
fn form_of(options: &DatasetOptions) -> DatasetOptions {
    DatasetOptions {
        outdir: PathBuf::new(),
        to: PathBuf::new(),
        replace: false,
        images: None,
        filter: None,
        ..options.clone()
    }
}

/// The groups that the filter shows; `None` where there is no filter.
fn chosen(
    journal: &Journal,
    options: &DatasetOptions,
    vocabulary: &Vocabulary,
) -> Result<Option<HashSet<GroupId>>> {
    let Some(filter) = &options.filter else {
        return Ok(None);
    };
    let query = Query::parse_whole(filter, vocabulary, &journal.views()?)?;
    let mut chosen = HashSet::new();
    journal.each_summary(1024, |summaries| {
        let places = select(&summaries, &query, Sort::Source, None);
        chosen.extend(places.into_iter().map(|place| summaries[place as usize].id));
        Ok(())
    })?;
    Ok(Some(chosen))
}

/// The split of every group of the journal, in the order in which they were first met, committed
/// or not: so that a later commit moves none.
fn split(journal: &Journal, options: &DatasetOptions) -> Result<HashMap<GroupId, Option<usize>>> {
    let mut ids = Vec::new();
    journal.each_summary(1024, |summaries| {
        ids.extend(summaries.iter().map(|summary| summary.id));
        Ok(())
    })?;
    ids.sort_unstable();
    let mut splitter = Splitter::new(&options.splits, options.seed);
    let mut splits = HashMap::new();
    for id in ids {
        let (item, image_sha256) = journal.item(id)?;
        let file = match &options.images {
            Some(base) => Some(base.join(&item.image_path).into()),
            None => item.file,
        };
        let member = Member {
            drawing: file.and_then(|file| drawing(&file)),
            image_sha256,
            name: item.item_name,
            source_type: item.source_type,
            part: item.item_part,
        };
        splits.insert(id, splitter.place(member));
    }
    Ok(splits)
}

/// `None` also where there is no picture: it cannot be in the dataset.
fn drawing(file: &ImageLocation) -> Option<Drawing> {
    let bytes = image_bytes(file).ok()?;
    Drawing::of(&icon::decode(&bytes).ok()?)
}
