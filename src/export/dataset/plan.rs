//! The first pass of an export: selects the records and assigns each to a split.

use super::caption::captions;
use super::example::{DatasetProgress, ImageName};
use super::formats::format::Format;
use super::images::{Images, Unusable};
use super::options::DatasetOptions;
use super::split::{Member, Splitter};
use crate::error::{Context, ErrorKind, Result};
use crate::export::selection::ExportView;
use crate::icon::{self, Drawing};
use crate::record::filter::{Query, Sort, select};
use crate::record::{GroupId, ImageLocation, Vocabulary};
use crate::source::image_bytes;
use crate::store::Journal;
use crate::text::{hex, plural};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

/// How many left-out records are listed for each reason.
const MAX_LISTED: usize = 3;

/// Records that were left out of a dataset for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    why: Why,
    pub count: usize,
    /// Paths of the first ones.
    pub first: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Missing,
    Unreadable,
    Changed,
    NoCaption,
    SplitConflict,
    Damaged,
}

impl From<Unusable> for Why {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Missing => Self::Missing,
            Unusable::Unreadable => Self::Unreadable,
            Unusable::Changed => Self::Changed,
        }
    }
}

impl LeftOut {
    /// Whether the user has to fix something, rather than the options leave these records out.
    pub fn is_error(&self) -> bool {
        !matches!(self.why, Why::SplitConflict | Why::NoCaption)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let why = match self.why {
            Why::Missing => "the image is missing; --images DIR says where it is now",
            Why::Unreadable => "the image cannot be read",
            Why::Changed => "the image is not the one that was labeled",
            Why::NoCaption => "the record has none of the requested captions",
            Why::SplitConflict => "the name is in one split and the drawing in another",
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

/// The records of a dataset and their splits.
#[derive(Debug)]
pub(super) struct Plan {
    splits: Vec<String>,
    split_by_group: HashMap<GroupId, usize>,
    /// Number of records in each split of the options.
    pub counts: Vec<usize>,
    pub left_out: Vec<LeftOut>,
    /// Hash of the records and options. Exports with the same digest write the same files.
    pub digest: String,
}

impl Plan {
    pub fn make(
        view: &ExportView,
        options: &DatasetOptions,
        format: &dyn Format,
        vocabulary: &Vocabulary,
        images: &Images,
        progress: &mut dyn FnMut(DatasetProgress),
    ) -> Result<Self> {
        let filtered = filtered_groups(view.journal, options, vocabulary)?;
        let splits = match options.splits.len() {
            0 | 1 => None,
            _ => Some(assign_splits(view.journal, options)?),
        };
        let total = usize::try_from(view.journal.counts()?.records).unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(format!("{:?}", output_options(options)));
        let mut plan = Self {
            splits: options
                .splits
                .iter()
                .map(|share| share.name.clone())
                .collect(),
            split_by_group: HashMap::new(),
            counts: vec![0; options.splits.len()],
            left_out: Vec::new(),
            digest: String::new(),
        };
        let mut done = 0;
        view.each_record(|exported| {
            done += 1;
            progress(DatasetProgress {
                writes: false,
                done,
                total,
            });
            let group = exported.group;
            let path = exported.image_path.clone();
            if filtered
                .as_ref()
                .is_some_and(|filtered| !filtered.contains(&group))
            {
                return Ok(());
            }
            let Some(record) = exported.record()? else {
                plan.leave_out(Why::Damaged, path);
                return Ok(());
            };
            let found = images.find(view.journal, group, &record);
            let checked = found.and_then(|image| images.check(&image).map(|()| image));
            let image = match checked {
                Ok(image) => image,
                Err(unusable) => {
                    plan.leave_out(unusable.into(), path);
                    return Ok(());
                }
            };
            if captions(&record, &options.captions, vocabulary).is_empty() {
                plan.leave_out(Why::NoCaption, path);
                return Ok(());
            }
            let split = match &splits {
                None => Some(0),
                Some(splits) => splits.get(&group).copied().flatten(),
            };
            let Some(split) = split else {
                plan.leave_out(Why::SplitConflict, path);
                return Ok(());
            };
            format.check_image(
                options,
                &ImageName {
                    image_path: &record.image_path,
                    file: image.file.as_deref(),
                },
            )?;
            let record = serde_json::to_string(&record);
            digest.update(record.context(ErrorKind::Internal, "writing a record")?);
            digest.update([0, split as u8]);
            plan.split_by_group.insert(group, split);
            plan.counts[split] += 1;
            Ok(())
        })?;
        plan.digest = hex(&digest.finalize());
        Ok(plan)
    }

    pub fn total(&self) -> usize {
        self.split_by_group.len()
    }

    /// Returns the split of a group's record; `None` if it is not in the dataset.
    pub fn split_of(&self, group: GroupId) -> Option<&str> {
        let split = self.split_by_group.get(&group)?;
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
        if left.first.len() < MAX_LISTED {
            left.first.push(path);
        }
    }
}

/// Returns the options that affect the files, without paths and the filter.
fn output_options(options: &DatasetOptions) -> DatasetOptions {
    DatasetOptions {
        outdir: PathBuf::new(),
        to: PathBuf::new(),
        replace: false,
        images: None,
        filter: None,
        ..options.clone()
    }
}

/// Returns the groups whose committed text matches the filter; `None` without a filter.
fn filtered_groups(
    journal: &Journal,
    options: &DatasetOptions,
    vocabulary: &Vocabulary,
) -> Result<Option<HashSet<GroupId>>> {
    let Some(filter) = &options.filter else {
        return Ok(None);
    };
    let query = Query::parse_whole(filter, vocabulary, &journal.views()?)?;
    let summaries = journal.committed_summaries()?;
    let places = select(&summaries, &query, Sort::Source, None).into_iter();
    Ok(Some(
        places.map(|place| summaries[place as usize].id).collect(),
    ))
}

/// Assigns every group of the journal to a split, in the order of their ids. Uncommitted groups are
/// included, so that a later commit moves no record.
fn assign_splits(
    journal: &Journal,
    options: &DatasetOptions,
) -> Result<HashMap<GroupId, Option<usize>>> {
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
        splits.insert(id, splitter.assign(member));
    }
    Ok(splits)
}

/// Returns the drawing of an image; `None` also if it cannot be read.
fn drawing(file: &ImageLocation) -> Option<Drawing> {
    let bytes = image_bytes(file).ok()?;
    Drawing::of_any(&icon::decode(&bytes).ok()?)
}
