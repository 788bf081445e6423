//! New files that are written and not yet in place: on the thread that owns the journal, or on one
//! of their own that reads a snapshot of it, so that nobody waits for a hundred thousand lines.

use super::exporters::exporters;
use super::target::{Look, Target, Written};
use super::truth::{Truth, View};
use crate::error::{Error, Result};
use crate::outdir::LABELS;
use crate::store::{Content, Journal};
use crate::threads;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use std::path::Path;
use std::time::{Duration, Instant};

/// A file that only has to be put in its place.
#[derive(Debug)]
pub(super) struct NewFile {
    /// Its place in the list of exporters.
    pub exporter: usize,
    pub target: Target,
    /// The file that is there, as it was looked at, and its hash.
    pub standing: Option<(Look, String)>,
    pub written: Written,
    /// The version of the journal's content that it shows.
    pub version: u64,
}

/// New files and what was found on the way.
#[derive(Debug)]
pub(super) struct Prepared {
    pub files: Vec<NewFile>,
    /// `None` where no file is of records.
    pub truth: Option<Truth>,
    pub took: Duration,
}

/// Writes new files beside the ones that are there.
pub(super) fn prepare(journal: &Journal, outdir: &Path, stale: &[usize]) -> Result<Prepared> {
    let begun = Instant::now();
    let exporters = exporters();
    let stale = || {
        stale
            .iter()
            .filter_map(|&at| Some((at, exporters.get(at)?)))
    };
    let is_of_records = stale().any(|(_, exporter)| exporter.content() == Content::Records);
    let truth = match is_of_records {
        true => Some(Truth::of(journal, &outdir.join(LABELS))?),
        false => None,
    };
    let none = Truth::default();
    let view = View {
        journal,
        truth: truth.as_ref().unwrap_or(&none),
    };
    let mut files = Vec::new();
    for (at, exporter) in stale() {
        let version = journal.version(exporter.content())?;
        let target = Target::find(outdir, exporter.name())?;
        let mut sink = target.begin()?;
        exporter.write(&view, &mut sink)?;
        // The look first: a file that is changed while it is read is another one then.
        let look = target.look();
        files.push(NewFile {
            exporter: at,
            standing: look.zip(target.sha256()?),
            written: sink.finish()?,
            target,
            version,
        });
    }
    Ok(Prepared {
        files,
        truth,
        took: begun.elapsed(),
    })
}

/// Files that are being prepared on a thread of their own.
#[derive(Debug)]
pub(super) struct Preparing {
    done: Receiver<Result<Prepared>>,
    /// As at its beginning, see [`super::Exports::update`].
    pub settled: bool,
}

impl Preparing {
    pub fn start(journal: &Journal, stale: Vec<usize>, settled: bool) -> Result<Self> {
        let snapshot = journal.snapshot()?;
        let outdir = journal.outdir().to_owned();
        let (tell, done) = bounded(1);
        let broken = tell.clone();
        threads::spawn(
            "export",
            move || {
                // Nobody waits for it any more where the run has ended.
                let _ = tell.send(prepare(&snapshot, &outdir, &stale));
            },
            move |error| {
                let _ = broken.send(Err(error));
            },
        )?;
        Ok(Self { done, settled })
    }

    /// What has become of it; `None` while it goes on.
    pub fn result(&self) -> Option<Result<Prepared>> {
        match self.done.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(lost())),
        }
    }

    /// Waits for its end; what it has written is removed.
    pub fn abandon(self) {
        drop(self.done.recv());
    }
}

fn lost() -> Error {
    Error::new(
        crate::error::ErrorKind::Internal,
        "the export thread ended without a word",
    )
}
