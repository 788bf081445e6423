//! Keeps the files of an outdir up to date with its journal.
//!
//! During a run the journal alone is written for every record; the exports follow every few
//! seconds and at the end. Where a run ended in between, the next one rebuilds them at once. Large
//! files are prepared on a thread of their own while somebody works at the journal, see
//! [`prepared`](super::prepared).

use super::exporter::Exporter;
use super::exporters::exporters;
use super::prepared::{NewFile, Prepared, Preparing, prepare};
use super::target::{LineHash, Target, Written, line_hash};
use super::truth::{Tally, Truth};
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{FileNotice, KEPT, KeptBecause, LABELS, file, keep_lines};
use crate::store::{Content, FileOfRecords, Journal, Prefer, written_key};
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The shortest time between two exports while a run is going on.
const PAUSE: Duration = Duration::from_secs(5);
/// An export may take this part of a run's time at most, and this one on a thread of its own.
const SHARE: u32 = 20;
const SHARE_BESIDE: u32 = 4;
/// Files of up to so many bytes are written in a moment.
const SMALL: u64 = 512 << 10;
/// Damaged records named one by one.
const TOLD: usize = 20;

/// When the last export of this process was, and how long it took.
#[derive(Debug, Default)]
struct Pace {
    last: Option<(Instant, Duration)>,
}

impl Pace {
    fn is_due(&self, share: u32) -> bool {
        match self.last {
            Some((at, took)) => at.elapsed() >= PAUSE.max(took * share),
            None => true,
        }
    }
}

/// The files of one outdir, owned by the thread that owns its journal.
#[derive(Debug)]
pub struct Exports {
    outdir: PathBuf,
    exporters: Vec<Box<dyn Exporter>>,
    /// Files that are made on request only; one that is there is kept up in any case.
    requested: Vec<&'static str>,
    pace: Pace,
    /// Those that are being prepared.
    preparing: Option<Preparing>,
    /// Somebody wants all files up to date.
    is_wanted: bool,
    /// The lines of each file as it was last written or imported.
    lines: HashMap<&'static str, HashSet<LineHash>>,
    tally: Option<Tally>,
    is_damage_told: bool,
    notices: Vec<FileNotice>,
}

impl Exports {
    /// `requested`: names of files that are made on request only.
    pub fn new(outdir: &Path, requested: &[&'static str]) -> Self {
        Self {
            outdir: outdir.to_owned(),
            exporters: exporters().into(),
            requested: requested.to_vec(),
            pace: Pace::default(),
            preparing: None,
            is_wanted: false,
            lines: HashMap::new(),
            tally: None,
            is_damage_told: false,
            notices: Vec::new(),
        }
    }

    /// Imports a `labels.jsonl` that something else has written, and rebuilds stale exports; once,
    /// before anything else is asked of the journal.
    pub fn catch_up(&mut self, journal: &mut Journal) -> Result<()> {
        self.check_targets(journal)?;
        self.import(journal, Prefer::Journal)?;
        self.remember_lines(journal)?;
        self.update(journal, true)
    }

    /// Brings the files of lines up to date where a pause has passed since the last time; for
    /// calling after every record of a run. Tells whether there was something to do. For
    /// `settled` see [`Self::update`].
    pub fn update_if_due(&mut self, journal: &mut Journal, settled: bool) -> Result<bool> {
        Ok(self.pace.is_due(SHARE) && self.write_stale(journal, settled, false)?)
    }

    /// After an operator's step: brings all files up to date at once where they are small, else as
    /// soon as [`Self::follow`] has them.
    pub fn want(&mut self, journal: &mut Journal, settled: bool) -> Result<()> {
        self.is_wanted = true;
        self.follow(journal, settled)
    }

    /// For calling again and again while somebody works at the journal, who does not wait for
    /// large files: they are prepared on a thread of their own.
    pub fn follow(&mut self, journal: &mut Journal, settled: bool) -> Result<()> {
        if let Some(preparing) = &self.preparing {
            let Some(result) = preparing.result() else {
                return Ok(());
            };
            let settled = preparing.settled;
            self.preparing = None;
            return match result {
                Ok(prepared) => self.put(journal, prepared, settled),
                Err(error) => {
                    tracing::warn!(%error, "the exports are written at once instead");
                    self.update(journal, settled)
                }
            };
        }
        let is_small = self.is_small();
        let is_time = match is_small {
            true => self.is_wanted || self.pace.is_due(SHARE),
            false => self.pace.is_due(SHARE_BESIDE),
        };
        if !is_time {
            return Ok(());
        }
        let stale = self.stale(journal, self.is_wanted)?;
        match is_small {
            _ if stale.is_empty() => {}
            true => self.write(journal, settled, &stale)?,
            false => match Preparing::start(journal, stale.clone(), settled) {
                Ok(preparing) => self.preparing = Some(preparing),
                Err(error) => {
                    tracing::warn!(%error, "the exports are written at once instead");
                    self.write(journal, settled, &stale)?;
                }
            },
        }
        self.is_wanted = false;
        Ok(())
    }

    fn is_small(&self) -> bool {
        let lengths = self.exporters.iter().map(|exporter| {
            let about = std::fs::metadata(self.outdir.join(exporter.name()));
            about.map_or(0, |about| about.len())
        });
        lengths.sum::<u64>() <= SMALL
    }

    /// Brings all files up to date: at the end of a run, after an operator's commit. `settled`:
    /// the source has been read, so that a picture that is not at its path is known to be gone.
    pub fn update(&mut self, journal: &mut Journal, settled: bool) -> Result<()> {
        if let Some(preparing) = self.preparing.take() {
            // It shows less than there is by now.
            preparing.abandon();
        }
        self.write_stale(journal, settled, true)?;
        self.is_wanted = false;
        Ok(())
    }

    /// Records that are not exported as they stand.
    pub fn tally(&mut self, journal: &Journal) -> Result<Tally> {
        if let Some(tally) = &self.tally {
            return Ok(tally.clone());
        }
        let truth = Truth::of(journal, &self.outdir.join(LABELS))?;
        self.tell(&truth);
        Ok(truth.tally)
    }

    /// What the user should know; told once.
    pub fn take_notices(&mut self) -> Vec<FileNotice> {
        std::mem::take(&mut self.notices)
    }

    /// Exports a journal that was rebuilt: where its records and the lines of `labels.jsonl`
    /// differ, the lines are what is known to be good.
    pub fn rebuild(&mut self, journal: &mut Journal) -> Result<()> {
        self.check_targets(journal)?;
        self.import(journal, Prefer::File)?;
        self.remember_lines(journal)?;
        self.update(journal, true)
    }

    /// Refuses to replace what is somebody else's.
    fn check_targets(&self, journal: &Journal) -> Result<()> {
        for exporter in &self.exporters {
            let target = Target::find(&self.outdir, exporter.name())?;
            refuse_foreign_link(journal, exporter.name(), &target)?;
            target.remove_leftovers();
        }
        Ok(())
    }

    fn import(&mut self, journal: &mut Journal, prefer: Prefer) -> Result<()> {
        let is_behind = self.is_stale(journal, LABELS, Content::Records)?;
        let known = journal.meta_get(&written_key(LABELS))?;
        let path = self.outdir.join(LABELS);
        let records = FileOfRecords {
            path: &path,
            known: known.as_deref(),
            is_behind,
            prefer,
        };
        let Some(imported) = journal.import(&records)? else {
            return Ok(());
        };
        self.notices.extend(imported.notices);
        journal.meta_set(&written_key(LABELS), &imported.sha256)?;
        if imported.is_current && !is_behind {
            // The file is what it should be; others are not.
            self.mark_exported(journal, LABELS, Content::Records)?;
        }
        Ok(())
    }

    /// Notes the lines of files that are as they were left, or have been imported.
    fn remember_lines(&mut self, journal: &Journal) -> Result<()> {
        let names = self.exporters.iter().filter(|of| of.has_lines());
        let names: Vec<&'static str> = names.map(|exporter| exporter.name()).collect();
        for name in names {
            let target = Target::find(&self.outdir, name)?;
            let Ok(true) = target.path().try_exists() else {
                continue;
            };
            // Read once: it may be large.
            let bytes = std::fs::read(target.path()).map_err(file("reading", target.path()))?;
            if is_as_left(journal, name, Some(&hex(&Sha256::digest(&bytes))))? {
                let lines = bytes.split(|byte| *byte == b'\n');
                self.lines.insert(name, lines.map(line_hash).collect());
            }
        }
        Ok(())
    }

    fn write_stale(&mut self, journal: &mut Journal, settled: bool, all: bool) -> Result<bool> {
        let stale = self.stale(journal, all)?;
        if stale.is_empty() {
            return Ok(false);
        }
        self.write(journal, settled, &stale)?;
        Ok(true)
    }

    /// The files that do not show what the journal holds, by their places in the list; `all`: not
    /// only those that follow a run.
    fn stale(&self, journal: &Journal, all: bool) -> Result<Vec<usize>> {
        let mut stale = Vec::new();
        for (at, exporter) in self.exporters.iter().enumerate() {
            let name = exporter.name();
            let is_wanted = exporter.is_always_written()
                || self.requested.contains(&name)
                || self.outdir.join(name).exists();
            let is_time = all || exporter.follows_run();
            if is_time && is_wanted && self.is_stale(journal, name, exporter.content())? {
                stale.push(at);
            }
        }
        Ok(stale)
    }

    fn write(&mut self, journal: &mut Journal, settled: bool, stale: &[usize]) -> Result<()> {
        let prepared = prepare(journal, &self.outdir, stale)?;
        self.put(journal, prepared, settled)
    }

    /// Puts new files in their places.
    fn put(&mut self, journal: &mut Journal, prepared: Prepared, settled: bool) -> Result<()> {
        let begun = Instant::now();
        let withheld = match &prepared.truth {
            Some(truth) => {
                self.tell(truth);
                truth.withheld_lines.as_slice()
            }
            None => &[],
        };
        if settled {
            self.keep_aside(LABELS, withheld, KeptBecause::PictureIsGone)?;
        }
        for new in prepared.files {
            let (exporter, version) = (&self.exporters[new.exporter], new.version);
            let name = exporter.name();
            self.replace(journal, new)?;
            // Withheld lines that are in no file yet are still to be kept.
            if settled || withheld.is_empty() {
                journal.meta_set(&exported_key(name), &version.to_string())?;
            }
        }
        self.pace.last = Some((Instant::now(), prepared.took + begun.elapsed()));
        Ok(())
    }

    /// Puts a new file in its place, once what others have written there is safe.
    fn replace(&mut self, journal: &mut Journal, new: NewFile) -> Result<()> {
        let exporter = &self.exporters[new.exporter];
        let (name, has_lines) = (exporter.name(), exporter.has_lines());
        let (target, written) = (&new.target, new.written);
        let standing = match new.standing {
            Some((look, sha256)) if target.look() == Some(look) => Some(sha256),
            _ => target.sha256()?,
        };
        if standing.is_none() && written.is_empty {
            return Ok(());
        }
        let hashes = written.line_hashes.clone();
        if standing.as_ref() == Some(&written.sha256) {
            journal.meta_set(&written_key(name), &written.sha256)?;
        } else {
            if standing.is_some() && !is_as_left(journal, name, standing.as_deref())? {
                match has_lines {
                    true => self.keep_foreign_lines(journal, new.exporter, target, &written)?,
                    false => self.keep_whole(name, target)?,
                }
            }
            // Before the rename: cut off in between, the file is known as the one replaced.
            let standing = standing.unwrap_or_default();
            journal.meta_set(&replaced_key(name), &standing)?;
            journal.meta_set(&written_key(name), &written.sha256)?;
            target.replace(written)?;
        }
        if has_lines {
            self.lines.insert(name, hashes);
        }
        Ok(())
    }

    /// Keeps the lines that were neither there the last time nor are about to be.
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
        self.keep_aside(name, &lines, KeptBecause::SomethingElseChangedIt)
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

    /// Keeps a file that is not made of lines under a name that is free.
    fn keep_whole(&mut self, name: &'static str, target: &Target) -> Result<()> {
        let (stem, extension) = name.split_once('.').unwrap_or((name, "kept"));
        for number in 1.. {
            let kept = match number {
                1 => format!("{stem}_kept.{extension}"),
                n => format!("{stem}_kept-{n}.{extension}"),
            };
            let kept = self.outdir.join(kept);
            match copy_to_new(target.path(), &kept) {
                Ok(()) => {
                    self.notices.push(FileNotice::KeptWhole { name, kept });
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file("writing", &kept)(error)),
            }
        }
        Ok(())
    }

    /// Notes what is to be told of the records.
    fn tell(&mut self, truth: &Truth) {
        let damaged = &truth.tally.damaged;
        if !damaged.is_empty() && !self.is_damage_told {
            self.is_damage_told = true;
            for record in damaged.iter().take(TOLD) {
                self.notices.push(FileNotice::Damaged {
                    image_path: record.image_path.clone(),
                    item_name: record.item_name.clone(),
                    has_line: record.has_line,
                });
            }
            let more = damaged.len().saturating_sub(TOLD);
            if more > 0 {
                self.notices.push(FileNotice::MoreDamaged(more));
            }
            self.notices.push(FileNotice::CheckDisk);
        }
        self.tally = Some(truth.tally.clone());
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

/// Where the version that a file shows is kept.
fn exported_key(name: &str) -> String {
    format!("exported:{name}")
}

/// Where the hash of the file that was replaced by that is kept.
fn replaced_key(name: &str) -> String {
    format!("replaced:{name}")
}

/// Whether a file is as this program has left it.
fn is_as_left(journal: &Journal, name: &str, sha256: Option<&str>) -> Result<bool> {
    let Some(sha256) = sha256 else {
        return Ok(false);
    };
    let is = |key: String| Ok(journal.meta_get(&key)?.as_deref() == Some(sha256));
    Ok(is(written_key(name))? || is(replaced_key(name))?)
}

/// A link that leads to somebody's file of another kind, a picture or a database say, is not
/// written through. `labels.jsonl` of an earlier program may be linked.
fn refuse_foreign_link(journal: &Journal, name: &str, target: &Target) -> Result<()> {
    let is_theirs = target.is_linked() && journal.meta_get(&written_key(name))?.is_none();
    if !is_theirs || !target.path().exists() {
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
    let bytes = std::fs::read(path).map_err(file("reading", path))?;
    Ok(bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect())
}

/// Copies a file to a name that nothing has yet.
fn copy_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = std::fs::File::create_new(to)?;
    io::copy(&mut std::fs::File::open(from)?, &mut copy)?;
    copy.sync_all()
}
