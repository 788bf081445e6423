//! The journal of one outdir: every answer, edit and decision, in one SQLite file that only grows.
//!
//! [`Journal`] is what the rest of the program sees; it hands each request to the part that does
//! it: the open [`Database`], the current [`SourceReading`], the [`History`] of steps.

use super::answers::{self, Added, Merged};
use super::audit;
use super::checks;
use super::contents::{self, Committed, DisplacedEdit, FailedItem};
use super::database::lock::Lock;
use super::database::{Database, Misplaced};
use super::fixes;
use super::history::{History, StepOutcome};
use super::images::{self, Outlines, Relatives};
use super::import::{self, FileOfRecords, Imported};
use super::learning::Learning;
use super::queries::{self, Counts, KnownGroup};
use super::source_reading::{self, Members, NewGroup, SourceReading, Upserted};
use super::tables::answers::attempts_of;
use super::tables::computed::{is_measured, read_retrieved};
use super::tables::drafts::{first_text, read_draft_of};
use super::tables::groups::find_by_path;
use super::tables::judgments::{insert_judgment, newest_seed};
use super::tables::meta::{self, Content};
use crate::error::Result;
use crate::icon::Measured;
use crate::outdir;
use crate::record::filter::Views;
use crate::record::fixes::{FixPreview, FixableRecord};
use crate::record::{
    Appearance, ApprovedRecord, Attempt, AuditEstimate, Change, Estimator, Failure, FixKind,
    GroupDetail, GroupId, GroupState, GroupSummary, Item, Labels, PastStep, Reason, Recoloring,
    RetrievalResult, RetrievalSummary, SampledRecord, Verdict, Vocabulary, VocabularyPreview,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Begins the keys under which the journal holds front ends' own settings.
pub const REMEMBERED: &str = "front.";

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
    /// Locks an outdir and opens or creates its journal: all that can be refused, and nothing that
    /// takes long.
    pub fn lock(outdir: &Path, vocabulary: Arc<Vocabulary>) -> Result<Self> {
        outdir::create(outdir)?;
        Self::with(Lock::take(outdir)?, outdir, vocabulary)
    }

    /// The same where the lock is held already.
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

    /// The journal as it is now, to be read while this one is written; it has no steps to undo, and
    /// nothing can be written to it.
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

    /// Steps and checks from now on go by these words.
    pub fn set_vocabulary(&mut self, vocabulary: Arc<Vocabulary>) {
        self.vocabulary = vocabulary;
    }

    pub fn outdir(&self) -> &Path {
        self.database.outdir()
    }

    /// Whether the files are still those that are open. A log that was deleted is repaired: all
    /// that it held goes into the journal itself.
    pub fn verify(&mut self) -> Result<(), Misplaced> {
        self.database.verify()
    }

    /// To be called after every use: the files are now as they are by what was done here.
    pub fn remember_files(&mut self) {
        self.database.remember_files();
    }

    /// Where the file was deleted or replaced: writes all of it to its place again. What stands
    /// there instead is renamed; its new name is returned.
    pub fn rewrite(&mut self) -> Result<Option<PathBuf>> {
        self.database.rewrite()
    }

    /// Writes all that the open files hold to a file of another name, beside where they were.
    pub fn rescue(&mut self) -> Result<PathBuf> {
        self.database.rescue()
    }

    /// To be called before a source is read: row counts start over, names stay.
    pub fn begin_source(&mut self) {
        self.source.begin();
    }

    /// Meets the groups that a source names, in one transaction: each again by the hash of its
    /// bytes, or by its path where its bytes were never known. Other bytes under a known path are
    /// another group; the one before keeps all that is of it, should its bytes turn up elsewhere.
    pub fn upsert_groups(&mut self, groups: &[NewGroup]) -> Result<Vec<Upserted>> {
        let db = self.database.write();
        self.source.upsert(db, &self.vocabulary, groups)
    }

    /// More rows of known groups, in one transaction.
    pub fn add_rows(&mut self, rows: &[(GroupId, u64)]) -> Result<()> {
        source_reading::add_all_rows(self.database.write(), rows)
    }

    /// More paths at which the images of known groups are, in one transaction. Where another image
    /// was at such a path, its group is displaced.
    pub fn add_paths(&mut self, paths: &[(GroupId, String)]) -> Result<()> {
        source_reading::add_paths(self.database.write(), paths)
    }

    /// More rows and names of known groups, in one transaction. A group that has no name takes
    /// the first one, and its texts are checked again; returns the groups that show a change.
    pub fn add_names(&mut self, members: &[Members]) -> Result<Vec<GroupId>> {
        source_reading::add_names(self.database.write(), &self.vocabulary, members)
    }

    /// What the color rules compare a claim with, and the drawing that makes families; measured
    /// once for an image, saved in one transaction. Drafts that the rules saw without it are
    /// checked again; the groups that show a change are returned, those of another family too.
    pub fn set_measured(&mut self, measured: &[(GroupId, Measured)]) -> Result<Vec<GroupId>> {
        let db = self.database.write();
        let set = images::set_measured(db, &mut self.outlines, &self.vocabulary, measured);
        // What is not saved is known there all the same.
        set.inspect_err(|_| self.outlines.forget())
    }

    /// The other groups that show the same drawing, and the one to derive a record from.
    pub fn relatives(&self, group: GroupId) -> Result<Relatives> {
        images::relatives(self.database.read(), group)
    }

    /// Those of these groups, or of all, that a person has committed a record of.
    pub fn approved(&self, groups: Option<&[GroupId]>) -> Result<Vec<ApprovedRecord>> {
        images::approved(self.database.read(), &self.vocabulary, groups)
    }

    /// What a group's icon looks like; `None` before it was measured, and where nothing is like it.
    pub fn appearance(&self, group: GroupId) -> Result<Option<Appearance>> {
        images::appearance(self.database.read(), &self.vocabulary, group)
    }

    /// What the draft of `from` says of the image of `group`, which is the same drawing; `None`
    /// where it has none, or says what may not be true of the other item.
    pub fn derived_labels(
        &self,
        group: GroupId,
        from: GroupId,
        recoloring: &Recoloring,
    ) -> Result<Option<Labels>> {
        let db = self.database.read();
        images::derived_labels(db, &self.vocabulary, group, from, recoloring)
    }

    /// Stores labels that were derived from the draft of `from`, as an answer; `None` where that
    /// has no draft.
    pub fn add_derived(
        &mut self,
        group: GroupId,
        from: GroupId,
        labels: &Labels,
    ) -> Result<Option<Added>> {
        let db = self.database.write();
        images::add_derived(db, &self.vocabulary, group, from, labels)
    }

    /// Stores what a retriever found out about these groups' texts, in the place of all that was
    /// found before. Returns the groups that show a change.
    pub fn set_retrieved(
        &mut self,
        found: &[(GroupId, RetrievalResult)],
        summary: &RetrievalSummary,
    ) -> Result<Vec<GroupId>> {
        images::set_retrieved(self.database.write(), &self.vocabulary, found, summary)
    }

    /// What a retriever found out about a group's texts; they may have changed since.
    pub fn retrieved(&self, group: GroupId) -> Result<Option<RetrievalResult>> {
        read_retrieved(self.database.read(), group)
    }

    /// The images whose content is known, with their SHA-256.
    pub fn image_hashes(&self) -> Result<Vec<(GroupId, String)>> {
        images::image_hashes(self.database.read())
    }

    /// What came out when all records were last searched for; `None` before the first time.
    pub fn retrieval(&self) -> Result<Option<RetrievalSummary>> {
        images::retrieval(self.database.read())
    }

    pub fn is_measured(&self, group: GroupId) -> Result<bool> {
        is_measured(self.database.read(), group)
    }

    /// Stores an answer, or a failed try, for good. An answer becomes the draft or an offer.
    pub fn add_attempt(&mut self, group: GroupId, attempt: &Attempt) -> Result<Added> {
        answers::add(self.database.write(), group, attempt, None)
    }

    /// Stores the retry of an earlier answer, or its failure, together with what both come to,
    /// which is the newest answer: at no moment does one stand without the other.
    pub fn add_retry(&mut self, group: GroupId, retry: &Attempt, merged: &Merged) -> Result<Added> {
        answers::add(self.database.write(), group, retry, Some(merged))
    }

    /// The answer that [`Self::commit_automatic`] would commit, where it is no retry and has had
    /// none: the run that asked for it may have ended before its retry.
    pub fn answer_without_retry(&self, group: GroupId) -> Result<Option<Attempt>> {
        answers::without_retry(self.database.read(), group)
    }

    /// The answer that a draft is which nobody has decided about, and how many opinions there are
    /// on it.
    pub fn answer_to_review(&self, group: GroupId) -> Result<Option<(Attempt, u32)>> {
        answers::to_review(self.database.read(), group)
    }

    /// Stores failures that came before any answer was asked for (a missing or broken image), in
    /// one transaction.
    pub fn add_failures(&mut self, failures: &[(GroupId, Failure)]) -> Result<Vec<GroupId>> {
        answers::add_failures(self.database.write(), failures)
    }

    pub fn add_failure(&mut self, group: GroupId, failure: &Failure) -> Result<Vec<GroupId>> {
        self.add_failures(&[(group, failure.clone())])
    }

    /// `--batch`: the draft becomes the record, with its reasons. Nothing where the operator has
    /// edited or decided, or where the draft is the record already. Not a step of the operator.
    pub fn commit_automatic(&mut self, group: GroupId) -> Result<Vec<GroupId>> {
        answers::commit(self.database.write(), group)
    }

    /// Does one change to all these groups, as one step; no step where it changes nothing at all,
    /// an error of kind `Usage` where it can be done to none of them.
    /// `done` says in words what the step does, for the log and for undo; of how many records,
    /// where more than one was asked for, is added to it.
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
        self.learning.look(db, &self.vocabulary)?;
        Ok(applied)
    }

    /// Takes the newest step back; `None` where there is none.
    pub fn undo(&mut self) -> Result<Option<StepOutcome>> {
        let db = self.database.write();
        let undone = self.history.undo(db)?;
        self.learning.look(db, &self.vocabulary)?;
        Ok(undone)
    }

    /// Does the step that was undone last again; `None` where there is none.
    pub fn redo(&mut self) -> Result<Option<StepOutcome>> {
        let db = self.database.write();
        let redone = self.history.redo(db)?;
        self.learning.look(db, &self.vocabulary)?;
        Ok(redone)
    }

    /// What the steps so far have taught of which records people change, and how many times it has
    /// changed since the journal was opened.
    pub fn learned(&self) -> (&Estimator, u64) {
        (self.learning.estimator(), self.learning.changes())
    }

    /// What undo and redo would do next.
    pub fn next_steps(&self) -> Result<(Option<PastStep>, Option<PastStep>)> {
        self.history.next_steps(self.database.read())
    }

    /// Imports what a file of records holds that the journal does not know. `None` where there is
    /// no file, or nothing new in it.
    pub fn import(&mut self, records: &FileOfRecords) -> Result<Option<Imported>> {
        let outdir = self.database.outdir().to_owned();
        import::import(self.database.write(), &self.vocabulary, &outdir, records)
    }

    /// One group as the queue shows it.
    pub fn summary(&self, id: GroupId) -> Result<Option<GroupSummary>> {
        queries::summary(self.database.read(), self.learning.estimator(), id)
    }

    /// What earlier runs have done about these groups, in their order.
    pub fn known_groups(&self, ids: &[GroupId]) -> Result<Vec<Option<KnownGroup>>> {
        queries::known_groups(self.database.read(), ids)
    }

    /// Those of the groups that exist, in the given order.
    pub fn summaries_of(&self, ids: &[GroupId]) -> Result<Vec<GroupSummary>> {
        queries::summaries_of(self.database.read(), self.learning.estimator(), ids)
    }

    /// Hands every group over in source order, in batches, so that a front end can show the first
    /// ones at once.
    pub fn each_summary(
        &self,
        batch: usize,
        take: impl FnMut(Vec<GroupSummary>) -> Result<()>,
    ) -> Result<()> {
        queries::each_summary(self.database.read(), self.learning.estimator(), batch, take)
    }

    pub fn summaries(&self) -> Result<Vec<GroupSummary>> {
        queries::summaries(self.database.read(), self.learning.estimator())
    }

    /// Everything about one group; `None` where there is no such group.
    pub fn detail(&self, id: GroupId) -> Result<Option<GroupDetail>> {
        let estimator = self.learning.estimator();
        queries::detail(self.database.read(), &self.vocabulary, estimator, id)
    }

    /// The answers of a group, oldest first.
    pub fn attempts(&self, id: GroupId) -> Result<Vec<Attempt>> {
        attempts_of(self.database.read(), id)
    }

    /// The first row of a group and its hash: what a new attempt needs.
    pub fn item(&self, id: GroupId) -> Result<(Item, Option<String>)> {
        queries::item(self.database.read(), id)
    }

    /// Groups in any of these states, in source order.
    pub fn in_states(&self, states: &[GroupState]) -> Result<Vec<GroupId>> {
        queries::in_states(self.database.read(), states)
    }

    /// Groups without an answer or a failure: what a resumed run has to do, in source order.
    pub fn waiting(&self) -> Result<Vec<GroupId>> {
        self.in_states(&[GroupState::Waiting])
    }

    /// How things stand, for the summary of a run.
    pub fn counts(&self) -> Result<Counts> {
        queries::counts(self.database.read())
    }

    /// What bringing these groups' drafts into the vocabulary would do.
    pub fn vocabulary_preview(&self, groups: &[GroupId]) -> Result<VocabularyPreview> {
        queries::vocabulary_preview(self.database.read(), &self.vocabulary, groups)
    }

    /// What one kind of fix would do to these groups.
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

    /// A group's draft with what its fixes need; `None` where there is no draft.
    pub fn fixable(&self, summary: &GroupSummary) -> Result<Option<FixableRecord>> {
        fixes::record(self.database.read(), summary)
    }

    /// Grows with every change of `content`; 0 where there was never any.
    pub fn version(&self, content: Content) -> Result<u64> {
        meta::version(self.database.read(), content)
    }

    /// Whether there is anything of `content`.
    pub fn holds(&self, content: Content) -> Result<bool> {
        contents::holds(self.database.read(), content)
    }

    /// Hands over every committed record, in source order; not the placeholders of lines that
    /// could not be read.
    pub fn each_record(&self, take: impl FnMut(Committed) -> Result<()>) -> Result<()> {
        contents::each_record(self.database.read(), take)
    }

    /// Hands over every item that has neither a record nor an answer, in source order.
    pub fn each_failure(&self, take: impl FnMut(FailedItem) -> Result<()>) -> Result<()> {
        contents::each_failure(self.database.read(), take)
    }

    /// Hands over every uncommitted text of an operator's whose picture is at no known path.
    pub fn each_displaced_edit(&self, take: impl FnMut(DisplacedEdit) -> Result<()>) -> Result<()> {
        contents::each_displaced_edit(self.database.read(), take)
    }

    /// The group of the image that was last met at a path.
    pub fn group_at(&self, path: &str) -> Result<Option<GroupId>> {
        find_by_path(self.database.read(), path)
    }

    /// The text of a version of this group.
    pub fn version_text(&self, group: GroupId, version: i64) -> Result<Option<Labels>> {
        let draft = read_draft_of(self.database.read(), group, version)?;
        Ok(draft.map(|draft| draft.labels))
    }

    /// The first text that a group had.
    pub fn first_text(&self, group: GroupId) -> Result<Option<Labels>> {
        first_text(self.database.read(), group)
    }

    /// The seed of the audit that was judged last; `None` where nobody has judged anything.
    pub fn newest_audit(&self) -> Result<Option<u64>> {
        newest_seed(self.database.read())
    }

    /// The first records of an audit's sample, or all there are.
    pub fn audit_sample(&self, seed: u64, size: usize) -> Result<Vec<SampledRecord>> {
        audit::sample(self.database.read(), self.learning.estimator(), seed, size)
    }

    /// Stores what a person says of a version of a record; `None` takes the newest judgment of it
    /// back.
    pub fn judge(
        &mut self,
        seed: u64,
        group: GroupId,
        version: i64,
        verdict: Option<Verdict>,
    ) -> Result<()> {
        insert_judgment(self.database.write(), seed, group, version, verdict)
    }

    /// What the audit with this seed has found, or without one the audit that was judged last;
    /// `None` where nobody has judged anything. `width` is how wide the interval is to be.
    pub fn audit(&self, seed: Option<u64>, width: f64) -> Result<Option<AuditEstimate>> {
        let estimator = self.learning.estimator();
        audit::estimate(self.database.read(), estimator, seed, width)
    }

    /// A value kept between runs.
    pub fn meta_get(&self, key: &str) -> Result<Option<String>> {
        meta::get(self.database.read(), key)
    }

    pub fn meta_set(&mut self, key: &str, value: &str) -> Result<()> {
        meta::set(self.database.read(), key, value)
    }

    /// Every value whose key begins with `prefix`, the prefix cut off.
    pub fn meta_with_prefix(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        meta::with_prefix(self.database.read(), prefix)
    }

    /// The filters that were saved under a name.
    pub fn views(&self) -> Result<Views> {
        let key = format!("{REMEMBERED}{}", Views::KEY);
        let text = meta::get(self.database.read(), &key)?;
        Ok(text.map_or_else(Views::default, |text| Views::parse(&text)))
    }

    /// The database as tests look into it.
    #[cfg(test)]
    pub(super) fn db(&self) -> &rusqlite::Connection {
        self.database.read()
    }
}
