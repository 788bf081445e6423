//! Exports datasets: the committed records with their images, in formats that training programs
//! read.
//!
//! An export has two passes. The first selects the records whose images are unchanged since they
//! were labeled, and assigns them to splits. The second writes them in shards, each installed by
//! one rename, so that an interrupted export can be resumed.

mod caption;
mod card;
mod destination;
mod example;
mod formats;
mod images;
mod options;
mod pending;
mod plan;
mod shards;
mod split;

pub use example::DatasetProgress;
pub use options::{Caption, DatasetOptions, PathStyle, SplitShare};
pub use plan::LeftOut;

use super::audit_summary::AuditSummary;
use super::selection::{ExportSelection, ExportView};
use crate::error::{Error, ErrorKind, Result};
use crate::icon;
use crate::outdir::LABELS;
use crate::record::{GroupId, Record, Vocabulary};
use crate::store::Journal;
use card::{Card, Statistics};
use destination::{CARD, Destination, Part};
use example::{Example, Split};
use formats::format::Format;
use formats::formats;
use images::{Images, key};
use plan::Plan;

/// Result of an export.
#[derive(Debug, Default)]
pub struct Exported {
    /// Name and number of images of each split.
    pub splits: Vec<(String, usize)>,
    /// Records that are not in the dataset, by reason.
    pub left_out: Vec<LeftOut>,
    /// Number of shards that an earlier run had written.
    pub kept_shards: usize,
    /// The types of the images, if there are more than the format's readers expect.
    pub mixed_types: Vec<&'static str>,
}

/// Returns the names of the formats, with descriptions.
pub fn dataset_formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    formats()
        .into_iter()
        .map(|format| (format.name(), format.describe()))
}

/// Writes the dataset with its card, which includes `audit`.
///
/// # Errors Of kind `Usage` if the destination has other content than an interrupted run of this
/// export, or if there is nothing to export.
pub fn export_dataset(
    journal: &Journal,
    options: &DatasetOptions,
    vocabulary: &Vocabulary,
    audit: Option<&AuditSummary>,
    progress: &mut dyn FnMut(DatasetProgress),
) -> Result<Exported> {
    let format = format_of(&options.format)?;
    let images = Images::new(options);
    let selection = ExportSelection::of(journal, &options.outdir.join(LABELS))?;
    let view = ExportView {
        journal,
        selection: &selection,
    };
    let plan = Plan::make(
        &view,
        options,
        format.as_ref(),
        vocabulary,
        &images,
        progress,
    )?;
    if plan.total() == 0 {
        let first = plan.left_out.first().map(ToString::to_string);
        let cause = format!(
            "there is nothing to export from {}",
            options.outdir.display()
        );
        return Err(
            Error::new(ErrorKind::Usage, cause).with_hint(first.unwrap_or_else(|| {
                "only committed records are exported; commit some, or give another --filter"
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
            images: &images,
            destination: &destination,
        })
        .collect();
    let parts: Vec<Part> = splits
        .iter()
        .flat_map(|split| format.parts(split))
        .collect();
    let begun = destination.begin(&plan.digest, &parts, options.replace)?;
    let statistics = write(&view, &plan, &splits, format.as_ref(), vocabulary, progress)
        .inspect_err(|_| destination.abandon(&parts))?;
    let retrieval = journal.retrieval()?;
    let card = Card {
        options,
        format: format.as_ref(),
        statistics: &statistics,
        retrieval: retrieval.as_ref(),
        left_out: &plan.left_out,
        audit,
    };
    destination.write(CARD, card.render().as_bytes())?;
    destination.complete(&plan.digest, &parts)?;
    Ok(Exported {
        splits: splits
            .iter()
            .map(|split| (split.name.to_owned(), split.count))
            .collect(),
        mixed_types: card.mixed_types(),
        left_out: plan.left_out,
        kept_shards: begun.kept,
    })
}

fn format_of(name: &str) -> Result<Box<dyn Format>> {
    let found = formats().into_iter().find(|format| format.name() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = dataset_formats().map(|(name, _)| name).collect();
        let cause = format!("unknown format {name:?}");
        Error::new(ErrorKind::Usage, cause).with_hint(format!("give one of {}", names.join(", ")))
    })
}

fn write(
    view: &ExportView,
    plan: &Plan,
    splits: &[Split],
    format: &dyn Format,
    vocabulary: &Vocabulary,
    progress: &mut dyn FnMut(DatasetProgress),
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
            splits[at].images,
        )?;
        statistics.count(at, &example);
        writers[at].add(&example)?;
        done += 1;
        progress(DatasetProgress {
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
    mut record: Record,
    captions: &[Caption],
    vocabulary: &Vocabulary,
    images: &Images,
) -> Result<Example> {
    let image = images.find(journal, group, &record).map_err(|_| {
        Error::new(
            ErrorKind::Source,
            format!("{} changed during the export", record.image_path),
        )
        .with_hint("export again; shards that are complete are kept")
    })?;
    let bytes = images.written(&record.image_path, image.bytes)?;
    if images.are_changed() {
        record.image_sha256 = Some(icon::sha256(&bytes));
    }
    Ok(Example {
        key: key(&image.sha256),
        captions: caption::captions(&record, captions, vocabulary),
        extension: icon::extension(&bytes).unwrap_or("bin"),
        file: image.file,
        bytes,
        record,
    })
}
