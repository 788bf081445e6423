//! Keeps the files of an outdir up to date with its journal.
//!
//! During a run only the journal is written for every record; exports are updated every few seconds
//! and at the end. If a run was interrupted, the next one rebuilds them at start. In the
//! workstation, large files are written on a thread of their own, see
//! [`staged`](super::staged).

use super::exporters::{Exporter, MissingImages, exporters};
use super::selection::{ExportIssues, ExportSelection};
use super::staged::{BackgroundExport, NewFile, Prepared, prepare};
use super::target::{LineHash, Target, Written, line_hash};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{KEPT, LABELS, LOG, UNREAD, file_error, free_path, keep_lines};
use crate::record::{FileNotice, KeptBecause};
use crate::store::{Content, Journal, LabelsFile, Prefer};
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Minimum time between two exports during a run.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// Exports take at most one part in this many of a run's time.
const TIME_SHARE: u32 = 20;
/// The same for exports on a thread of their own.
const BACKGROUND_TIME_SHARE: u32 = 4;
/// Files of up to this total size are written at once.
const SMALL_BYTES: u64 = 1 << 20;
/// How many damaged records are listed.
const MAX_LISTED: usize = 20;

/// Limits how often exports are written, by the time and duration of the last one.
#[derive(Debug, Default)]
struct ExportPace {
    last: Option<(Instant, Duration)>,
}

impl ExportPace {
    fn is_due(&self, share: u32) -> bool {
        match self.last {
            Some((at, took)) => at.elapsed() >= MIN_INTERVAL.max(took * share),
            None => true,
        }
    }
}

/// Which stale files are written.
#[derive(Debug, Clone, Copy)]
enum UpdateScope {
    All,
    /// Only those that are updated during a run.
    DuringRun,
}

/// A file in the outdir that the summary of a run names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    pub title: &'static str,
    pub path: PathBuf,
}

/// The exported files of one outdir. Owned by the thread that owns the journal.
#[derive(Debug)]
pub struct Exports {
    outdir: PathBuf,
    exporters: Vec<Box<dyn Exporter>>,
    /// Files that are created only on request. Existing ones are updated anyway.
    requested: Vec<&'static str>,
    pace: ExportPace,
    background: Option<BackgroundExport>,
    /// All files were requested to be updated soon.
    is_update_requested: bool,
    /// Line hashes of each file as it was last written or imported.
    lines: HashMap<&'static str, HashSet<LineHash>>,
    issues: Option<ExportIssues>,
    is_damage_reported: bool,
    notices: Vec<FileNotice>,
}

impl Exports {
    /// `requested`: names of files to create that are written only on request.
    pub fn new(outdir: &Path, requested: &[&'static str]) -> Self {
        Self {
            outdir: outdir.to_owned(),
            exporters: exporters().into(),
            requested: requested.to_vec(),
            pace: ExportPace::default(),
            background: None,
            is_update_requested: false,
            lines: HashMap::new(),
            issues: None,
            is_damage_reported: false,
            notices: Vec::new(),
        }
    }

    /// Imports a `labels.jsonl` that another program wrote, and updates stale exports. Called once,
    /// before the journal is used.
    pub fn catch_up(&mut self, journal: &mut Journal) -> Result<()> {
        self.check_targets(journal)?;
        self.import(journal, Prefer::Journal)?;
        self.remember_lines(journal)?;
        self.update(journal, MissingImages::AreGone)
    }

    /// Updates the files that are updated during a run, if the last export was long enough ago.
    /// Called after every record. Returns whether a file was stale.
    pub fn update_if_due(&mut self, journal: &mut Journal, missing: MissingImages) -> Result<bool> {
        Ok(self.pace.is_due(TIME_SHARE)
            && self.write_stale(journal, UpdateScope::DuringRun, missing)?)
    }

    /// Requests an update of all files after an operator's step. Small files are updated at once,
    /// large ones in the background, by later calls of [`Self::poll`].
    pub fn request_update(&mut self, journal: &mut Journal, missing: MissingImages) -> Result<()> {
        self.is_update_requested = true;
        self.poll(journal, missing)
    }

    /// Starts and finishes background exports of large files, and updates small ones. Called
    /// repeatedly in the workstation, so that the operator never waits for an export.
    pub fn poll(&mut self, journal: &mut Journal, missing: MissingImages) -> Result<()> {
        if let Some(background) = &self.background {
            let Some(result) = background.result() else {
                return Ok(());
            };
            let missing = background.missing;
            self.background = None;
            return match result {
                Ok(prepared) => self.install(journal, prepared, missing),
                Err(error) => {
                    tracing::warn!(%error, "writing the exports in the foreground instead");
                    self.update(journal, missing)
                }
            };
        }
        let is_small = self.is_small();
        let is_due = match is_small {
            true => self.is_update_requested || self.pace.is_due(TIME_SHARE),
            false => self.pace.is_due(BACKGROUND_TIME_SHARE),
        };
        if !is_due {
            return Ok(());
        }
        let scope = match self.is_update_requested {
            true => UpdateScope::All,
            false => UpdateScope::DuringRun,
        };
        let stale = self.stale(journal, scope, missing)?;
        match is_small {
            _ if stale.is_empty() => {}
            true => self.write(journal, missing, &stale)?,
            false => match BackgroundExport::start(journal, stale.clone(), missing) {
                Ok(background) => self.background = Some(background),
                Err(error) => {
                    tracing::warn!(%error, "writing the exports in the foreground instead");
                    self.write(journal, missing, &stale)?;
                }
            },
        }
        self.is_update_requested = false;
        Ok(())
    }

    fn is_small(&self) -> bool {
        let lengths = self.exporters.iter().map(|exporter| {
            let about = std::fs::metadata(self.outdir.join(exporter.name()));
            about.map_or(0, |about| about.len())
        });
        lengths.sum::<u64>() <= SMALL_BYTES
    }

    /// Updates all files.
    pub fn update(&mut self, journal: &mut Journal, missing: MissingImages) -> Result<()> {
        if let Some(background) = self.background.take() {
            // It lacks the newest changes.
            background.abandon();
        }
        self.write_stale(journal, UpdateScope::All, missing)?;
        self.is_update_requested = false;
        Ok(())
    }

    /// Returns the records that are not exported as stored.
    pub fn issues(&mut self, journal: &Journal) -> Result<ExportIssues> {
        if let Some(issues) = &self.issues {
            return Ok(issues.clone());
        }
        let selection = ExportSelection::of(journal, &self.outdir.join(LABELS))?;
        self.set_issues(&selection);
        Ok(selection.issues)
    }

    /// Returns the notices since the last call.
    pub fn take_notices(&mut self) -> Vec<FileNotice> {
        std::mem::take(&mut self.notices)
    }

    /// Returns the existing files that this run may have written. A file of failures is only of
    /// interest if the run had some.
    pub fn output_files(&self, has_failures: bool) -> Vec<OutputFile> {
        let exported = self.exporters.iter().filter(|exporter| {
            self.creates(exporter.as_ref())
                && (has_failures || exporter.content() != Content::Failures)
        });
        exported
            .map(|exporter| (exporter.title(), exporter.name()))
            .chain([("kept lines", KEPT), ("unread lines", UNREAD), ("log", LOG)])
            .map(|(title, name)| OutputFile {
                title,
                path: self.outdir.join(name),
            })
            .filter(|file| file.path.exists())
            .collect()
    }

    /// Imports what `labels.jsonl` has over a rebuilt journal, and exports that.
    pub fn rebuild(&mut self, journal: &mut Journal, prefer: Prefer) -> Result<()> {
        self.check_targets(journal)?;
        self.import(journal, prefer)?;
        self.remember_lines(journal)?;
        self.update(journal, MissingImages::AreGone)
    }

    /// Rejects links to other programs' files, and removes leftover temporary files.
    fn check_targets(&self, journal: &Journal) -> Result<()> {
        for exporter in &self.exporters {
            let target = Target::find(&self.outdir, exporter.name())?;
            refuse_foreign_link(journal, exporter.name(), &target)?;
            target.remove_leftovers();
        }
        Ok(())
    }

    fn import(&mut self, journal: &mut Journal, prefer: Prefer) -> Result<()> {
        let is_stale = self.is_stale(journal, LABELS, Content::Records)?;
        let known = journal.meta_get(&written_key(LABELS))?;
        let path = self.outdir.join(LABELS);
        let records = LabelsFile {
            path: &path,
            known_sha256: known.as_deref(),
            is_stale,
            prefer,
        };
        let Some(imported) = journal.import(&records)? else {
            return Ok(());
        };
        self.notices.extend(imported.notices);
        journal.meta_set(&written_key(LABELS), &imported.sha256)?;
        if imported.is_current && !is_stale {
            // This file is up to date; others may not be.
            self.mark_exported(journal, LABELS, Content::Records)?;
        }
        Ok(())
    }

    /// Remembers the lines of files that were not changed since they were last written or imported.
    fn remember_lines(&mut self, journal: &Journal) -> Result<()> {
        let names = self
            .exporters
            .iter()
            .filter(|exporter| exporter.has_lines());
        let names: Vec<&'static str> = names.map(|exporter| exporter.name()).collect();
        for name in names {
            let target = Target::find(&self.outdir, name)?;
            let Ok(true) = target.path().try_exists() else {
                continue;
            };
            let bytes =
                std::fs::read(target.path()).map_err(file_error("reading", target.path()))?;
            if is_unchanged(journal, name, Some(&hex(&Sha256::digest(&bytes))))? {
                let lines = bytes.split(|byte| *byte == b'\n');
                self.lines.insert(name, lines.map(line_hash).collect());
            }
        }
        Ok(())
    }

    fn write_stale(
        &mut self,
        journal: &mut Journal,
        scope: UpdateScope,
        missing: MissingImages,
    ) -> Result<bool> {
        let stale = self.stale(journal, scope, missing)?;
        if stale.is_empty() {
            return Ok(false);
        }
        self.write(journal, missing, &stale)?;
        Ok(true)
    }

    /// Returns the stale files by their index in the list of exporters.
    fn stale(
        &self,
        journal: &Journal,
        scope: UpdateScope,
        missing: MissingImages,
    ) -> Result<Vec<usize>> {
        let mut stale = Vec::new();
        for (at, exporter) in self.exporters.iter().enumerate() {
            let name = exporter.name();
            let is_needed = self.creates(exporter.as_ref()) || self.outdir.join(name).exists();
            let is_included = match scope {
                UpdateScope::All => true,
                UpdateScope::DuringRun => exporter.is_updated_during_run(missing),
            };
            if is_included && is_needed && self.is_stale(journal, name, exporter.content())? {
                stale.push(at);
            }
        }
        Ok(stale)
    }

    /// Whether the file is created if it does not exist.
    fn creates(&self, exporter: &dyn Exporter) -> bool {
        exporter.is_always_written() || self.requested.contains(&exporter.name())
    }

    fn write(
        &mut self,
        journal: &mut Journal,
        missing: MissingImages,
        stale: &[usize],
    ) -> Result<()> {
        let prepared = prepare(journal, &self.outdir, stale)?;
        self.install(journal, prepared, missing)
    }

    /// Replaces files with new ones.
    fn install(
        &mut self,
        journal: &mut Journal,
        prepared: Prepared,
        missing: MissingImages,
    ) -> Result<()> {
        let begun = Instant::now();
        let withheld = match &prepared.selection {
            Some(selection) => {
                self.set_issues(selection);
                selection.withheld_lines.as_slice()
            }
            None => &[],
        };
        if missing == MissingImages::AreGone {
            self.keep_aside(LABELS, withheld, KeptBecause::ImageIsGone)?;
        }
        for new in prepared.files {
            let (exporter, version) = (&self.exporters[new.exporter], new.version);
            let name = exporter.name();
            self.replace(journal, new)?;
            // Otherwise the file stays stale, so that withheld lines are saved later.
            if missing == MissingImages::AreGone || withheld.is_empty() {
                journal.meta_set(&exported_key(name), &version.to_string())?;
            }
        }
        self.pace.last = Some((Instant::now(), prepared.took + begun.elapsed()));
        Ok(())
    }

    /// Replaces a file with a new one, after saving what other programs wrote to it.
    fn replace(&mut self, journal: &mut Journal, new: NewFile) -> Result<()> {
        let exporter = &self.exporters[new.exporter];
        let (name, has_lines) = (exporter.name(), exporter.has_lines());
        let (target, written) = (&new.target, new.written);
        let present = match new.present {
            Some((fingerprint, sha256)) if target.fingerprint() == Some(fingerprint) => {
                Some(sha256)
            }
            _ => target.sha256()?,
        };
        if present.is_none() && written.is_empty {
            return Ok(());
        }
        let hashes = written.line_hashes.clone();
        if present.as_ref() == Some(&written.sha256) {
            journal.meta_set(&written_key(name), &written.sha256)?;
        } else {
            if present.is_some() && !is_unchanged(journal, name, present.as_deref())? {
                match has_lines {
                    true => self.keep_foreign_lines(journal, new.exporter, target, &written)?,
                    false => self.keep_file(name, target)?,
                }
            }
            // Before the rename, so that the old file is recognized if the run is killed in
            // between.
            let present = present.unwrap_or_default();
            journal.meta_set(&replaced_key(name), &present)?;
            journal.meta_set(&written_key(name), &written.sha256)?;
            target.replace(written)?;
        }
        if has_lines {
            self.lines.insert(name, hashes);
        }
        Ok(())
    }

    /// Saves the lines that are neither in the last written file nor in the new one.
    fn keep_foreign_lines(
        &mut self,
        journal: &Journal,
        at: usize,
        target: &Target,
        written: &Written,
    ) -> Result<()> {
        let exporter = &self.exporters[at];
        let name = exporter.name();
        let known = self.lines.get(name);
        let mut lines = Vec::new();
        for line in read_lines(target.path())? {
            let hash = line_hash(&line);
            let is_known = written.line_hashes.contains(&hash)
                || known.is_some_and(|known| known.contains(&hash));
            if !is_known && !exporter.is_outdated(journal, &line)? {
                lines.push(line);
            }
        }
        self.keep_aside(name, &lines, KeptBecause::ChangedElsewhere)
    }

    fn keep_aside(
        &mut self,
        name: &'static str,
        lines: &[impl AsRef<[u8]>],
        why: KeptBecause,
    ) -> Result<()> {
        let lines = keep_lines(&self.outdir, KEPT, lines)?;
        if lines > 0 {
            self.notices.push(FileNotice::Kept {
                name,
                lines,
                why,
                kept: self.outdir.join(KEPT),
            });
        }
        Ok(())
    }

    /// Saves a copy of a file under an unused name.
    fn keep_file(&mut self, name: &'static str, target: &Target) -> Result<()> {
        let (stem, extension) = name.split_once('.').unwrap_or((name, "kept"));
        let kept = free_path(&self.outdir, |n| match n {
            1 => format!("{stem}_kept.{extension}"),
            n => format!("{stem}_kept-{n}.{extension}"),
        });
        copy_to_new(target.path(), &kept).map_err(file_error("writing", &kept))?;
        self.notices.push(FileNotice::KeptFile { name, kept });
        Ok(())
    }

    /// Records the issues and adds notices about damaged records, once.
    fn set_issues(&mut self, selection: &ExportSelection) {
        let damaged = &selection.issues.damaged;
        if !damaged.is_empty() && !self.is_damage_reported {
            self.is_damage_reported = true;
            for record in damaged.iter().take(MAX_LISTED) {
                self.notices.push(FileNotice::Damaged {
                    image_path: record.image_path.clone(),
                    item_name: record.item_name.clone(),
                    has_line: record.has_line,
                });
            }
            let more = damaged.len().saturating_sub(MAX_LISTED);
            if more > 0 {
                self.notices.push(FileNotice::MoreDamaged(more));
            }
            self.notices.push(FileNotice::CheckDisk);
        }
        self.issues = Some(selection.issues.clone());
    }

    fn is_stale(&self, journal: &Journal, name: &str, content: Content) -> Result<bool> {
        let version = journal.version(content)?;
        let exported = match journal.meta_get(&exported_key(name))? {
            Some(text) => text.parse().ok(),
            None => Some(0),
        };
        if exported != Some(version) {
            return Ok(true);
        }
        if version == 0 || self.outdir.join(name).exists() {
            return Ok(false);
        }
        journal.holds(content)
    }

    fn mark_exported(&self, journal: &mut Journal, name: &str, content: Content) -> Result<()> {
        let version = journal.version(content)?;
        journal.meta_set(&exported_key(name), &version.to_string())
    }
}

/// Key of `meta` for the hash of a file as it was last exported or imported.
fn written_key(name: &str) -> String {
    format!("written:{name}")
}

/// Key of `meta` for the content version that a file shows.
fn exported_key(name: &str) -> String {
    format!("exported:{name}")
}

/// Key of `meta` for the hash of the file that the last export replaced.
fn replaced_key(name: &str) -> String {
    format!("replaced:{name}")
}

/// Whether a file is unchanged since this program wrote or imported it.
fn is_unchanged(journal: &Journal, name: &str, sha256: Option<&str>) -> Result<bool> {
    let Some(sha256) = sha256 else {
        return Ok(false);
    };
    let matches = |key: String| Ok(journal.meta_get(&key)?.as_deref() == Some(sha256));
    Ok(matches(written_key(name))? || matches(replaced_key(name))?)
}

/// Rejects a link to a file that this program did not write, such as an image or a database. Only
/// `labels.jsonl` may be a link to another program's labels.
fn refuse_foreign_link(journal: &Journal, name: &str, target: &Target) -> Result<()> {
    let is_foreign = target.is_linked() && journal.meta_get(&written_key(name))?.is_none();
    if !is_foreign || !target.path().exists() {
        return Ok(());
    }
    let mut lines = read_lines(target.path())?;
    lines.retain(|line| !line.trim_ascii().is_empty());
    let is_record = |line: &Vec<u8>| {
        let text = String::from_utf8_lossy(line);
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(
            text.trim_start_matches('\u{feff}'),
        )
        .is_ok()
    };
    if lines.is_empty() || (name == LABELS && lines.iter().any(is_record)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!(
            "{name} is a link to {}, which labeler-tui did not write",
            target.path().display()
        ),
    )
    .with_hint("remove the link, or choose another --outdir"))
}

pub(super) fn read_lines(path: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path).map_err(file_error("reading", path))?;
    Ok(bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect())
}

/// Copies a file to a path that must not exist.
fn copy_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = std::fs::File::create_new(to)?;
    io::copy(&mut std::fs::File::open(from)?, &mut copy)?;
    copy.sync_all()
}
