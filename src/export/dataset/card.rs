//! The dataset card, `README.md`: contents, origin and statistics.

use super::example::{Example, Split};
use super::formats::format::Format;
use super::options::{DatasetOptions, PathStyle};
use super::plan::LeftOut;
use crate::export::audit_summary::AuditSummary;
use crate::record::{Field, Reason, RetrievalSummary};
use crate::text::{count, percent, plural, utc};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How many values of a field are listed.
const MAX_LISTED: usize = 12;

/// Counts over the examples of a dataset.
#[derive(Debug)]
pub(super) struct Statistics {
    splits: Vec<SplitCounts>,
    image_extensions: BTreeSet<&'static str>,
    by_model: BTreeMap<(String, String), usize>,
    by_reason: BTreeMap<Reason, usize>,
    by_type: BTreeMap<String, usize>,
    by_color: BTreeMap<String, usize>,
    /// Times at which the first and the last record were generated.
    generated_between: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug)]
struct SplitCounts {
    name: String,
    images: usize,
    captions: usize,
    uncertain: usize,
}

impl Statistics {
    pub fn new(splits: &[Split]) -> Self {
        let splits = splits.iter().map(|split| SplitCounts {
            name: split.name.to_owned(),
            images: 0,
            captions: 0,
            uncertain: 0,
        });
        Self {
            splits: splits.collect(),
            image_extensions: BTreeSet::new(),
            by_model: BTreeMap::new(),
            by_reason: BTreeMap::new(),
            by_type: BTreeMap::new(),
            by_color: BTreeMap::new(),
            generated_between: None,
        }
    }

    pub fn count(&mut self, split: usize, example: &Example) {
        let record = &example.record;
        let of_split = &mut self.splits[split];
        of_split.images += 1;
        of_split.captions += example.captions.len();
        of_split.uncertain += usize::from(record.quality_flags.is_uncertain);
        self.image_extensions.insert(example.extension);
        let made_by = (record.model.clone(), record.prompt_version.clone());
        *self.by_model.entry(made_by).or_default() += 1;
        for reason in &record.quality_flags.reasons {
            *self.by_reason.entry(*reason).or_default() += 1;
        }
        for word in record.labels.values(Field::ItemTypeGuess) {
            *self.by_type.entry(word.clone()).or_default() += 1;
        }
        for word in record.labels.values(Field::Colors) {
            *self.by_color.entry(word.clone()).or_default() += 1;
        }
        // Imported records may lack the time.
        if let Ok(at) = record.generated_at.parse::<Timestamp>() {
            self.generated_between = Some(match self.generated_between {
                None => (at, at),
                Some((first, last)) => (first.min(at), last.max(at)),
            });
        }
    }

    fn images(&self) -> usize {
        self.splits.iter().map(|split| split.images).sum()
    }
}

/// What the card is written from.
pub(super) struct Card<'a> {
    pub options: &'a DatasetOptions,
    pub format: &'a dyn Format,
    pub statistics: &'a Statistics,
    pub retrieval: Option<&'a RetrievalSummary>,
    pub left_out: &'a [LeftOut],
    pub audit: Option<&'a AuditSummary>,
}

impl Card<'_> {
    /// Renders `README.md`, with front matter for the Hugging Face hub.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        self.write_front_matter(text)?;
        self.write_introduction(text)?;
        self.write_contents(text)?;
        self.write_origin(text)?;
        self.write_audit(text)?;
        if let Some(retrieval) = self.retrieval {
            write_retrieval(text, retrieval)?;
        }
        self.write_statistics(text)?;
        self.write_left_out(text)
    }

    fn write_front_matter(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "---\nlanguage:\n- ko\ntask_categories:\n- image-to-text\n- text-to-image"
        )?;
        let size = size_category(self.statistics.images());
        writeln!(text, "size_categories:\n- {size}")?;
        let files = self.statistics.splits.iter().filter_map(|split| {
            let files = self.format.data_files(&split.name)?;
            Some((split.name.as_str(), files))
        });
        let files: Vec<_> = files.collect();
        if !files.is_empty() {
            writeln!(text, "configs:\n- config_name: default\n  data_files:")?;
            for (split, files) in files {
                writeln!(text, "  - split: {split}\n    path: \"{files}\"")?;
            }
        }
        if let [extension] = self.extensions()[..]
            && let Some(features) = self.format.features(extension)
        {
            writeln!(text, "dataset_info: {}", json!({ "features": features }))?;
        }
        writeln!(text, "---\n")
    }

    fn extensions(&self) -> Vec<&'static str> {
        self.statistics.image_extensions.iter().copied().collect()
    }

    /// The types of the images, if the format names its columns by them and there are several.
    pub fn mixed_types(&self) -> Vec<&'static str> {
        let mut types = self.extensions();
        types.retain(|extension| self.format.features(extension).is_some());
        match types.len() {
            1 => Vec::new(),
            _ => types,
        }
    }

    fn write_introduction(&self, text: &mut String) -> std::fmt::Result {
        let options = self.options;
        writeln!(text, "# Game item icons with Korean labels\n")?;
        writeln!(
            text,
            "{} exported by labeler-tui {} as `{}`. {} {}\n",
            plural(self.statistics.images(), "image"),
            env!("CARGO_PKG_VERSION"),
            self.format.name(),
            match options.upscale {
                1 if options.flatten.is_none() => "Images are the original files.".to_owned(),
                1 => "Images are as the model saw them.".to_owned(),
                n => format!("Images are enlarged {n} times, as the model saw them."),
            },
            match (self.format.names_paths(), options.paths) {
                (true, PathStyle::Absolute) => "Paths are absolute.",
                (true, PathStyle::Relative) => "Paths are relative to this folder.",
                (false, _) => "An `image_path` is relative to the source that was labeled.",
            }
        )?;
        match &self.mixed_types()[..] {
            [] => Ok(()),
            types => writeln!(
                text,
                "The images are of several types ({}), of which `datasets` reads only one.\n",
                types.join(", ")
            ),
        }
    }

    /// Writes the splits, and which records and captions are in them.
    fn write_contents(&self, text: &mut String) -> std::fmt::Result {
        let options = self.options;
        writeln!(
            text,
            "| split | images | captions | uncertain |\n|---|---|---|---|"
        )?;
        for split in &self.statistics.splits {
            writeln!(
                text,
                "| {} | {} | {} | {} |",
                split.name,
                count(split.images as u64),
                count(split.captions as u64),
                count(split.uncertain as u64)
            )?;
        }
        let captions: Vec<&str> = options.captions.iter().map(|kind| kind.name()).collect();
        writeln!(text, "\nCaptions, in this order: {}.", captions.join(", "))?;
        if self.statistics.splits.len() > 1 {
            writeln!(
                text,
                "Equal images, equal names and recolors of one drawing are in one split; each \
                 source and item part is spread over the splits (seed {}).",
                options.seed
            )?;
        }
        if let Some(filter) = &options.filter {
            writeln!(text, "Only records that match `{filter}`.")?;
        }
        Ok(())
    }

    fn write_origin(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n## Where the labels come from\n\n| model | prompt | images |\n|---|---|---|"
        )?;
        for ((model, prompt), images) in &self.statistics.by_model {
            writeln!(text, "| {} | {} | {images} |", cell(model), cell(prompt))?;
        }
        if let Some((first, last)) = &self.statistics.generated_between {
            let (first, last) = (utc(*first), utc(*last));
            writeln!(text, "\nGenerated between {first} and {last}.")?;
        }
        Ok(())
    }

    fn write_audit(&self, text: &mut String) -> std::fmt::Result {
        let Some(audit) = self.audit else {
            return writeln!(
                text,
                "\nNot audited: nobody has judged a random sample of these labels."
            );
        };
        writeln!(
            text,
            "\n## Audit\n\nA person judged a blind random sample of the committed records without a \
             reason for uncertainty, stratified by source and type.\n"
        )?;
        for line in &audit.lines {
            writeln!(text, "- {line}")?;
        }
        Ok(())
    }

    fn write_statistics(&self, text: &mut String) -> std::fmt::Result {
        let statistics = self.statistics;
        let reasons = statistics.by_reason.iter();
        let reasons = reasons.map(|(reason, images)| (reason.code(), *images));
        write_table(text, "Reasons for uncertainty", "reason", reasons)?;
        let tables = [
            ("Types", "type", &statistics.by_type),
            ("Colors", "color", &statistics.by_color),
        ];
        for (title, column, words) in tables {
            let words = words.iter().map(|(word, images)| (word, *images));
            write_table(text, title, column, words)?;
        }
        Ok(())
    }

    fn write_left_out(&self, text: &mut String) -> std::fmt::Result {
        if !self.left_out.is_empty() {
            writeln!(text, "\n## Left out\n")?;
            for left in self.left_out {
                writeln!(text, "- {left}")?;
            }
        }
        Ok(())
    }
}

/// Writes the retrieval results of all committed records of the outdir.
fn write_retrieval(text: &mut String, retrieval: &RetrievalSummary) -> std::fmt::Result {
    let (retriever, adapter) = retrieval.by.public();
    let adapter = adapter.map_or_else(String::new, |adapter| {
        format!(" with the adapter `{}`", cell(adapter))
    });
    writeln!(
        text,
        "\n## Retrieval\n\nThe texts were searched for among {} by `{}`{adapter}, {}.\n",
        plural(retrieval.images as usize, "image"),
        cell(retriever),
        retrieval.at
    )?;
    writeln!(
        text,
        "| texts | number | recall@1 | recall@5 | recall@10 | MRR |\n|---|---|---|---|---|---|"
    )?;
    let rows = [
        ("labels", retrieval.labels.after),
        ("labels as first written", retrieval.labels.before),
        ("queries", retrieval.queries.after),
        ("queries as first written", retrieval.queries.before),
    ];
    for (name, figures) in rows {
        let percent = |share: f64| format!("{} %", percent(share, 1));
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {:.3} |",
            count(figures.texts),
            percent(figures.recall_1),
            percent(figures.recall_5),
            percent(figures.recall_10),
            figures.mrr
        )?;
    }
    Ok(())
}

/// Writes a table of the most frequent values; nothing if there are none.
fn write_table(
    text: &mut String,
    title: &str,
    column: &str,
    rows: impl IntoIterator<Item = (impl AsRef<str>, usize)>,
) -> std::fmt::Result {
    let mut rows: Vec<_> = rows.into_iter().collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|(_, images)| std::cmp::Reverse(*images));
    writeln!(text, "\n## {title}\n\n| {column} | images |\n|---|---|")?;
    for (word, images) in rows.iter().take(MAX_LISTED) {
        writeln!(
            text,
            "| {} | {} |",
            cell(word.as_ref()),
            count(*images as u64)
        )?;
    }
    match rows.len() > MAX_LISTED {
        true => writeln!(text, "\nand {} more.", rows.len() - MAX_LISTED),
        false => Ok(()),
    }
}

/// Escapes a text for a table cell.
fn cell(text: &str) -> String {
    crate::text::for_line(text).replace('|', "\\|")
}

/// Returns the hub's name for the size of a dataset.
fn size_category(images: usize) -> &'static str {
    match images {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "1M<n<10M",
    }
}
