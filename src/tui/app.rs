//! The workstation's state and how messages change it.

use super::action::{Action, Context};
use super::completion::Past;
use super::dialog::Dialog;
use super::effect::Effect;
use super::filter::{self, Held, Sort};
use super::groups::{Groups, needs_person};
use super::keymap::{Key, Keymap, Lookup};
use super::layout::{self, Pane};
use super::picture::{self, Ground, Shown};
use super::theme::{self, Theme};
use super::worker::{Counts, Done};
use crate::engine::{Blocked, Command, Event, ModelInfo, Progress};
use crate::error::Error;
use crate::record::{Field, GroupDetail, GroupId, GroupState, GroupSummary, Vocabulary};
use crate::settings::IconOptions;
use crate::wording;
use crossterm::event::{KeyEvent, KeyEventKind, MouseEvent, MouseEventKind};
use ratatui::layout::{Rect, Size};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Under this key the filters are kept between runs, a line each: the last one, then those
/// before it.
const FILTER_KEY: &str = "tui.filter";
/// The reasons of earlier rejections, a line each.
const REJECTIONS_KEY: &str = "tui.rejections";
/// Details and pictures held; beyond it those off screen are let go.
pub(super) const HELD: usize = 400;
const LAST_ERRORS: usize = 50;

pub enum Message {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize(Size),
    Engine(Event),
    Done(Done),
    Picture(picture::Answer),
    /// Whether the terminal shows real pixels; known once it has been asked.
    Pixels(bool),
    /// What the terminal says is behind its text.
    Ground(theme::Ground),
    /// The terminal came back to us.
    Resumed,
    /// Asked to end from outside (SIGTERM, SIGHUP).
    Terminate,
}

/// What the workstation is told at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub icon: IconOptions,
    /// Whether there is a model at all (`--no-model` reviews only).
    pub model: bool,
    /// Where records go, as people are told.
    pub outdir: String,
    pub vocabulary: Arc<Vocabulary>,
    /// Whether English labels are asked for.
    pub english: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Work,
    Gallery,
    Attempts,
    Progress,
    Statistics,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    Off,
    Loading,
    Ready(ModelInfo),
    Failed(Error),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub bad: bool,
}

#[derive(Debug, Default)]
pub struct Queue {
    /// Places in `Groups`.
    pub rows: Vec<u32>,
    pub cursor: usize,
    pub top: usize,
    pub filter: String,
    /// What of the filter was not understood.
    pub wrong: Option<String>,
    pub sort: Sort,
    /// The record in hand as it was when the cursor came to it.
    pub(super) held: Option<Held>,
    pub(super) number: u64,
    /// The list does not yet show what was asked for.
    pub stale: bool,
    pub(super) in_work: bool,
}

/// The value under the record pane's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub field: Field,
    pub index: usize,
}

pub struct App {
    pub size: Size,
    pub theme: Theme,
    pub keymap: Keymap,
    pub settings: Settings,
    pub groups: Groups,
    pub queue: Queue,
    /// Earlier filters and reasons of rejections.
    pub filters: Past,
    pub rejections: Past,
    pub current: Option<GroupId>,
    pub details: HashMap<GroupId, Arc<GroupDetail>>,
    pub(super) asked: HashSet<GroupId>,
    pub spot: Spot,
    pub scroll: usize,
    pub screen: Screen,
    pub focus: Pane,
    pub dialog: Option<Dialog>,
    pub selected: BTreeSet<GroupId>,
    /// How many of the selected records the list does not show.
    pub hidden: usize,
    pub anchor: Option<usize>,
    pub gallery_top: usize,
    /// Cursor of the statistics screen: (block, bar).
    pub bar: (usize, usize),
    /// Cursor of the versions: which one, oldest first, and which field.
    pub version: usize,
    pub version_field: usize,
    pub pictures: HashMap<picture::Key, Result<Arc<Shown>, String>>,
    pub(super) wished: Vec<picture::Wish>,
    pub pixels: bool,
    pub ground: Ground,
    pub model_view: bool,
    /// The picture has the whole workbench.
    pub zoom: bool,
    pub progress: Progress,
    pub model: Model,
    pub paused: bool,
    /// The engine has said that it cannot go on.
    pub broken: Option<Error>,
    pub ended: bool,
    /// Nothing can be saved for now.
    pub blocked: Option<Blocked>,
    pub notice: Option<Notice>,
    pub errors: VecDeque<String>,
    pub undo: Option<String>,
    pub redo: Option<String>,
    pub counts: Counts,
    pub(super) counts_stale: bool,
    pub source_read: bool,
    /// Whether the operator has done anything yet.
    pub(super) touched: bool,
    pub prefix: Vec<Key>,
    pub queue_percent: u16,
    pub(super) dragging: bool,
    pub(super) seen_spot: (Option<GroupId>, Spot),
    pub(super) effects: Vec<Effect>,
}

impl App {
    pub fn new(size: Size, theme: Theme, keymap: Keymap, settings: Settings) -> Self {
        let model = if settings.model {
            Model::Loading
        } else {
            Model::Off
        };
        Self {
            size,
            theme,
            keymap,
            settings,
            groups: Groups::default(),
            queue: Queue {
                filter: filter::NEEDS_REVIEW.to_owned(),
                ..Queue::default()
            },
            filters: Past::default(),
            rejections: Past::default(),
            current: None,
            details: HashMap::new(),
            asked: HashSet::new(),
            spot: Spot {
                field: Field::LabelKo,
                index: 0,
            },
            scroll: 0,
            screen: Screen::Work,
            focus: Pane::Queue,
            dialog: None,
            selected: BTreeSet::new(),
            hidden: 0,
            anchor: None,
            gallery_top: 0,
            bar: (0, 0),
            version: 0,
            version_field: 0,
            pictures: HashMap::new(),
            wished: Vec::new(),
            pixels: false,
            ground: Ground::White,
            model_view: false,
            zoom: false,
            progress: Progress::default(),
            model,
            paused: false,
            broken: None,
            ended: false,
            blocked: None,
            notice: None,
            errors: VecDeque::new(),
            undo: None,
            redo: None,
            counts: Counts::default(),
            counts_stale: true,
            source_read: false,
            touched: false,
            prefix: Vec::new(),
            queue_percent: 40,
            dragging: false,
            seen_spot: (
                None,
                Spot {
                    field: Field::LabelKo,
                    index: 0,
                },
            ),
            effects: Vec::new(),
        }
    }

    /// The one way in. Cheap per message; [`App::settle`] follows once for many.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        self.touched |= match &message {
            Message::Key(_) | Message::Paste(_) => true,
            Message::Mouse(mouse) => mouse.kind != MouseEventKind::Moved,
            _ => false,
        };
        match message {
            Message::Key(key) if key.kind != KeyEventKind::Release => self.key(&key),
            Message::Key(_) => {}
            Message::Mouse(mouse) => self.mouse(&mouse),
            Message::Paste(text) => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.paste(&text);
                    self.dialog_changed();
                }
            }
            Message::Resize(size) => {
                self.size = size;
                self.pictures.clear();
                self.wished.clear();
            }
            Message::Engine(event) => self.engine(event),
            Message::Done(Done::Filtered { number, rows }) => self.filtered(number, rows),
            Message::Done(Done::Counted(counts)) => self.counts = *counts,
            Message::Picture(answer) => {
                self.pictures.insert(answer.key, answer.shown);
            }
            Message::Pixels(pixels) => {
                self.pixels = pixels;
                self.pictures.clear();
                self.wished.clear();
            }
            Message::Ground(ground) => self.theme.ground = ground,
            Message::Resumed => self.effects.push(Effect::Redraw),
            Message::Terminate => self.effects.push(Effect::Quit),
        }
        std::mem::take(&mut self.effects)
    }

    fn key(&mut self, event: &KeyEvent) {
        if self.dialog.is_some() {
            if self.tries_again(event) {
                return;
            }
            return self.dialog_key(event);
        }
        self.notice = None;
        for key in Key::from_event(event) {
            self.prefix.push(key);
            let mut found = self.keymap.lookup(self.context(), &self.prefix);
            if found == Lookup::None && self.prefix.len() > 1 {
                self.prefix = vec![key];
                found = self.keymap.lookup(self.context(), &self.prefix);
            }
            match found {
                Lookup::Prefix => {}
                Lookup::None => self.prefix.clear(),
                Lookup::Action(action) => {
                    self.prefix.clear();
                    self.perform(action);
                }
            }
            if self.dialog.is_some() {
                // The rest of a syllable must not be typed into what just opened.
                self.prefix.clear();
                return;
            }
        }
    }

    pub fn context(&self) -> Context {
        match (self.screen, self.focus) {
            (Screen::Work, Pane::Queue) => Context::Queue,
            (Screen::Work, Pane::Record) => Context::Record,
            (Screen::Gallery, _) => Context::Gallery,
            (Screen::Attempts, _) => Context::Attempts,
            (Screen::Progress, _) => Context::Progress,
            (Screen::Statistics, _) => Context::Statistics,
        }
    }

    fn engine(&mut self, event: Event) {
        match event {
            Event::Groups(groups) => {
                for summary in groups {
                    let id = summary.id;
                    let changed = self.groups.get(id) != Some(&summary);
                    self.groups.put(summary);
                    if changed || self.details.contains_key(&id) {
                        self.asked.remove(&id);
                        if self.current != Some(id) {
                            self.details.remove(&id);
                        }
                    }
                }
                self.queue.stale = true;
                self.counts_stale = true;
            }
            Event::Detail(detail) => {
                self.details.insert(detail.summary.id, Arc::new(*detail));
            }
            Event::Stepped { step, undo, redo } => {
                self.undo = undo;
                self.redo = redo;
                self.stepped(step.as_ref());
            }
            Event::Found { text, matches } => self.found(text, matches),
            Event::VocabularyPreview { groups, preview } => {
                self.translate_previewed(&groups, preview);
            }
            Event::Remembered { key, value } => {
                if key == FILTER_KEY {
                    self.remembered(&value);
                } else if key == REJECTIONS_KEY {
                    self.rejections = Past::parse(&value);
                }
            }
            Event::SourceRead { .. } => self.source_read = true,
            Event::ModelReady(info) => self.model = Model::Ready(info),
            Event::ModelFailed(error) => {
                self.log_error(format!("model: {}", error.cause));
                self.warn(format!(
                    "no model: {}; review goes on without it",
                    error.cause
                ));
                self.model = Model::Failed(error);
            }
            Event::Blocked(blocked) => self.blocked(blocked),
            Event::Unblocked => self.unblocked(),
            Event::Labeled { name, offered, .. } if offered => self.tell_offer(&name),
            Event::Labeled { .. } | Event::Idle => {}
            Event::Failed {
                name, code, detail, ..
            } => self.log_error(format!("{name}: {} ({detail})", code.code())),
            Event::Warning(warning) => {
                let text = wording::warning(&warning);
                self.log_error(text.clone());
                self.warn(text);
            }
            Event::Stopped(_) => {
                self.ended = true;
                self.effects.push(Effect::Quit);
            }
            Event::Broken(broken) => {
                let error = wording::broken(&broken);
                self.warn(format!("the engine stopped: {}", error.cause));
                self.ended = true;
                self.broken = Some(error);
            }
        }
    }

    fn filtered(&mut self, number: u64, rows: Vec<u32>) {
        self.queue.in_work = false;
        if number != self.queue.number {
            return;
        }
        self.queue.rows = rows;
        if !self.selected.is_empty() {
            let rows = self.queue.rows.iter();
            let shown = rows.filter(|place| self.selected.contains(&self.groups.at(**place).id));
            self.hidden = self.selected.len() - shown.count();
        }
        // While the queue fills for the first time, what is most in need of a person is not yet
        // known: nothing is in hand until all is there, or until the operator takes something.
        let filling = !self.touched && !self.source_read;
        let place = match self.current {
            _ if filling => Some(0),
            Some(id) => self.row_of(id),
            None => None,
        };
        self.queue.cursor = match place {
            Some(row) => row,
            None => self
                .queue
                .cursor
                .min(self.queue.rows.len().saturating_sub(1)),
        };
        if self.dialog.is_none() || self.current.is_none() {
            self.follow_cursor();
        }
    }

    /// The record in hand is the one under the queue's cursor.
    pub(super) fn follow_cursor(&mut self) {
        let here = self.row(self.queue.cursor).map(|summary| Held {
            group: summary.id,
            uncertainty: summary.uncertainty,
            changed_at: summary.changed_at,
        });
        let id = here.map(|held| held.group);
        if id != self.current || self.queue.held.is_none() {
            self.queue.held = here;
        }
        if id != self.current {
            self.current = id;
            self.scroll = 0;
            self.spot.index = 0;
        }
    }

    pub fn row(&self, row: usize) -> Option<&GroupSummary> {
        self.queue.rows.get(row).map(|place| self.groups.at(*place))
    }

    pub(super) fn row_of(&self, id: GroupId) -> Option<usize> {
        // Near the cursor first: that is where it nearly always is.
        let rows = &self.queue.rows;
        let is = |row: &usize| self.groups.at(rows[*row]).id == id;
        let near = self.queue.cursor.saturating_sub(3)..(self.queue.cursor + 4).min(rows.len());
        near.into_iter()
            .find(is)
            .or_else(|| (0..rows.len()).find(is))
    }

    pub fn detail(&self) -> Option<&Arc<GroupDetail>> {
        self.details.get(&self.current?)
    }

    pub(super) fn say(&mut self, text: String) {
        self.notice = Some(Notice { text, bad: false });
    }

    pub(super) fn warn(&mut self, text: String) {
        self.notice = Some(Notice { text, bad: true });
    }

    pub(super) fn log_error(&mut self, text: String) {
        if self.errors.len() == LAST_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(text);
    }

    pub(super) fn set_filter(&mut self, text: String, keep: bool) {
        self.queue.filter = text;
        self.queue.stale = true;
        self.queue.held = None;
        if keep {
            let text = &self.queue.filter;
            let before = self.filters.clone();
            if !text.is_empty() && text != filter::NEEDS_REVIEW {
                self.filters.push(text);
            }
            let earlier = before.iter().filter(|have| *have != text.as_str());
            let lines: Vec<&str> = std::iter::once(text.as_str()).chain(earlier).collect();
            let value = lines.join("\n");
            let key = FILTER_KEY.to_owned();
            self.send(Command::Remember { key, value });
        }
    }

    /// The filters of the run before. One that shows everything is no place to begin: the queue
    /// opens on what needs a person.
    fn remembered(&mut self, lines: &str) {
        let last = lines.lines().next().unwrap_or_default();
        if !last.is_empty() {
            self.queue.filter = last.to_owned();
            self.queue.stale = true;
        }
        let mut filters = Past::parse(lines);
        filters.forget(filter::NEEDS_REVIEW);
        self.filters = filters;
    }

    pub(super) fn remember_rejection(&mut self, reason: &str) {
        self.rejections.push(reason);
        let (key, value) = (REJECTIONS_KEY.to_owned(), self.rejections.lines());
        self.send(Command::Remember { key, value });
    }

    pub(super) fn set_sort(&mut self, sort: Sort) {
        self.queue.sort = sort;
        self.queue.stale = true;
        self.queue.held = None;
    }

    pub fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.width, self.size.height)
    }

    pub fn too_small(&self) -> bool {
        self.size.width < layout::LEAST.0 || self.size.height < layout::LEAST.1
    }

    pub fn bench(&self) -> layout::Bench {
        let body = layout::frame(self.area()).body;
        if self.zoom {
            return layout::zoomed(body);
        }
        layout::bench(body, self.focus, self.queue_percent)
    }

    /// Lines of a row of the queue: two where the terminal can show a thumbnail beside it.
    pub fn row_height(&self) -> usize {
        let tall = self
            .bench()
            .queue
            .is_some_and(|area| area.height >= 24 && area.width >= 30);
        if self.pixels && tall { 2 } else { 1 }
    }

    /// Rows of the queue that are seen at once.
    pub fn queue_rows(&self) -> usize {
        let bench = self.bench();
        bench.queue.map_or(1, |area| {
            // The filter line stands above the rows.
            let lines = layout::inner(area, bench.borders).height.saturating_sub(1);
            (usize::from(lines) / self.row_height()).max(1)
        })
    }

    /// The next row after the cursor that needs a person, from the top again at the end.
    pub(super) fn next_to_review(&self) -> Option<usize> {
        let len = self.queue.rows.len();
        (1..len)
            .map(|step| (self.queue.cursor + step) % len)
            .find(|row| self.row(*row).is_some_and(needs_person))
    }

    /// Whether an action would do something now; the hint bar shows only those.
    pub fn can(&self, action: Action) -> bool {
        let current = self.current.and_then(|id| self.groups.get(id));
        let draft = self.detail().is_some_and(|detail| detail.draft.is_some());
        match action {
            Action::Undo => self.undo.is_some(),
            Action::Redo => self.redo.is_some(),
            Action::AcceptNext
            | Action::CommitNext
            | Action::EditLabel
            | Action::AddTag
            | Action::EditField
            | Action::AddValue
            | Action::RemoveValue
            | Action::MoveEarlier => draft || (self.screen == Screen::Gallery && current.is_some()),
            Action::Reject
            | Action::Retry
            | Action::Note
            | Action::RemoveTag
            | Action::SetAttribute
            | Action::Select
            | Action::SelectRange
            | Action::SelectAll => current.is_some(),
            Action::Attempts => self
                .detail()
                .is_some_and(|detail| !detail.listed().is_empty()),
            Action::CommitAccepted => self.groups.count(GroupState::Accepted) > 0,
            Action::Pause => matches!(self.model, Model::Ready(_) | Model::Loading),
            _ => true,
        }
    }
}
