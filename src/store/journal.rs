//! The journal of one outdir: every answer, edit and decision, in one append-only SQLite file.
//!
//! [`Journal`] is the interface for the rest of the program. It delegates to the open [`Database`],
//! the current [`SourceReading`], the [`History`] of steps, and the other modules of `store`.

use super::answers::{self, Merged, StoredAttempt};
use super::audit;
use super::checks;
use super::contents::{self, Committed, DisplacedEdit, FailedItem};
use super::database::lock::Lock;
use super::database::{Database, UnusableJournal};
use super::history::{History, Mark, StepOutcome};
use super::images::{self, Outlines, Relatives};
use super::import::{self, Imported, LabelsFile};
use super::learning::Learning;
use super::queries::{self, Counts, KnownGroup};
use super::review_records::{self, StoredRecord};
use super::source_reading::{self, NewGroup, SourceReading, Upserted};
use super::tables::answers::attempts_of;
use super::tables::computed::{is_measured, read_retrieved};
use super::tables::drafts::{first_text, read_draft_of};
use super::tables::groups::{each_image, find_by_hash, find_by_path};
use super::tables::judgments::{insert_judgment, newest_seed, read_judgments};
use super::tables::meta::{self, Content};
use crate::error::Result;
use crate::icon::Measured;
use crate::outdir;
use crate::record::filter::Views;
use crate::record::fixes::FixPreview;
use crate::record::{
    Appearance, ApprovedRecord, Attempt, AuditEstimate, Change, Direction, Estimator, Failure,
    FixKind, GroupDetail, GroupId, GroupSummary, Item, Judgment, Labels, PastStep, Reason,
    Recoloring, RetrievalResult, RetrievalSummary, SampledRecord, Verdict, Vocabulary,
    VocabularyPreview,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prefix of `meta` keys for settings of front ends.
pub const FRONT_END_PREFIX: &str = "front.";

/// The journal of one outdir, owned by one thread of one process.
#[derive(Debug)]
pub struct Journal {
    source: SourceReading,
    history: History,
    learning: Learning,
    outlines: Outlines,
    vocabulary: Arc<Vocabulary>,
    database: Database,
}

impl Journal {
    /// Locks an outdir and opens or creates its journal. Everything that can fail at startup fails
    /// here; nothing here takes long.
    pub fn lock(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        outdir::create(outdir)?;
        Self::with(Lock::take(outdir)?, outdir, vocabulary)
    }

    /// Opens or creates the journal of a locked outdir.
    pub(super) fn with(lock: Lock, outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        let mut database = Database::open(lock, outdir)?;
        checks::check_again(database.write(), &vocabulary)?;
        let history = History::read(database.read())?;
        let learning = Learning::read(database.read(), &vocabulary)?;
        database.remember_files();
        Ok(Self {
            source: SourceReading::default(),
            history,
            learning,
            outlines: Outlines::default(),
            vocabulary,
            database,
        })
    }

    /// Opens a read-only snapshot, to be read while this journal is written. It has no undo
    /// history.
    pub fn snapshot(&self) -> Result<Self> {
        Ok(Self {
            source: SourceReading::default(),
            history: History::default(),
            learning: Learning::default(),
            outlines: Outlines::default(),
            vocabulary: Arc::clone(&self.vocabulary),
            database: self.database.snapshot()?,
        })
    }

    /// Replaces the vocabulary for later steps and checks.
    pub fn set_vocabulary(&mut self, vocabulary: Arc<Vocabulary>) {
        self.vocabulary = vocabulary;
    }

    pub fn outdir(&self) -> &Path {
        self.database.outdir()
    }

    /// Checks that the files at their paths are the ones that are open. If only the log was
    /// deleted, copies its content into the journal.
    pub fn verify(&mut self) -> Result<(), UnusableJournal> {
        self.database.verify()
    }

    /// Records the files' current state. Must be called after every use.
    pub fn remember_files(&mut self) {
        self.database.remember_files();
    }

    /// Writes the whole journal to its path again after the file was deleted or replaced. Renames
    /// the file that is there now, and returns its new path.
    pub fn rewrite(&mut self) -> Result<Option<PathBuf>> {
        self.database.rewrite()
    }

    /// Writes the whole journal to a `journal.rescued-*.sqlite` in the outdir.
    pub fn rescue(&mut self) -> Result<PathBuf> {
        self.database.rescue()
    }

    /// Must be called before a source is read. Row counts start at zero; names are kept.
    pub fn begin_source(&mut self) {
        self.source.begin();
    }

    /// Inserts or updates the groups that a source names, in one transaction. A group is found by
    /// its hash, or by its path while its hash is unknown. Other bytes at a known path are a new
    /// group; the earlier group keeps its data in case its image appears elsewhere.
    pub fn upsert_groups(&mut self, groups: &[NewGroup]) -> Result<Vec<Upserted>> {
        let db = self.database.write();
        self.source.upsert(db, &self.vocabulary, groups)
    }

    /// Adds row counts to known groups, in one transaction.
    pub fn add_rows(&mut self, rows: &[(GroupId, u64)]) -> Result<()> {
        source_reading::add_all_rows(self.database.write(), rows)
    }

    /// Adds paths of known groups' images, in one transaction. A group whose image was at such a
    /// path before is displaced.
    pub fn add_paths(&mut self, paths: &[(GroupId, String)]) -> Result<()> {
        source_reading::add_paths(self.database.write(), paths)
    }

    /// Adds names to known groups, in one transaction. A group without a name takes the
    /// first one, and its drafts are checked again. Returns the groups whose summaries changed.
    pub fn add_names(&mut self, names: &[(GroupId, Vec<String>)]) -> Result<Vec<GroupId>> {
        source_reading::add_names(self.database.write(), &self.vocabulary, names)
    }

    /// Stores measurements of images, in one transaction: the colors that the color rules compare
    /// with, and the drawings that define families. Checks the drafts of these groups again.
    /// Returns the groups whose summaries or families changed.
    pub fn set_measured(&mut self, measured: &[(GroupId, Measured)]) -> Result<Vec<GroupId>> {
        let db = self.database.write();
        let set = images::set_measured(db, &mut self.outlines, &self.vocabulary, measured);
        // The cache may contain what was not saved.
        set.inspect_err(|_| self.outlines.forget())
    }

    /// Returns the other groups with the same drawing, and the one to derive a record from.
    pub fn relatives(&self, group: GroupId) -> Result<Relatives> {
        images::relatives(self.database.read(), group)
    }

    /// Returns the operator-committed records of `groups`, or of all groups.
    pub fn approved(&self, groups: Option<&[GroupId]>) -> Result<Vec<ApprovedRecord>> {
        images::approved(self.database.read(), &self.vocabulary, groups)
    }

    /// Returns the appearance of a group's icon; `None` if it was not measured or cannot be
    /// compared.
    pub fn appearance(&self, group: GroupId) -> Result<Option<Appearance>> {
        images::appearance(self.database.read(), &self.vocabulary, group)
    }

    /// Derives labels for `group` from the draft of `from`, whose image is the same drawing. `None`
    /// if there is no draft, or if it contains something that may not be true of the other item.
    pub fn derived_labels(
        &self,
        group: GroupId,
        from: GroupId,
        recoloring: &Recoloring,
    ) -> Result<Option<Labels>> {
        let db = self.database.read();
        images::derived_labels(db, &self.vocabulary, group, from, recoloring)
    }

    /// Stores labels that were derived from the draft of `from`, like a model's answer. `None` if
    /// `from` has no draft.
    pub fn add_derived(
        &mut self,
        group: GroupId,
        from: GroupId,
        labels: &Labels,
    ) -> Result<Option<StoredAttempt>> {
        let db = self.database.write();
        images::add_derived(db, &self.vocabulary, group, from, labels)
    }

    /// Replaces all retrieval results. Returns the groups whose summaries changed.
    pub fn set_retrieved(
        &mut self,
        found: &[(GroupId, RetrievalResult)],
        summary: &RetrievalSummary,
    ) -> Result<Vec<GroupId>> {
        images::set_retrieved(self.database.write(), &self.vocabulary, found, summary)
    }

    /// Returns the retrieval result for a group's texts, which may have changed since.
    pub fn retrieved(&self, group: GroupId) -> Result<Option<RetrievalResult>> {
        read_retrieved(self.database.read(), group)
    }

    /// Returns the images with a known hash, with their SHA-256.
    pub fn image_hashes(&self) -> Result<Vec<(GroupId, String)>> {
        images::image_hashes(self.database.read())
    }

    /// Returns the summary of the last retrieval; `None` before the first.
    pub fn retrieval(&self) -> Result<Option<RetrievalSummary>> {
        images::retrieval(self.database.read())
    }

    pub fn is_measured(&self, group: GroupId) -> Result<bool> {
        is_measured(self.database.read(), group)
    }

    /// Stores an answer or a failed attempt. An answer becomes the draft or an offer.
    pub fn add_attempt(&mut self, group: GroupId, attempt: &Attempt) -> Result<StoredAttempt> {
        answers::add(self.database.write(), group, attempt, None)
    }

    /// Stores the retry of an earlier answer, or its failure, and the merge of both, in one
    /// transaction. The merge becomes the newest answer.
    pub fn add_retry(
        &mut self,
        group: GroupId,
        retry: &Attempt,
        merged: &Merged,
    ) -> Result<StoredAttempt> {
        answers::add(self.database.write(), group, retry, Some(merged))
    }

    /// Returns the answer that [`Self::commit_automatic`] would commit, unless it is a retry or
    /// already has one. An earlier run may have ended before the retry.
    pub fn answer_without_retry(&self, group: GroupId) -> Result<Option<Attempt>> {
        answers::without_retry(self.database.read(), group)
    }

    /// Returns the answer behind an undecided, unedited draft, and its number of second opinions.
    pub fn answer_to_review(&self, group: GroupId) -> Result<Option<(Attempt, u32)>> {
        answers::to_review(self.database.read(), group)
    }

    /// Stores failures that came before any request to the model, such as a missing or broken
    /// image, in one transaction.
    pub fn add_failures(&mut self, failures: &[(GroupId, Failure)]) -> Result<Vec<GroupId>> {
        answers::add_failures(self.database.write(), failures)
    }

    pub fn add_failure(&mut self, group: GroupId, failure: &Failure) -> Result<Vec<GroupId>> {
        self.add_failures(&[(group, failure.clone())])
    }

    /// Commits the draft with its reasons, for `--batch`. Does nothing if the operator has edited
    /// it or decided about it, or if it is committed already. Not an undoable step.
    pub fn commit_automatic(&mut self, group: GroupId) -> Result<Vec<GroupId>> {
        answers::commit(self.database.write(), group)
    }

    /// Applies a change to all these groups as one step. If it changes nothing, no step is stored.
    /// If it can be applied to none of them, the result is an error of kind `Usage`. `done`
    /// describes the step in the log and for undo; for several groups, the number of records is
    /// appended.
    pub fn apply(
        &mut self,
        groups: &[GroupId],
        change: &Change,
        done: &str,
    ) -> Result<StepOutcome> {
        let db = self.database.write();
        let applied = self
            .history
            .apply(db, &self.vocabulary, groups, change, done)?;
        self.learning.learn_from_newest(db, &self.vocabulary);
        Ok(applied)
    }

    /// Undoes the newest step; `None` if there is none.
    pub fn undo(&mut self) -> Result<Option<StepOutcome>> {
        self.go(Direction::Undo, None)
    }

    /// Redoes the step that was undone last; `None` if there is none.
    pub fn redo(&mut self) -> Result<Option<StepOutcome>> {
        self.go(Direction::Redo, None)
    }

    /// Undoes or redoes a step, and stores `mark` in `meta` in the same transaction.
    pub(super) fn go(
        &mut self,
        direction: Direction,
        mark: Option<Mark>,
    ) -> Result<Option<StepOutcome>> {
        let db = self.database.write();
        let done = match direction {
            Direction::Undo => self.history.undo(db, mark)?,
            Direction::Redo => self.history.redo(db, mark)?,
        };
        self.learning.learn_from_newest(db, &self.vocabulary);
        Ok(done)
    }

    /// Returns the uncertainty estimator, which learns from steps, and how many times it has
    /// changed since the journal was opened.
    pub fn learned(&self) -> (&Estimator, u64) {
        (self.learning.estimator(), self.learning.changes())
    }

    /// Returns the steps that undo and redo would take next.
    pub fn next_steps(&self) -> Result<(Option<PastStep>, Option<PastStep>)> {
        self.history.next_steps(self.database.read())
    }

    /// Imports the records of a labels file that the journal does not have. `None` if there is no
    /// file or nothing new in it.
    pub fn import(&mut self, records: &LabelsFile) -> Result<Option<Imported>> {
        let outdir = self.database.outdir().to_owned();
        import::import(self.database.write(), &self.vocabulary, &outdir, records)
    }

    /// Returns a group as the queue shows it.
    pub fn summary(&self, id: GroupId) -> Result<Option<GroupSummary>> {
        queries::summary(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
            id,
        )
    }

    /// Returns the state of each of these groups, in order; `None` for an unknown group.
    pub fn known_groups(&self, ids: &[GroupId]) -> Result<Vec<Option<KnownGroup>>> {
        queries::known_groups(self.database.read(), ids)
    }

    /// Returns the summaries of these groups, in the given order, without unknown groups.
    pub fn summaries_of(&self, ids: &[GroupId]) -> Result<Vec<GroupSummary>> {
        queries::summaries_of(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
            ids,
        )
    }

    /// Passes all summaries to `take`, in batches and source order, so that a front end can show
    /// the first ones at once.
    pub fn each_summary(
        &self,
        batch: usize,
        take: impl FnMut(Vec<GroupSummary>) -> Result<()>,
    ) -> Result<()> {
        queries::each_summary(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
            batch,
            take,
        )
    }

    pub fn summaries(&self) -> Result<Vec<GroupSummary>> {
        queries::summaries(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
        )
    }

    /// Returns all summaries, with the committed text in place of a draft that is not committed.
    pub fn committed_summaries(&self) -> Result<Vec<GroupSummary>> {
        queries::committed_summaries(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
        )
    }

    /// Returns everything about one group; `None` if it is unknown.
    pub fn detail(&self, id: GroupId) -> Result<Option<GroupDetail>> {
        let estimator = self.learning.estimator();
        queries::detail(self.database.read(), &self.vocabulary, estimator, id)
    }

    /// Returns the stored part of a record to review.
    pub fn stored_record(&self, summary: GroupSummary) -> Result<StoredRecord> {
        review_records::stored(self.database.read(), summary)
    }

    /// Returns the attempts of a group, oldest first.
    pub fn attempts(&self, id: GroupId) -> Result<Vec<Attempt>> {
        attempts_of(self.database.read(), id)
    }

    /// Returns the item and image hash of a group, which a new attempt needs.
    pub fn item(&self, id: GroupId) -> Result<(Item, Option<String>)> {
        queries::item(self.database.read(), id)
    }

    /// Whether it has no images yet.
    pub fn is_empty(&self) -> Result<bool> {
        queries::is_empty(self.database.read())
    }

    /// Returns the counts for the summary of a run.
    pub fn counts(&self) -> Result<Counts> {
        queries::counts(self.database.read())
    }

    /// Previews what canonicalizing these groups' drafts would change.
    pub fn vocabulary_preview(&self, groups: &[GroupId]) -> Result<VocabularyPreview> {
        queries::vocabulary_preview(self.database.read(), &self.vocabulary, groups)
    }

    /// Previews what a fix would change in these groups.
    pub fn fix_preview(
        &self,
        groups: &[GroupId],
        reason: Reason,
        kind: FixKind,
    ) -> Result<FixPreview> {
        let estimator = self.learning.estimator();
        let db = self.database.read();
        queries::fix_preview(db, &self.vocabulary, estimator, groups, reason, kind)
    }

    /// Returns the version of `content`, which grows with every change. Starts at 0.
    pub fn version(&self, content: Content) -> Result<u64> {
        meta::version(self.database.read(), content)
    }

    /// Whether the journal has anything to export as `content`.
    pub fn holds(&self, content: Content) -> Result<bool> {
        contents::holds(self.database.read(), content)
    }

    /// Passes every committed record to `take`, in source order. Placeholders for unreadable lines
    /// are left out.
    pub fn each_record(&self, take: impl FnMut(Committed) -> Result<()>) -> Result<()> {
        contents::each_record(self.database.read(), take)
    }

    /// Passes every item that has neither a record nor an answer to `take`, in source order.
    pub fn each_failure(&self, take: impl FnMut(FailedItem) -> Result<()>) -> Result<()> {
        contents::each_failure(self.database.read(), take)
    }

    /// Passes every uncommitted operator text whose image is displaced to `take`.
    pub fn each_displaced_edit(&self, take: impl FnMut(DisplacedEdit) -> Result<()>) -> Result<()> {
        contents::each_displaced_edit(self.database.read(), take)
    }

    /// Passes the path and hash of every image to `take`.
    pub fn each_image(&self, take: impl FnMut(GroupId, &str, Option<&str>)) -> Result<()> {
        each_image(self.database.read(), take)
    }

    /// Returns the group of an image by its hash.
    pub fn group_with_hash(&self, sha256: &str) -> Result<Option<GroupId>> {
        find_by_hash(self.database.read(), sha256)
    }

    /// Returns the group of the image that was last seen at a path.
    pub fn group_at(&self, path: &str) -> Result<Option<GroupId>> {
        find_by_path(self.database.read(), path)
    }

    /// Returns the labels of a version; `None` if it does not belong to this group.
    pub fn version_text(&self, group: GroupId, version: i64) -> Result<Option<Labels>> {
        let draft = read_draft_of(self.database.read(), group, version)?;
        Ok(draft.map(|draft| draft.labels))
    }

    /// Returns the labels of a group's first version.
    pub fn first_text(&self, group: GroupId) -> Result<Option<Labels>> {
        first_text(self.database.read(), group)
    }

    /// Returns the seed of the most recent audit; `None` if there are no judgments.
    pub fn newest_audit(&self) -> Result<Option<u64>> {
        newest_seed(self.database.read())
    }

    /// Returns the first `size` records of an audit's sample, or all of them.
    pub fn audit_sample(&self, seed: u64, size: usize) -> Result<Vec<SampledRecord>> {
        audit::sample(
            self.database.read(),
            &self.vocabulary,
            self.learning.estimator(),
            seed,
            size,
        )
    }

    /// Returns the judgments of an audit that were not retracted, oldest first.
    pub fn judgments(&self, seed: u64) -> Result<Vec<Judgment>> {
        read_judgments(self.database.read(), seed)
    }

    /// Stores a judgment of a version. `None` retracts the newest judgment of it.
    pub fn judge(
        &mut self,
        seed: u64,
        group: GroupId,
        version: i64,
        verdict: Option<Verdict>,
    ) -> Result<()> {
        insert_judgment(self.database.write(), seed, group, version, verdict)
    }

    /// Estimates the error rate from the audit with this seed, or else from the most recent audit.
    /// `None` if there are no judgments. `width` is the target width of the interval.
    pub fn audit(&self, seed: Option<u64>, width: f64) -> Result<Option<AuditEstimate>> {
        let estimator = self.learning.estimator();
        audit::estimate(
            self.database.read(),
            &self.vocabulary,
            estimator,
            seed,
            width,
        )
    }

    /// Reads a value kept between runs.
    pub fn meta_get(&self, key: &str) -> Result<Option<String>> {
        meta::get(self.database.read(), key)
    }

    pub fn meta_set(&mut self, key: &str, value: &str) -> Result<()> {
        meta::set(self.database.read(), key, value)
    }

    /// Returns every entry of `meta` whose key starts with `prefix`, without the prefix.
    pub fn meta_with_prefix(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        meta::with_prefix(self.database.read(), prefix)
    }

    /// Returns the filters that were saved under a name.
    pub fn views(&self) -> Result<Views> {
        let key = format!("{FRONT_END_PREFIX}{}", Views::KEY);
        let text = meta::get(self.database.read(), &key)?;
        Ok(text.map_or_else(Views::default, |text| Views::parse(&text)))
    }

    /// The database, for tests to inspect.
    #[cfg(test)]
    pub(super) fn db(&self) -> &rusqlite::Connection {
        self.database.read()
    }
}
