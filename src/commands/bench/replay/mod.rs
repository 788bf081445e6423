//! `bench --replay`: generates the answers of existing records. The grammar, the model and the head
//! do the same work as in a run; only the choice of each token is given.

mod known;
mod widen;

use super::measure::measure;
use super::workload::{SETTINGS, prompter, question_with_colors};
use crate::commands::options::BenchOptions;
use crate::error::{Context, Error, ErrorKind, Result, unreadable};
use crate::labeler::LabelRequest;
use crate::labeler::requests::RequestBuilder;
use crate::platform::open_to_read;
use crate::prompt::Prompter;
use crate::record::{GroupId, Item, Labels, SourceType};
use crate::vlm::open::Opened;
use crate::vlm::{Constraint, GeneratorOptions, Sampling};
use known::KnownAnswer;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

/// Longest line in bytes; a record has a few thousand.
const MAX_LINE: u64 = 1 << 20;
/// More than this much of a file is not replayed; the records are held in memory.
const MAX_BYTES: u64 = 256 << 20;
/// The default of `--max-new-tokens`.
const NEW_TOKENS: usize = 384;

/// An icon and the record to generate for it.
pub struct ReplayedRecord {
    item: Item,
    labels: Labels,
}

/// The fields of a line that go into the prompt.
#[derive(Deserialize)]
struct PromptFields {
    image_path: String,
    #[serde(default)]
    item_name: String,
    #[serde(default)]
    item_description: Option<String>,
    source_type: SourceType,
}

/// Reads the records, and finds their images.
pub fn read(options: &BenchOptions, file: &Path) -> Result<Vec<ReplayedRecord>> {
    let reading = || format!("reading {}", file.display());
    let opened = open_to_read(file).map_err(unreadable(ErrorKind::Usage, reading()))?;
    let mut reader = BufReader::new(opened);
    let mut total = 0;
    let max = options.icons.unwrap_or(usize::MAX);
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let part = (&mut reader)
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut line);
        let part = part.map_err(unreadable(ErrorKind::Usage, reading()))?;
        if part == 0 || records.len() == max {
            break;
        }
        total += line.len() as u64;
        if total > MAX_BYTES {
            let cause = format!("{} has more than {} MB", file.display(), MAX_BYTES >> 20);
            return Err(
                Error::new(ErrorKind::Usage, cause).with_hint("replay a part with --icons N")
            );
        }
        let within = || format!("{} line {number}", file.display());
        if line.len() as u64 > MAX_LINE {
            let cause = format!("{}: longer than {} MB", within(), MAX_LINE >> 20);
            return Err(Error::new(ErrorKind::Usage, cause));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fields: PromptFields =
            serde_json::from_slice(&line).context(ErrorKind::Usage, within())?;
        let labels: Labels = serde_json::from_slice(&line).context(ErrorKind::Usage, within())?;
        let image = image(options, file, &fields.image_path)?;
        records.push(ReplayedRecord {
            item: Item {
                file: Some(image.into()),
                image_path: fields.image_path,
                claimed_sha256: None,
                source_type: fields.source_type,
                item_name: fields.item_name,
                item_description: fields.item_description,
                item_part: None,
                image_url: None,
                ocid: None,
                ranking: None,
            },
            labels,
        });
    }
    match records.is_empty() {
        true => Err(Error::new(
            ErrorKind::Usage,
            format!("there are no records in {}", file.display()),
        )),
        false => Ok(records),
    }
}

/// Finds an image. Paths are relative to the source, and by default the outdir is beside it.
fn image(options: &BenchOptions, file: &Path, path: &str) -> Result<std::path::PathBuf> {
    let beside = file.ancestors().skip(1).take(2);
    let mut folders = options.images.as_deref().into_iter().chain(beside);
    folders
        .find_map(|folder| Some(folder.join(path)).filter(|image| image.is_file()))
        .ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("there is no image {path}"))
                .with_hint("--images DIR names the folder that image paths are relative to")
        })
}

/// Replays the records and reports the measurement.
pub fn run(
    options: &BenchOptions,
    opened: &Opened,
    limits: GeneratorOptions,
    records: &[ReplayedRecord],
) -> Result<Value> {
    let prompter = prompter(&opened.name, options.prompt.as_deref())?;
    // Computed first, so that only the work of a real run is timed.
    let answers = records
        .iter()
        .map(|replayed| replayed.answer(&prompter))
        .collect::<Result<Vec<_>>>()?;
    let mut builder = RequestBuilder::new(opened.tokenizer.clone())?;
    let requests = (0..).zip(records.iter().zip(&answers));
    let requests = requests.map(|(ticket, (replayed, answer))| {
        let request = replayed.request(&prompter, ticket, answer)?;
        let mut request = builder.request(&opened.model, &request)?;
        let grammar = request.constraint.take();
        request.constraint = grammar
            .map(|grammar| KnownAnswer::new(grammar, opened.tokenizer.clone(), &answer.text))
            .transpose()?
            .map(|known| Box::new(known) as Box<dyn Constraint>);
        Ok(request)
    });
    let mut report = measure(opened, limits, requests)?.replay_report(opened, limits.slots);
    report["prompt"] = json!(prompter.version());
    let rejected = answers
        .iter()
        .filter(|answer| !answer.rejected_fields.is_empty());
    report["records_beyond_the_grammar"] = json!(rejected.count());
    let mut fields: BTreeMap<&str, usize> = BTreeMap::new();
    for field in answers.iter().flat_map(|answer| &answer.rejected_fields) {
        *fields.entry(field).or_default() += 1;
    }
    report["beyond_the_grammar"] = json!(fields);
    Ok(report)
}

/// The answer to generate for an icon.
struct ReplayAnswer {
    text: String,
    /// Fields that the real grammar rejects, such as a label that is only the name, or three tags.
    rejected_fields: Vec<String>,
}

impl ReplayedRecord {
    fn answer(&self, prompter: &Prompter) -> Result<ReplayAnswer> {
        let text = prompter.form().write(&self.labels);
        let colors = question_with_colors(prompter, &self.item)?.2;
        let schema = prompter.schema(&self.item, &SETTINGS, Some(&colors));
        Ok(ReplayAnswer {
            rejected_fields: widen::rejected_fields(&schema, &text)?,
            text,
        })
    }

    fn request(
        &self,
        prompter: &Prompter,
        ticket: u64,
        answer: &ReplayAnswer,
    ) -> Result<LabelRequest> {
        let (picture, chat, colors) = question_with_colors(prompter, &self.item)?;
        let mut schema = prompter.schema(&self.item, &SETTINGS, Some(&colors));
        if !answer.rejected_fields.is_empty() {
            schema = Arc::new(widen::widened(&schema, &answer.text)?);
        }
        Ok(LabelRequest {
            ticket,
            group: GroupId(0),
            chat,
            picture: Some(Arc::new(picture)),
            schema,
            max_new_tokens: NEW_TOKENS,
            sampling: Sampling::GREEDY,
            keep_prompt: false,
            urgent: false,
        })
    }
}
