//! Writes new export files without installing them. Large ones are written on a thread of their
//! own, from a snapshot of the journal.

use super::exporters::{MissingImages, exporters};
use super::selection::{ExportSelection, ExportView};
use super::target::{Fingerprint, Target, Written};
use crate::error::{Error, Result};
use crate::outdir::LABELS;
use crate::store::{Content, Journal};
use crate::threads;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use std::path::Path;
use std::time::{Duration, Instant};

/// A new file that can be installed.
#[derive(Debug)]
pub(super) struct NewFile {
    /// Index in the list of exporters.
    pub exporter: usize,
    pub target: Target,
    /// Fingerprint and hash of the file to be replaced.
    pub present: Option<(Fingerprint, String)>,
    pub written: Written,
    /// Version of the journal's content from which it was written.
    pub version: u64,
}

/// New files and the selection of records in them.
#[derive(Debug)]
pub(super) struct Prepared {
    pub files: Vec<NewFile>,
    /// `None` if no file consists of records.
    pub selection: Option<ExportSelection>,
    pub took: Duration,
}

/// Writes new files beside the present ones.
pub(super) fn prepare(journal: &Journal, outdir: &Path, stale: &[usize]) -> Result<Prepared> {
    let begun = Instant::now();
    let exporters = exporters();
    let stale = || {
        stale
            .iter()
            .filter_map(|&at| Some((at, exporters.get(at)?)))
    };
    let is_of_records = stale().any(|(_, exporter)| exporter.content() == Content::Records);
    let selection = match is_of_records {
        true => Some(ExportSelection::of(journal, &outdir.join(LABELS))?),
        false => None,
    };
    let none = ExportSelection::default();
    let view = ExportView {
        journal,
        selection: selection.as_ref().unwrap_or(&none),
    };
    let mut files = Vec::new();
    for (at, exporter) in stale() {
        let version = journal.version(exporter.content())?;
        let target = Target::find(outdir, exporter.name())?;
        let mut sink = target.begin()?;
        exporter.write(&view, &mut sink)?;
        // The fingerprint comes first, so that a change while the file is hashed is noticed.
        let fingerprint = target.fingerprint();
        files.push(NewFile {
            exporter: at,
            present: fingerprint.zip(target.sha256()?),
            written: sink.finish()?,
            target,
            version,
        });
    }
    Ok(Prepared {
        files,
        selection,
        took: begun.elapsed(),
    })
}

/// An export on a thread of its own.
#[derive(Debug)]
pub(super) struct BackgroundExport {
    done: Receiver<Result<Prepared>>,
    /// The value at its start.
    pub missing: MissingImages,
}

impl BackgroundExport {
    pub fn start(journal: &Journal, stale: Vec<usize>, missing: MissingImages) -> Result<Self> {
        let snapshot = journal.snapshot()?;
        let outdir = journal.outdir().to_owned();
        let (sender, done) = bounded(1);
        let panicked = sender.clone();
        threads::spawn(
            "export",
            move || {
                // Fails if the run has ended and dropped the receiver.
                let _ = sender.send(prepare(&snapshot, &outdir, &stale));
            },
            move |error| {
                let _ = panicked.send(Err(error));
            },
        )?;
        Ok(Self { done, missing })
    }

    /// Returns the result; `None` while it is running.
    pub fn result(&self) -> Option<Result<Prepared>> {
        match self.done.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(thread_lost())),
        }
    }

    /// Waits until it ends and discards its files.
    pub fn abandon(self) {
        drop(self.done.recv());
    }
}

fn thread_lost() -> Error {
    Error::new(
        crate::error::ErrorKind::Internal,
        "the export thread ended without a result; this is a bug in labeler-tui",
    )
}
