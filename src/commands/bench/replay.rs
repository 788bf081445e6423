//! `bench --replay`: records that exist are the answers. The grammar, the model and the head do all
//! that they do in a run; only the choice of each token is known.

mod known;
mod widen;

use super::measure::measure;
use super::workload::{SETTINGS, prompter, seen};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::labeler::LabelRequest;
use crate::labeler::requests::RequestBuilder;
use crate::prompt::Prompter;
use crate::record::{GroupId, Item, Labels, SourceType};
use crate::settings::BenchOptions;
use crate::vlm::open::Opened;
use crate::vlm::{Constraint, GeneratorOptions, Sampling};
use known::Known;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a line; one of a record has a few thousand.
const LONGEST: u64 = 1 << 20;
/// As in a run without `--max-new-tokens`.
const NEW_TOKENS: usize = 384;

/// An icon and what is to be answered about it.
pub struct Replayed {
    item: Item,
    labels: Labels,
}

/// What a question is made of; a line holds more.
#[derive(Deserialize)]
struct Asked {
    image_path: String,
    #[serde(default)]
    item_name: String,
    #[serde(default)]
    item_description: Option<String>,
    source_type: SourceType,
}

/// Reads the records, and finds their images.
pub fn read(options: &BenchOptions, file: &Path) -> Result<Vec<Replayed>> {
    let reading = || format!("reading {}", file.display());
    let opened = File::open(file).context(ErrorKind::Usage, reading())?;
    let mut from = BufReader::new(opened);
    let most = options.icons.unwrap_or(usize::MAX);
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let part = (&mut from).take(LONGEST + 1).read_until(b'\n', &mut line);
        if part.context(ErrorKind::Usage, reading())? == 0 || records.len() == most {
            break;
        }
        let within = || format!("{} line {number}", file.display());
        if line.len() as u64 > LONGEST {
            let cause = format!("{}: it has more than {} MB", within(), LONGEST >> 20);
            return Err(Error::new(ErrorKind::Usage, cause));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let asked: Asked = serde_json::from_slice(&line).context(ErrorKind::Usage, within())?;
        let labels: Labels = serde_json::from_slice(&line).context(ErrorKind::Usage, within())?;
        let image = image(options, file, &asked.image_path)?;
        records.push(Replayed {
            item: Item {
                file: Some(image.into()),
                image_path: asked.image_path,
                claimed_sha256: None,
                source_type: asked.source_type,
                item_name: asked.item_name,
                item_description: asked.item_description,
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

/// Paths are relative to the source, beside whose file or folder the outdir is by default.
fn image(options: &BenchOptions, file: &Path, path: &str) -> Result<std::path::PathBuf> {
    let beside = file.ancestors().skip(1).take(2);
    let mut folders = options.images.as_deref().into_iter().chain(beside);
    folders
        .find_map(|folder| Some(folder.join(path)).filter(|image| image.is_file()))
        .ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("the image {path} is not there"))
                .with_hint("--images DIR names the folder that image paths are relative to")
        })
}

/// Runs the records and reports what it took.
pub fn run(
    options: &BenchOptions,
    opened: &Opened,
    limits: GeneratorOptions,
    records: &[Replayed],
) -> Result<Value> {
    let prompter = prompter(&opened.name, options.prompt.as_deref())?;
    // Found beforehand, so that the run does what a run does and no more.
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
            .map(|grammar| Known::new(grammar, opened.tokenizer.clone(), &answer.text))
            .transpose()?
            .map(|known| Box::new(known) as Box<dyn Constraint>);
        Ok(request)
    });
    let mut report = measure(opened, limits, requests)?.replay_report(opened, limits.slots);
    report["prompt"] = json!(prompter.version());
    let beyond = answers.iter().filter(|answer| !answer.beyond.is_empty());
    report["records_beyond_the_grammar"] = json!(beyond.count());
    let mut fields: BTreeMap<&str, usize> = BTreeMap::new();
    for field in answers.iter().flat_map(|answer| &answer.beyond) {
        *fields.entry(field).or_default() += 1;
    }
    report["beyond_the_grammar"] = json!(fields);
    Ok(report)
}

/// What is to be answered about an icon.
struct Answer {
    text: String,
    /// The fields that the grammar does not allow: it lets no model give a name as its label, or
    /// three tags.
    beyond: Vec<String>,
}

impl Replayed {
    fn answer(&self, prompter: &Prompter) -> Result<Answer> {
        let text = prompter.form().write(&self.labels);
        let colors = seen(prompter, &self.item)?.2;
        let schema = prompter.schema(&self.item, &SETTINGS, Some(&colors));
        Ok(Answer {
            beyond: widen::beyond(&schema, &text)?,
            text,
        })
    }

    fn request(&self, prompter: &Prompter, ticket: u64, answer: &Answer) -> Result<LabelRequest> {
        let (picture, chat, colors) = seen(prompter, &self.item)?;
        let mut schema = prompter.schema(&self.item, &SETTINGS, Some(&colors));
        if !answer.beyond.is_empty() {
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
