//! The items, prompts and pictures that the benchmarks label, and the memory that this takes.

use crate::commands::options::BenchOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::icon::{self, Picture};
use crate::prompt::{Lang, PromptOptions, Prompter};
use crate::record::{AttemptSettings, Background, Chat, ColorHistogram, Item};
use crate::source::{self, RowEvent, SourceKind, SourceOptions, SourceRow};
use std::ops::ControlFlow;

/// Default of `--icons`.
pub const ICONS: usize = 32;

/// The defaults of `--batch`, as far as they matter for speed.
pub const SETTINGS: AttemptSettings = AttemptSettings {
    strict: false,
    upscale: 2,
    background: Background::White,
    with_image: true,
    with_metadata: true,
    hint: None,
    max_new_tokens: 0,
    examples: 0,
};

/// The items to label over and over.
pub fn items(options: &BenchOptions) -> Result<Vec<Item>> {
    let kind = match &options.images {
        Some(folder) => SourceKind::Folder(folder.clone()),
        None => SourceKind::Demo,
    };
    let mut source = source::open(&SourceOptions::new(kind))?;
    let mut items = Vec::new();
    source.read(&mut |event| {
        if let RowEvent::Item(SourceRow { item, .. }) = event {
            items.push(item);
        }
        match items.len() < options.icons.unwrap_or(ICONS) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    match items.is_empty() {
        true => Err(Error::new(
            ErrorKind::Source,
            "there are no images to label",
        )),
        false => Ok(items),
    }
}

/// Loads the built-in prompt `version`, or the default for `model`.
pub fn prompter(model: &str, version: Option<&str>) -> Result<Prompter> {
    // The demo model was trained on this prompt, and a longer one exceeds its context.
    let default = if model == "demo" { "demo" } else { "v2" };
    Prompter::load(&PromptOptions {
        version: version.unwrap_or(default).to_owned(),
        file: None,
        lang: Lang::Ko,
        with_metadata: true,
        vocabulary: None,
        overlay: None,
    })
}

/// Prepares the picture of an item as the model sees it, and the prompt about it.
pub fn question(prompter: &Prompter, item: &Item) -> Result<(Picture, Chat)> {
    let (picture, chat, _) = question_with_colors(prompter, item)?;
    Ok((picture, chat))
}

/// Like [`question`], with the colors of the picture.
pub fn question_with_colors(
    prompter: &Prompter,
    item: &Item,
) -> Result<(Picture, Chat, ColorHistogram)> {
    let file = item
        .file
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Image, format!("{} has no file", item.image_path)))?;
    let bytes = source::image_bytes(file).map_err(|failure| failure.detail.into_error())?;
    let icon =
        icon::decode(&bytes).map_err(|detail| detail.into_error().context(&item.image_path))?;
    let colors = icon::palette(&icon).histogram;
    Ok((
        icon::picture(&icon, SETTINGS.upscale, SETTINGS.background),
        prompter.chat(item, &SETTINGS, Some(&colors), &[]),
        colors,
    ))
}
