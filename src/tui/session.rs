//! State shared by all screens and dialogs: records, queue, selection, pictures, engine status.
//! Screens and dialogs read its parts, and change several of them at once through its methods.

use super::engine_status::EngineStatus;
use super::flow::{Pace, Repeats, Retries, SeenRecords, Tally};
use super::input_history::InputHistories;
use super::keymap::{Action, KeyContext, Keymap};
use super::message::Effect;
use super::notices::Notices;
use super::options::PictureChoice;
use super::picture::{LoadedPicture, PictureRequest, Pictures};
use super::records::{Queue, Records, Selection, with_stored_value};
use super::theme::Theme;
use super::widgets::layout;
use crate::engine::{Command, MovedPictures, Retry};
use crate::icon::IconOptions;
use crate::record::filter::{Query, Sort, quoted};
use crate::record::{
    AuditEstimate, Change, Estimator, Field, GroupDetail, GroupId, GroupState, GroupSummary,
    Labels, Vocabulary, to_rgb,
};
use crate::text::{Language, Said};
use crate::wording::Words;
use ratatui::layout::{Rect, Size};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Most icons of the same recolor family shown beside the current one.
const MAX_SIBLINGS: usize = 24;

/// Startup settings of the workstation.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub icon: IconOptions,
    /// Whether a model labels; without one (`--no-model`) the workstation only reviews.
    pub model: bool,
    /// The output folder, as shown to people.
    pub outdir: String,
    pub vocabulary: Arc<Vocabulary>,
    pub pictures: PictureChoice,
    /// Whether the prompt asks for English labels.
    pub english: bool,
    /// Language of the interface.
    pub language: Language,
}

pub struct Session {
    pub settings: Settings,
    pub words: Words,
    pub size: Size,
    pub theme: Theme,
    pub keymap: Keymap,
    pub records: Records,
    pub queue: Queue,
    pub selection: Selection,
    pub pictures: Pictures,
    pub engine: EngineStatus,
    pub notices: Notices,
    pub history: InputHistories,
    /// Number of previews requested so far.
    preview_count: u64,
    pub seen: SeenRecords,
    pub repeats: Repeats,
    pub retries: Retries,
    pub pace: Pace,
    /// Result of the last audit.
    pub audit: Option<Box<AuditEstimate>>,
    /// Digit of the current key; `None` for other keys and for clicks.
    pub digit: Option<usize>,
    effects: Vec<Effect>,
}

impl Session {
    pub fn new(size: Size, theme: Theme, keymap: Keymap, settings: Settings) -> Self {
        let mut pictures = Pictures::default();
        if settings.pictures == PictureChoice::None {
            pictures.turn_off();
        }
        Self {
            engine: EngineStatus::new(settings.model),
            words: Words::new(settings.language),
            settings,
            size,
            theme,
            keymap,
            records: Records::default(),
            queue: Queue::default(),
            selection: Selection::default(),
            pictures,
            notices: Notices::default(),
            history: InputHistories::default(),
            preview_count: 0,
            seen: SeenRecords::default(),
            repeats: Repeats::default(),
            retries: Retries::default(),
            pace: Pace::new(Instant::now()),
            audit: None,
            digit: None,
            effects: Vec::new(),
        }
    }

    /// Index of the fix that the current key selects: the first fix unless the key is a digit.
    pub fn fix_index(&self) -> Option<usize> {
        self.digit.unwrap_or(1).checked_sub(1)
    }

    pub fn area(&self) -> Rect {
        Rect::from(self.size)
    }

    /// The area between header and hint line.
    pub fn body(&self) -> Rect {
        layout::frame(self.area()).body
    }

    /// Whether the terminal is too small to draw anything.
    pub fn is_too_small(&self) -> bool {
        self.size.width < layout::MIN_SIZE.0 || self.size.height < layout::MIN_SIZE.1
    }

    pub fn vocabulary(&self) -> &Vocabulary {
        &self.settings.vocabulary
    }

    /// Switches to another vocabulary.
    pub fn set_vocabulary(&mut self, vocabulary: Arc<Vocabulary>) {
        self.settings.vocabulary = vocabulary;
        self.queue.refresh();
        self.records.invalidate_counts();
    }

    pub fn current(&self) -> Option<GroupId> {
        self.queue.current()
    }

    /// Detail of the current record, once the engine has sent it.
    pub fn detail(&self) -> Option<&Arc<GroupDetail>> {
        self.records.detail(self.current()?)
    }

    /// Takes new summaries. A record with a changed text counts as unseen, unless its new text is
    /// already on screen or comes from a step of this session.
    pub fn update_records(&mut self, groups: Vec<GroupSummary>) {
        let current = self.current();
        for summary in &groups {
            let id = summary.id;
            let shown = self.records.detail(id).filter(|_| current == Some(id));
            let shown = shown.and_then(|detail| detail.draft.as_ref());
            let is_shown = shown.is_some_and(|draft| draft.labels == summary.labels);
            let before = self.records.get(id).map(|before| &before.labels);
            let is_own = self.records.is_own_text(id, &summary.labels);
            if before != Some(&summary.labels) && !is_shown && !is_own {
                self.seen.forget(id);
            }
        }
        self.records.update(groups, current);
    }

    pub fn put_detail(&mut self, detail: GroupDetail) {
        fn text(detail: &GroupDetail) -> Option<&Labels> {
            detail.draft.as_ref().map(|draft| &draft.labels)
        }
        let id = detail.summary.id;
        let before = self.records.detail(id);
        let is_changed = before.is_some_and(|before| text(before) != text(&detail));
        if self.records.put_detail(detail) && is_changed {
            self.seen.forget(id);
        }
    }

    /// The current record's recolor family, including the record itself.
    pub fn family(&self) -> Vec<GroupId> {
        let groups = self.records.groups();
        let family = self.current().map(|id| groups.family(id));
        let family = family.into_iter().flatten();
        family.map(|member| member.id).collect()
    }

    /// Those of `groups` that pass the filter.
    pub fn passing(&self, groups: &[GroupId]) -> Vec<GroupId> {
        let views = self.history.views();
        self.queue
            .passing(groups, &self.records, self.vocabulary(), views)
    }

    /// Other members of the current record's family that are shown beside it.
    pub fn siblings(&self) -> Vec<GroupId> {
        let mut siblings = self.family();
        siblings.retain(|id| Some(*id) != self.current());
        siblings.truncate(MAX_SIBLINGS);
        siblings
    }

    /// The similar committed records that are shown beside the current one.
    pub fn neighbors(&self) -> Vec<GroupId> {
        let near = self
            .detail()
            .into_iter()
            .flat_map(|detail| &detail.neighbors);
        near.map(|near| near.group).collect()
    }

    /// The icon that a search for the current label finds instead.
    pub fn confused(&self) -> Option<GroupId> {
        Some(self.detail()?.confused.as_ref()?.group)
    }

    /// Whether the detail of the current record or a picture on the screen is still missing.
    pub fn is_loading(&self) -> bool {
        (self.current().is_some() && self.detail().is_none()) || self.pictures.are_loading()
    }

    /// Takes a loaded picture. Reports once that its file has been replaced since it was labeled.
    pub fn put_picture(&mut self, picture: LoadedPicture) {
        let id = picture.key.group;
        if self.pictures.insert(picture) {
            let text = self.words.picture_replaced(self.name_of(id));
            self.notices.log_error(text.clone());
            self.warn(text);
        }
    }

    /// The labels of the current record's draft.
    pub fn labels(&self) -> Option<&Labels> {
        Some(&self.detail()?.draft.as_ref()?.labels)
    }

    pub fn row(&self, row: usize) -> Option<&GroupSummary> {
        self.queue.row(row, &self.records)
    }

    /// Whether a field is shown. The English label is hidden unless the record has one or the
    /// prompt requests it.
    pub fn has_field(&self, field: Field) -> bool {
        field != Field::LabelEn
            || self.settings.english
            || self
                .labels()
                .is_some_and(|labels| labels.text(field).is_some())
    }

    /// Those of `rows` that the queue has, nearest to its cursor first.
    pub fn rows_near_cursor(&self, rows: Range<usize>) -> Vec<usize> {
        let mut rows: Vec<usize> = (rows.start..rows.end.min(self.queue.len())).collect();
        rows.sort_by_key(|row| row.abs_diff(self.queue.cursor()));
        rows
    }

    /// Requests the icons of these rows as tiles, nearest to the cursor first.
    pub fn tile_requests(&self, rows: Range<usize>, room: Size) -> Vec<PictureRequest> {
        let rows = self.rows_near_cursor(rows).into_iter();
        let ids: Vec<GroupId> = rows.filter_map(|row| Some(self.row(row)?.id)).collect();
        self.tiles_of(&ids, room)
    }

    /// Requests the icons of these groups as tiles, as far as their details are loaded.
    pub fn tiles_of(&self, ids: &[GroupId], room: Size) -> Vec<PictureRequest> {
        let tile = |id: &GroupId| {
            let key = self.pictures.tile_key(*id, room);
            PictureRequest::of(self.records.detail(*id)?, key)
        };
        ids.iter().filter_map(tile).collect()
    }

    pub fn request(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn notify(&mut self, text: impl Into<String>) {
        self.notices.notify(text);
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.notices.warn(text);
    }

    /// Reports what happened to records and edits whose pictures were moved or are gone.
    pub fn notify_moved(&mut self, pictures: &MovedPictures) {
        let Some(text) = self.words.moved_pictures(pictures) else {
            return;
        };
        if pictures.withheld + pictures.withheld_edits > 0 {
            self.notices.log_error(text.clone());
            self.warn(text);
        } else {
            self.notify(text);
        }
    }

    /// Reason why decisions would not be saved now; `None` if they would be.
    pub fn trouble(&self) -> Option<String> {
        self.engine.trouble(&self.keymap, self.words)
    }

    /// Reason why the model accepts no request; `None` if it does.
    pub fn no_model(&self) -> Option<String> {
        self.engine.no_model(self.words)
    }

    /// Returns whether decisions would not be saved now, after a notice with the reason.
    pub fn refuse_unsaved(&mut self) -> bool {
        let why = self.trouble();
        let refused = why.is_some();
        if let Some(why) = why {
            self.warn(why);
        }
        refused
    }

    /// Sends a command, or warns instead where it would be lost: the operator must not believe that
    /// it was saved.
    pub fn send(&mut self, command: Command) {
        let decides = matches!(
            command,
            Command::Apply { .. } | Command::Undo | Command::Redo | Command::Retry { .. }
        );
        let lost = self.engine.ended && !matches!(command, Command::Open(_));
        if (decides || lost) && self.refuse_unsaved() {
            return;
        }
        if self.engine.ended {
            return;
        }
        if let Command::Retry { groups, .. } = &command {
            for id in groups {
                let reasons = self
                    .records
                    .get(*id)
                    .map_or(0, |summary| summary.reasons.len());
                self.retries.request(*id, reasons);
            }
        }
        if self.engine.sent(&command) {
            self.notices.dismiss();
        }
        self.effects.push(Effect::Send(command));
    }

    /// Applies a change to these groups in one step. Returns `false`, after a notice with the
    /// reason, where that is not possible.
    pub fn apply(&mut self, groups: Vec<GroupId>, change: Change) -> bool {
        if self.refuse_unsaved() {
            return false;
        }
        let change = with_stored_value(change, self.vocabulary());
        if let [group] = groups[..] {
            match self
                .records
                .predict(group, &change, &self.settings.vocabulary)
            {
                Ok(true) => self.queue.refresh(),
                Ok(false) => {}
                Err(error) => {
                    let cause = self.words.cause(&error);
                    self.warn(match self.words.hint(&error) {
                        Some(hint) => format!("{cause}; {hint}"),
                        None => cause.to_owned(),
                    });
                    return false;
                }
            }
        }
        if !groups.is_empty() {
            self.repeats.remember(&change);
            self.send(Command::Apply { groups, change });
        }
        true
    }

    /// Starts counting what a change would do; the preview arrives with the returned number.
    pub fn preview(&mut self, groups: &[GroupId], change: Change) -> u64 {
        self.preview_count += 1;
        let vocabulary = Arc::clone(&self.settings.vocabulary);
        let records = &self.records;
        let task = records.preview_task(self.preview_count, groups, change, vocabulary);
        self.request(Effect::Work(task));
        self.preview_count
    }

    /// Applies a change to the current record in one step.
    pub fn apply_to_current(&mut self, change: Change) {
        self.apply(self.current().into_iter().collect(), change);
    }

    /// Asks the model again; returns `false` where that is not possible.
    pub fn retry(&mut self, groups: Vec<GroupId>, how: Retry) -> bool {
        if groups.is_empty() || self.refuse_unsaved() {
            return false;
        }
        if let Some(why) = self.no_model() {
            self.warn(why);
            return false;
        }
        let about = match groups[..] {
            [id] => self.name_of(id),
            _ => self.words.records(groups.len()),
        };
        self.send(Command::Retry { groups, how });
        self.notify(self.words.asking_again(about));
        true
    }

    /// Moves the cursor to a row.
    pub fn put_cursor(&mut self, row: usize) {
        self.queue.put_cursor(row, &self.records);
    }

    /// Takes an estimator trained on the operator's decisions. The queue keeps its order while the
    /// operator is on a record and moves among the rows by hand.
    pub fn learn(&mut self, estimator: Estimator) {
        self.records.learn(estimator);
        if self.current().is_none() {
            self.use_newest_estimator();
        }
    }

    /// Scores and sorts all records with the newest estimator. Returns `false` if nothing changes.
    pub fn use_newest_estimator(&mut self) -> bool {
        let is_new = self.records.use_newest_estimator();
        if is_new {
            self.queue.refresh();
        }
        is_new
    }

    /// A record's score in words; `None` where nothing is left to decide.
    pub fn score(&self, summary: &GroupSummary) -> Option<String> {
        let is_open = matches!(
            summary.state,
            GroupState::Draft | GroupState::Uncertain | GroupState::Edited
        );
        let alike = self.records.similar_decisions(summary);
        is_open.then(|| self.words.score(summary.uncertainty, alike))
    }

    /// RGB value of a color word in the vocabulary.
    pub fn color_of(&self, word: &str) -> Option<[u8; 3]> {
        let word = self.vocabulary().find_exact(Field::Colors, word)?;
        word.anchors.first().copied().map(to_rgb)
    }

    pub fn name_of(&self, id: GroupId) -> String {
        let summary = self.records.get(id);
        summary
            .map(|summary| summary.title().to_owned())
            .unwrap_or_default()
    }

    /// Decisions of this session, without those that were undone.
    pub fn tally(&self) -> Tally {
        self.pace.tally(|id| self.is_decided(id))
    }

    /// The records that this session has decided, newest first.
    pub fn decided(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.pace.newest().filter(|id| self.is_decided(*id))
    }

    /// Decisions of this session in each minute, without those that were undone.
    pub fn decisions_per_minute(&self) -> Vec<u64> {
        self.pace
            .per_minute(Instant::now(), |id| self.is_decided(id))
    }

    fn is_decided(&self, id: GroupId) -> bool {
        let summary = self.records.get(id);
        summary.is_some_and(|summary| summary.state.is_decided())
    }

    /// Goes to a record; a notice reports where the filter hides it.
    pub fn go_to(&mut self, id: GroupId) {
        self.queue.go_to(id, &self.records);
    }

    /// Moves the cursor by a number of rows, at most to the first or last one.
    pub fn move_cursor(&mut self, rows: isize) {
        self.put_cursor(self.queue.cursor().saturating_add_signed(rows));
    }

    /// Goes to the next record that needs review, or else to the next row. New scores apply first:
    /// the next record is the most uncertain one of those that are still ahead of the cursor, so
    /// that none of them is left behind, and none that was passed comes again at once.
    pub fn go_to_next(&mut self) {
        let next = match self.use_newest_estimator() {
            true => self.queue.next_by_new_scores(&self.records),
            false => self.queue.next_to_review(&self.records),
        };
        match next {
            Some(row) => self.put_cursor(row),
            None if self.queue.cursor() + 1 < self.queue.len() => self.move_cursor(1),
            None => self.notify(self.words.nothing_left_here()),
        }
    }

    /// The error in a whole filter, if it has one.
    pub fn filter_error_in(&self, text: &str) -> Option<Said> {
        Query::error_in(text, self.vocabulary(), self.history.views())
    }

    /// Filters the queue and adds the filter to the history.
    pub fn set_filter(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.use_newest_estimator();
        let remember = self.history.remember_filter(&text);
        self.queue.set_filter(text);
        self.send(remember);
    }

    /// Saves the current filter under a name.
    pub fn save_view(&mut self, name: &str) {
        let filter = self.queue.filter().to_owned();
        let remember = self.history.remember_view(name, Some(&filter));
        self.send(remember);
        self.notify(self.words.saved_view(quoted(name), filter));
    }

    /// Deletes a saved filter. The filter in use keeps its meaning.
    pub fn remove_view(&mut self, name: &str) {
        let filter = self.history.views().replace_in(self.queue.filter(), name);
        let remember = self.history.remember_view(name, None);
        self.send(remember);
        self.set_filter(filter);
        self.notify(self.words.removed_view(name));
    }

    /// Sorts the queue by the similarity of the icons to a text; an empty text restores the sort
    /// order.
    pub fn search(&mut self, text: String) {
        if text.is_empty() {
            return self.set_sort(self.queue.sort());
        }
        self.notify(self.words.searching(quoted(&text)));
        self.send(Command::Search(text));
    }

    /// Shows all images, the most similar to the text first.
    pub fn show_search_results(&mut self, text: String, groups: Vec<GroupId>) {
        self.notify(self.words.found_by(quoted(&text)));
        self.set_filter("");
        self.queue.set_search_results(text, groups);
    }

    /// Logs that an item failed. If this session had requested it, a notice reports it too.
    pub fn notify_failed(&mut self, group: GroupId, text: String) {
        if self.retries.fail(group) {
            self.warn(self.words.retried(&text));
        }
        self.notices.log_error(text);
    }

    pub fn set_sort(&mut self, sort: Sort) {
        self.use_newest_estimator();
        self.queue.set_sort(sort);
        self.notify(self.words.sorted_by(self.words.sort(sort)));
    }

    pub fn remember_rejection(&mut self, reason: &str) {
        let remember = self.history.remember_rejection(reason);
        self.send(remember);
    }

    /// Reports a requested answer with the change in reasons, or an answer offered beside a draft.
    pub fn notify_answer(&mut self, id: GroupId, reasons: usize, offered: bool) {
        let answer = self.retries.complete(id, reasons);
        if answer.is_none() && !offered {
            return;
        }
        let words = self.words;
        let mut text = words.new_answer_for(self.name_of(id));
        if let Some(answer) = answer {
            let before = words.reasons(answer.before);
            text.push_str(&format!(", {}", words.reasons_change(before, answer.after)));
        }
        let keys = self.keymap.keys_of(KeyContext::Queue, Action::Versions);
        // The key is about the current record.
        let key = keys.first().filter(|_| self.current() == Some(id));
        let more = [
            offered.then(|| words.draft_stays().to_owned()),
            key.map(|key| words.key_compares(key)),
        ];
        let more: Vec<String> = more.into_iter().flatten().collect();
        if !more.is_empty() {
            text.push_str(&format!("; {}", more.join(", ")));
        }
        self.notify(text);
    }
}
