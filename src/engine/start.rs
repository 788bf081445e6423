//! Validates the settings of a run and starts the engine.

use super::EngineOptions;
use super::coordinator::{Coordinator, CoordinatorConfig};
use super::handle::{Handle, connect};
use super::messages::Event;
use super::metrics::Metrics;
use super::results::Results;
use super::words::OutdirWords;
use super::workers::Workers;
use crate::error::{Error, ErrorKind, Result};
use crate::icon::IconOptions;
use crate::labeler::Factory;
use crate::outdir::LABELS;
use crate::prompt::{self, PromptOptions, Prompter};
use crate::record::filter::Query;
use crate::record::{AttemptSettings, Vocabulary};
use crate::source::{self, ItemSource, SourceOptions};
use crate::store::Journal;
use crate::{export, threads};
use std::sync::Arc;
use std::time::Instant;

/// The settings of a run.
#[derive(Debug)]
pub struct EngineConfig {
    pub options: EngineOptions,
    pub source: SourceOptions,
    pub icon: IconOptions,
    pub prompt: PromptOptions,
}

/// A run with validated settings. Nothing has been written yet.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    /// Settings of first attempts.
    settings: AttemptSettings,
    prompter: Arc<Prompter>,
    words: OutdirWords,
    items: Box<dyn ItemSource>,
    max_groups: Option<u64>,
    /// Filter for the groups to label again.
    redo: Option<String>,
}

impl Engine {
    /// Loads the prompt and opens the source.
    ///
    /// # Errors
    /// If one of them is unusable, if the outdir contains labels and `resume` is off, or if writing to the
    /// outdir could change other files.
    pub fn new(config: EngineConfig) -> Result<Self> {
        let options = config.options;
        export::check_outdir(&options.outdir, config.source.kind.path())?;
        if !options.resume && options.outdir.join(LABELS).exists() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} already contains labels", options.outdir.display()),
            )
            .with_hint("add --resume to continue, or choose another --outdir"));
        }
        let prompter = Prompter::load(&config.prompt)?;
        let base = prompt::vocabulary(config.prompt.vocabulary.as_deref(), None)?;
        Ok(Self {
            prompter: Arc::new(prompter),
            words: OutdirWords::new(options.outdir.clone(), base),
            redo: options.redo.clone(),
            items: source::open(&config.source)?,
            max_groups: config.source.max_samples,
            settings: AttemptSettings {
                strict: false,
                upscale: config.icon.upscale,
                background: config.icon.background,
                with_image: config.icon.with_image,
                with_metadata: config.prompt.with_metadata,
                hint: None,
                max_new_tokens: options.max_new_tokens,
                examples: options.examples as usize,
            },
            options,
        })
    }

    /// The vocabulary of the records.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        self.prompter.vocabulary()
    }

    /// Starts the engine's threads and loads the model in the background. Without a labeler the run
    /// is review only.
    pub fn start(self, labeler: Option<Factory>) -> Result<Handle> {
        let vocabulary = Arc::clone(self.prompter.vocabulary());
        let journal = Journal::lock(&self.options.outdir, Arc::clone(&vocabulary))?;
        let redo = match &self.redo {
            Some(filter) => Some(Query::parse_whole(filter, &vocabulary, &journal.views()?)?),
            None => None,
        };
        let (mut handle, front) = connect();
        let to_front = front.clone();
        let metrics = Arc::new(Metrics::new(Instant::now()));
        let workers = Workers::start(
            self.items,
            self.max_groups,
            &self.prompter,
            labeler,
            &metrics,
        )?;
        let coordinator = Coordinator::new(CoordinatorConfig {
            results: Results::new(self.prompter, &self.options, metrics),
            options: self.options,
            settings: self.settings,
            redo,
            words: self.words,
            journal,
            front,
            workers,
        });
        let engine = threads::spawn(
            "engine",
            move || coordinator.run(),
            move |error| {
                to_front.emit(Event::Broken(Box::new(error.into())));
            },
        )?;
        handle.attach_thread(engine);
        Ok(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Lang;
    use crate::record::Background;
    use crate::source::{Sink, SourceKind};
    use std::time::Duration;

    #[derive(Debug)]
    struct PanickingSource {
        /// Panics while reading; otherwise when it is dropped, outside of any `catch_unwind` but the
        /// thread's own.
        while_reading: bool,
    }

    impl ItemSource for PanickingSource {
        fn read(&mut self, _: &mut Sink) -> Result<()> {
            assert!(!self.while_reading, "an impossible row");
            Ok(())
        }
    }

    impl Drop for PanickingSource {
        fn drop(&mut self) {
            assert!(self.while_reading, "a file that cannot be closed");
        }
    }

    fn last_event(while_reading: bool) -> Event {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Engine::new(EngineConfig {
            options: EngineOptions {
                outdir: folder.path().join("out"),
                commit_automatically: true,
                resume: false,
                redo: None,
                quality_retry: false,
                opinions: 0,
                examples: 0,
                families: false,
                exports: Vec::new(),
                max_new_tokens: 1,
            },
            source: SourceOptions::new(SourceKind::Demo),
            icon: IconOptions {
                upscale: 1,
                background: Background::White,
                with_image: true,
            },
            prompt: PromptOptions {
                version: "v2".into(),
                file: None,
                lang: Lang::Ko,
                with_metadata: true,
                vocabulary: None,
                overlay: None,
            },
        })
        .unwrap();
        engine.items = Box::new(PanickingSource { while_reading });
        // With zero groups the source is dropped by the source thread itself.
        engine.max_groups = (!while_reading).then_some(0);
        let engine = engine.start(None).unwrap();
        let events = engine.events();
        let mut last = None;
        while let Ok(event) = events.recv_timeout(Duration::from_secs(30)) {
            last = Some(event);
        }
        last.unwrap()
    }

    #[test]
    fn a_panic_of_the_source_ends_the_run_with_its_cause() {
        for (while_reading, cause) in [
            (true, "reading the source panicked: an impossible row"),
            (false, "source panicked: a file that cannot be closed"),
        ] {
            let Event::Broken(broken) = last_event(while_reading) else {
                panic!("the run continued");
            };
            let error = broken.error;
            assert_eq!(error.cause, cause);
            assert!(error.hint.unwrap().contains("labeler.log"));
        }
    }
}
