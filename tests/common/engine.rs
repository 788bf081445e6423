//! Creates engines with the settings of the workstation.

use labeler_tui::engine::{Engine, EngineConfig, EngineOptions};
use labeler_tui::icon::IconOptions;
use labeler_tui::prompt::{Lang, PromptOptions};
use labeler_tui::record::Background;
use labeler_tui::source::{SourceKind, SourceOptions};
use std::path::Path;

pub const ICON: IconOptions = IconOptions {
    upscale: 2,
    background: Background::White,
    with_image: true,
};

/// Creates an engine for a folder of icons, with the outdir `out` inside it.
pub fn engine(folder: &Path) -> Engine {
    engine_with(folder, options(folder))
}

pub fn options(folder: &Path) -> EngineOptions {
    EngineOptions {
        outdir: folder.join("out"),
        commit_automatically: false,
        resume: true,
        redo: None,
        quality_retry: false,
        opinions: 0,
        examples: 0,
        families: false,
        exports: Vec::new(),
        max_new_tokens: 100,
    }
}

pub fn engine_with(folder: &Path, options: EngineOptions) -> Engine {
    let overlay = options.outdir.join("vocabulary.toml");
    let engine = Engine::new(EngineConfig {
        options,
        source: SourceOptions::new(SourceKind::Folder(folder.to_owned())),
        icon: ICON,
        prompt: PromptOptions {
            version: "v2".into(),
            file: None,
            lang: Lang::Ko,
            with_metadata: true,
            vocabulary: None,
            overlay: Some(overlay),
        },
    });
    engine.unwrap()
}
