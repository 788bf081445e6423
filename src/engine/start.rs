//! Checks the settings of a run and starts the engine.

use super::coordinator::Coordinator;
use super::handle::{Handle, connect};
use super::messages::Event;
use super::metrics::Metrics;
use super::results::Results;
use super::words::OutdirWords;
use super::workers::Workers;
use crate::error::{Error, ErrorKind, Result};
use crate::export;
use crate::labeler::Factory;
use crate::outdir::LABELS;
use crate::prompt::Prompter;
use crate::record::filter::Query;
use crate::record::{AttemptSettings, Vocabulary};
use crate::settings::{EngineOptions, IconOptions, PromptOptions, SourceOptions};
use crate::source::{self, ItemSource};
use crate::store::Journal;
use crate::threads;
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

/// A run whose settings have been checked; nothing has been written yet.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    /// For the first attempt at each group.
    settings: AttemptSettings,
    prompter: Arc<Prompter>,
    words: OutdirWords,
    items: Box<dyn ItemSource>,
    max_groups: Option<u64>,
    /// What is asked again.
    redo: Option<String>,
}

impl Engine {
    /// Opens the prompt and the source.
    ///
    /// # Errors
    /// If one of them cannot be used, and if writing to the outdir could change other files.
    pub fn new(config: EngineConfig) -> Result<Self> {
        let options = config.options;
        export::check_outdir(&options.outdir, config.source.kind.path())?;
        if !options.resume && options.outdir.join(LABELS).exists() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} holds labels already", options.outdir.display()),
            )
            .with_hint("add --resume to go on, or choose another --outdir"));
        }
        let prompter = Prompter::load(&config.prompt)?;
        Ok(Self {
            prompter: Arc::new(prompter),
            words: OutdirWords::new(options.outdir.clone(), config.prompt.clone()),
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

    /// The words that a record may hold.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        self.prompter.vocabulary()
    }

    /// Starts the engine's threads. The model is loaded meanwhile; without a labeler there is
    /// none, for review only.
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
        let coordinator = Coordinator::new(
            &self.options,
            self.settings,
            Results::new(self.prompter, &self.options, metrics),
            self.words,
            journal,
            front,
            workers,
        )
        .asking_again(redo);
        let engine = threads::spawn(
            "engine",
            move || coordinator.run(),
            move |error| {
                to_front.emit(Event::Broken(Box::new(error.into())));
            },
        )?;
        handle.own(engine);
        Ok(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Background;
    use crate::settings::{EquipmentName, Lang, Mapping, OnlySource, SourceKind};
    use crate::source::Sink;
    use std::time::Duration;

    #[derive(Debug)]
    struct Broken {
        /// Else when it is dropped, which is outside of all that expects a panic.
        while_reading: bool,
    }

    impl ItemSource for Broken {
        fn read(&mut self, _: &mut Sink) -> Result<()> {
            assert!(!self.while_reading, "a row that cannot be");
            Ok(())
        }
    }

    impl Drop for Broken {
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
                parquet: false,
                max_new_tokens: 1,
            },
            source: SourceOptions {
                kind: SourceKind::Demo,
                only: OnlySource::All,
                run_id: None,
                equipment_name: EquipmentName::default(),
                mapping: Mapping::default(),
                max_samples: None,
            },
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
        engine.items = Box::new(Broken { while_reading });
        // Without any groups it is dropped on the thread itself.
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
            (true, "reading the source panicked: a row that cannot be"),
            (false, "source panicked: a file that cannot be closed"),
        ] {
            let Event::Broken(broken) = last_event(while_reading) else {
                panic!("the run went on");
            };
            let error = broken.error;
            assert_eq!(error.cause, cause);
            assert!(error.hint.unwrap().contains("labeler.log"));
        }
    }
}
