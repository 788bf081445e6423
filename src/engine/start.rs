//! Puts the stages together and sets the threads going.

use super::handle::{Handle, connect};
use super::judge::Judge;
use super::keeper::Keeper;
use super::messages::Event;
use super::meter::Meter;
use super::model_worker::{self, FromModel};
use super::pipeline::{Crew, Input, Pipeline, State};
use super::ready::Ready;
use super::{prepare, reader};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::export::Exports;
use crate::labeler::Factory;
use crate::outdir::{self, LABELS};
use crate::prompt::Prompter;
use crate::record::{AttemptSettings, Vocabulary};
use crate::settings::{EngineOptions, IconOptions, PromptOptions, SourceOptions};
use crate::source::{self, ItemSource};
use crate::store::Journal;
use crate::threads;
use crossbeam_channel::{Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Messages to the pipeline that wait while it is busy.
const INPUTS: usize = 256;

/// What a run is made of.
#[derive(Debug)]
pub struct Parts {
    pub options: EngineOptions,
    pub source: SourceOptions,
    pub icon: IconOptions,
    pub prompt: PromptOptions,
}

/// A run whose parts have been looked at; nothing has been written yet.
#[derive(Debug)]
pub struct Plan {
    options: EngineOptions,
    settings: AttemptSettings,
    prompter: Arc<Prompter>,
    items: Box<dyn ItemSource>,
    max_groups: Option<u64>,
}

impl Plan {
    /// Says what is wrong with the prompt or the source, and refuses where a run must not go on.
    pub fn new(parts: Parts) -> Result<Self> {
        let options = parts.options;
        outdir::check(&options.outdir, parts.source.kind.path())?;
        if !options.resume && options.outdir.join(LABELS).exists() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} holds labels already", options.outdir.display()),
            )
            .with_hint("add --resume to go on, or choose another --outdir"));
        }
        Ok(Self {
            prompter: Arc::new(Prompter::load(&parts.prompt)?),
            items: source::open(&parts.source)?,
            max_groups: parts.source.max_samples,
            settings: AttemptSettings {
                strict: false,
                upscale: parts.icon.upscale,
                background: parts.icon.background,
                with_image: parts.icon.with_image,
                with_metadata: parts.prompt.with_metadata,
                hint: None,
                max_new_tokens: options.max_new_tokens,
            },
            options,
        })
    }

    /// The words that a record may hold.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        self.prompter.vocabulary()
    }
}

/// Starts the engine; the model is loaded behind the front end, or not at all without a factory.
pub fn start(plan: Plan, labeler: Option<Factory>) -> Result<Handle> {
    let Plan {
        options,
        settings,
        prompter,
        items,
        max_groups,
    } = plan;
    outlive_full_files()?;
    let journal = Journal::lock(&options.outdir, Arc::clone(prompter.vocabulary()))?;

    let (mut handle, front) = connect();
    let events = front.events.clone();
    let journal = Keeper::new(journal, &front);
    let (input_tx, inputs) = bounded(INPUTS);
    let (prepare_tx, prepare_rx) = unbounded();
    let (start_tx, start_rx) = bounded(0);
    let ready = Arc::new(Ready::default());
    let meter = Arc::new(Meter::new(Instant::now()));
    let stop_reading = Arc::new(AtomicBool::new(false));
    let mut crew = Vec::new();

    crew.push(threads::spawn(
        "source",
        {
            let (stop, out) = (Arc::clone(&stop_reading), input_tx.clone());
            move || reader::run(items, max_groups, &start_rx, &stop, &out)
        },
        tell_panic(&input_tx),
    )?);
    // One is enough: an icon takes a millisecond; and it keeps them in source order.
    crew.push(threads::spawn(
        "prepare",
        {
            let (prompter, out) = (Arc::clone(&prompter), input_tx.clone());
            move || prepare::run(&prompter, &prepare_rx, &out)
        },
        tell_panic(&input_tx),
    )?);
    let with_model = labeler.is_some();
    let model = match labeler {
        Some(factory) => {
            let (ready, meter) = (Arc::clone(&ready), Arc::clone(&meter));
            let out = input_tx.clone();
            Some(threads::spawn(
                "model",
                move || model_worker::run(factory, &ready, &input_tx, &meter),
                move |error| {
                    // The pipeline outlives this thread unless it has panicked itself.
                    let _ = out.send(FromModel::Broken(error).into());
                },
            )?)
        }
        None => {
            drop(input_tx);
            None
        }
    };
    let exports = Exports::new(&options.outdir, options.parquet);
    let pipeline = Pipeline {
        options,
        settings,
        journal,
        exports,
        judge: Judge::new(prompter),
        front,
        inputs,
        meter,
        crew: Crew {
            ready,
            prepare: Some(prepare_tx),
            stop_reading,
            threads: crew,
            model,
        },
        state: State::new(with_model),
    };
    let engine = threads::spawn(
        "engine",
        move || pipeline.run(start_tx),
        move |error| {
            // Nobody listens where the front end is gone too.
            let _ = events.send(Event::Broken(error));
        },
    )?;
    handle.own(engine);
    Ok(handle)
}

/// A file that may not grow any more (`ulimit -f`) is then an error of the write, as a full disk
/// is, and not the end of the process.
#[cfg(unix)]
fn outlive_full_files() -> Result<()> {
    let grown_too_large = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, grown_too_large)
        .context(ErrorKind::Internal, "listening for signals")?;
    Ok(())
}

#[cfg(not(unix))]
fn outlive_full_files() -> Result<()> {
    Ok(())
}

/// Tells the pipeline of a panic of a thread that the run cannot go on without.
fn tell_panic(inputs: &Sender<Input>) -> impl FnOnce(Error) + Send + 'static {
    let inputs = inputs.clone();
    move |error| {
        // The pipeline outlives that thread unless it has panicked itself.
        let _ = inputs.send(Input::Panicked(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Background;
    use crate::settings::{Lang, OnlySource, SourceKind};
    use crate::source::Sink;
    use std::time::Duration;

    #[derive(Debug)]
    struct Broken {
        /// Else when it is let go of, which is outside of all that expects a panic.
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
        let mut plan = Plan::new(Parts {
            options: EngineOptions {
                outdir: folder.path().join("out"),
                commit_automatically: true,
                resume: false,
                quality_retry: false,
                parquet: false,
                max_new_tokens: 1,
            },
            source: SourceOptions {
                kind: SourceKind::Demo,
                only: OnlySource::All,
                run_id: None,
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
            },
        })
        .unwrap();
        plan.items = Box::new(Broken { while_reading });
        // Without any groups it is let go of on the thread itself.
        plan.max_groups = (!while_reading).then_some(0);
        let engine = start(plan, None).unwrap();
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
            let Event::Broken(error) = last_event(while_reading) else {
                panic!("the run went on");
            };
            assert_eq!(error.cause, cause);
            assert!(error.hint.unwrap().contains("labeler.log"));
        }
    }
}
