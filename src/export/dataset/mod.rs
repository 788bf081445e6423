//! Training sets: the committed records with their images, in the forms that training programs
//! read.
//!
//! An export has two passes. The first chooses the records whose picture is what was labeled, and
//! the split of each; the second writes them, shard by shard, each in one rename, so that a run
//! that was cut off goes on where it was.

mod caption;
mod card;
mod destination;
mod example;
mod formats;
mod pictures;
mod plan;
mod shards;
mod split;

pub use example::Step;
pub use plan::LeftOut;

use super::audited::Audited;
use super::truth::{Truth, View};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::LABELS;
use crate::record::{GroupId, Record, Vocabulary};
use crate::settings::DatasetOptions;
use crate::store::Journal;
use card::Statistics;
use destination::Destination;
use example::{Example, Split};
use formats::format::Format;
use formats::formats;
use pictures::Pictures;
use plan::Plan;

/// What an export came to.
#[derive(Debug, Default)]
pub struct Exported {
    /// The name of each split, and how many images it has.
    pub splits: Vec<(String, usize)>,
    /// Records that are not in the dataset, and why.
    pub left_out: Vec<LeftOut>,
    /// Shards that an earlier run had written.
    pub kept_shards: usize,
}

/// The names of the formats, and what each is for.
pub fn dataset_formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    formats()
        .into_iter()
        .map(|format| (format.name(), format.describe()))
}

/// Writes the dataset. `journal` is only read; its card says what an audit has found.
///
/// # Errors
/// Of kind `Usage` where the destination holds anything else than an earlier part of this very
/// export, and where there is nothing to export.
pub fn export_dataset(
    journal: &Journal,
    options: &DatasetOptions,
    vocabulary: &Vocabulary,
    audit: Option<&Audited>,
    progress: &mut dyn FnMut(Step),
) -> Result<Exported> {
    let format = format_of(&options.format)?;
    let pictures = Pictures::new(options);
    let truth = Truth::of(journal, &options.outdir.join(LABELS))?;
    let view = View {
        journal,
        truth: &truth,
    };
    let plan = Plan::make(&view, options, vocabulary, &pictures, progress)?;
    if plan.total() == 0 {
        let first = plan.left_out.first().map(ToString::to_string);
        let cause = format!(
            "there is nothing to export from {}",
            options.outdir.display()
        );
        return Err(
            Error::new(ErrorKind::Usage, cause).with_hint(first.unwrap_or_else(|| {
                "an export holds committed records; commit some, or give another --filter"
                    .to_owned()
            })),
        );
    }
    let names = options.splits.iter().map(|share| share.name.as_str());
    let mut splits: Vec<(&str, usize)> = names.zip(plan.counts.iter().copied()).collect();
    splits.retain(|(_, count)| *count > 0);
    let destination = Destination::at(&options.to);
    let splits: Vec<Split> = splits
        .into_iter()
        .map(|(name, count)| Split {
            name,
            count,
            options,
            pictures: &pictures,
            destination: &destination,
        })
        .collect();
    let files: Vec<String> = splits
        .iter()
        .flat_map(|split| format.files(split))
        .collect();
    let kept_shards = destination.begin(&plan.digest, &files, options.replace)?;
    let statistics = write(&view, &plan, &splits, format.as_ref(), vocabulary, progress)?;
    let retrieval = journal.retrieval()?;
    let card = card::card(
        options,
        format.as_ref(),
        &statistics,
        retrieval.as_ref(),
        &plan.left_out,
        audit,
    );
    destination.write("README.md", card.as_bytes())?;
    destination.complete(&plan.digest, &files)?;
    Ok(Exported {
        splits: splits
            .iter()
            .map(|split| (split.name.to_owned(), split.count))
            .collect(),
        left_out: plan.left_out,
        kept_shards,
    })
}

fn format_of(name: &str) -> Result<Box<dyn Format>> {
    let found = formats().into_iter().find(|format| format.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = dataset_formats().map(|(name, _)| name).collect();
        let cause = format!("there is no format {name:?}");
        Error::new(ErrorKind::Usage, cause).with_hint(format!("one of {}", names.join(", ")))
    })
}

fn write(
    view: &View,
    plan: &Plan,
    splits: &[Split],
    format: &dyn Format,
    vocabulary: &Vocabulary,
    progress: &mut dyn FnMut(Step),
) -> Result<Statistics> {
    let mut statistics = Statistics::new(splits);
    let mut writers = Vec::new();
    for split in splits {
        writers.push(format.begin(split)?);
    }
    let options = splits.first().map(|split| split.options);
    let captions = options.map_or(&[][..], |options| &options.captions);
    let mut done = 0;
    view.each_record(|exported| {
        let group = exported.group;
        let Some(name) = plan.split_of(group) else {
            return Ok(());
        };
        let at = splits.iter().position(|split| split.name == name);
        let (Some(at), Some(record)) = (at, exported.record()?) else {
            return Ok(());
        };
        let example = example(
            view.journal,
            group,
            record,
            captions,
            vocabulary,
            splits[at].pictures,
        )?;
        statistics.count(at, &example);
        writers[at].add(&example)?;
        done += 1;
        progress(Step {
            writes: true,
            done,
            total: plan.total(),
        });
        Ok(())
    })?;
    for writer in writers {
        writer.finish()?;
    }
    Ok(statistics)
}

fn example(
    journal: &Journal,
    group: GroupId,
    record: Record,
    captions: &[crate::settings::Caption],
    vocabulary: &Vocabulary,
    pictures: &Pictures,
) -> Result<Example> {
    let picture = pictures.find(journal, group, &record).map_err(|_| {
        Error::new(
            ErrorKind::Source,
            format!("{} changed while it was exported", record.image_path),
        )
        .with_hint("export again; what is written so far is kept")
    })?;
    Ok(Example {
        key: picture.sha256[..16].to_owned(),
        captions: caption::captions(&record, captions, vocabulary),
        extension: pictures.extension(&picture.bytes),
        file: picture.file,
        bytes: picture.bytes,
        record,
    })
}
