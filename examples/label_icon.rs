//! Labels one icon with the library and the built-in demo model:
//! `cargo run --release --example label_icon [FILE NAME]`.
//!
//! Without arguments, it draws an icon and labels that. The labels are printed as JSON.

#![allow(clippy::print_stdout)]

use labeler_tui::error::{Error, ErrorKind, Result};
use labeler_tui::icon::{self, Icon};
use labeler_tui::labeler::{self, Answer, Jobs, LabelEvent, LabelRequest, LabelerOptions, Pull};
use labeler_tui::prompt::{Lang, PromptOptions, Prompter};
use labeler_tui::record::{
    self, AttemptSettings, Background, FailureDetail, GroupId, Item, RecordContext, SourceType,
};
use labeler_tui::text::Language;
use labeler_tui::vlm::{DeviceChoice, ModelOptions, Precision, Quantize, Sampling};
use std::sync::Arc;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (icon, name) = match (args.next(), args.next()) {
        (Some(file), Some(name)) => {
            let bytes = std::fs::read(&file)
                .map_err(|error| Error::new(ErrorKind::Source, format!("{file}: {error}")))?;
            (
                icon::decode(&bytes).map_err(FailureDetail::into_error)?,
                name,
            )
        }
        _ => (red_disk(), "달빛 단추".to_owned()),
    };

    // The request: the prompt, the item, and the JSON schema of the answer.
    let prompter = Prompter::load(&PromptOptions {
        version: "demo".to_owned(),
        file: None,
        lang: Lang::Ko,
        with_metadata: true,
        vocabulary: None,
        overlay: None,
    })?;
    let settings = AttemptSettings {
        strict: false,
        upscale: 2,
        background: Background::White,
        with_image: true,
        with_metadata: true,
        hint: None,
        max_new_tokens: 384,
        examples: 0,
    };
    let item = Item {
        image_path: "icon.png".to_owned(),
        file: None,
        claimed_sha256: None,
        source_type: SourceType::Cash,
        item_name: name,
        item_description: None,
        item_part: None,
        image_url: None,
        ocid: None,
        ranking: None,
    };
    // Colors measured from the pixels: the prompt lists them, and the schema allows no others.
    let palette = icon::palette(&icon);
    let colors = Some(&palette.histogram);
    let request = LabelRequest {
        ticket: 1,
        group: GroupId(1),
        chat: prompter.chat(&item, &settings, colors, &[]),
        picture: Some(Arc::new(icon::picture(
            &icon,
            settings.upscale,
            settings.background,
        ))),
        schema: prompter.schema(&item, &settings, colors),
        max_new_tokens: settings.max_new_tokens,
        sampling: Sampling::GREEDY,
        keep_prompt: false,
        urgent: false,
    };

    // Load the model and run the request.
    let factory = labeler::factory(LabelerOptions::Local(ModelOptions {
        model: "demo".to_owned(),
        revision: "main".to_owned(),
        offline: true,
        device: DeviceChoice::Cpu,
        precision: Precision::Auto,
        quantize: Quantize::Auto,
        batch_size: Some(1),
        kv_memory: Some(256 << 20),
    }));
    let factory = factory.ok_or_else(|| Error::new(ErrorKind::Model, "no model was selected"))?;
    let mut labeler = factory(&mut |_, _| {})?;
    let mut jobs = SingleJob {
        request: Some(request),
        answer: None,
    };
    labeler.run(&mut jobs)?;
    let answer = jobs
        .answer
        .unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "the model gave no answer")))?;

    // Parse and normalize the answer, and check it with the rules.
    let vocabulary = prompter.vocabulary();
    let parsed = record::parse(&answer.text)
        .map_err(|failure| Error::new(ErrorKind::Internal, failure.detail))?;
    let labels = parsed.labels.normalized(vocabulary);
    let reasons = record::check(
        &labels,
        &RecordContext {
            colors,
            truncated: answer.truncated,
            ..RecordContext::new(vocabulary, &item.item_name)
        },
    );
    let text = serde_json::to_string_pretty(&labels)
        .map_err(|error| Error::new(ErrorKind::Internal, error))?;
    println!("{text}");
    for reason in reasons {
        println!(
            "{}: {}",
            reason.code(),
            reason.describe(&[], Language::English)
        );
    }
    Ok(())
}

/// A red disk on a transparent background, 32 pixels wide.
fn red_disk() -> Icon {
    let rgba = (0..32 * 32)
        .flat_map(|at: i32| {
            let (x, y) = (at % 32 * 2 - 31, at / 32 * 2 - 31);
            if x * x + y * y < 900 {
                [217, 43, 43, 255]
            } else {
                [0; 4]
            }
        })
        .collect();
    Icon {
        width: 32,
        height: 32,
        rgba,
    }
}

/// A queue with a single request, which keeps its answer.
struct SingleJob {
    request: Option<LabelRequest>,
    answer: Option<Result<Answer>>,
}

impl Jobs for SingleJob {
    fn pull(&mut self, _wait: bool) -> Pull {
        match self.request.take() {
            Some(request) => Pull::Request(Box::new(request)),
            None => Pull::Closed,
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn push(&mut self, event: LabelEvent) {
        match event {
            LabelEvent::Done { answer, .. } => self.answer = Some(Ok(*answer)),
            LabelEvent::Failed { detail, .. } => self.answer = Some(Err(detail.into_error())),
            _ => {}
        }
    }
}
