//! Test bench: the application with a fake engine; keys go in, a screen of text comes out.

mod boxes;
pub mod items;

pub use items::detail;

use super::app::App;
use super::keymap::{Key, Keymap};
use super::message::{Effect, Message};
use super::picture::{self, Graphics};
use super::records::Snapshot;
use super::session::{Session, Settings};
use super::theme::{Depth, Ground, Theme, ThemeColors};
use crate::engine::{Command, Event, ModelInfo, MovedPictures, Progress, Step};
use crate::icon::IconOptions;
use crate::record::fixes::FixPreview;
use crate::record::testing::VOCABULARY;
use crate::record::*;
use crate::text::Language;
use crate::tui::options::PictureChoice;
use boxes::boxed;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use items::{attempt, context, labels, summarize, version};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Color;
use ratatui::widgets::Widget;
use ratatui::{Terminal, backend::TestBackend};
use ratatui_image::picker::{Picker, ProtocolType};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

fn dark() -> Theme {
    Theme {
        depth: Depth::True,
        ground: Ground::Dark,
        palette: ThemeColors::load(None).unwrap(),
    }
}

type World = BTreeMap<GroupId, GroupDetail>;
type Steps = Vec<(PastStep, Vec<(GroupId, ReviewStep)>)>;

/// The application with keys given as text, a fake engine, and a screen read as text.
pub struct Bench {
    pub app: App,
    terminal: Terminal<TestBackend>,
    graphics: Graphics,
    /// All commands sent, in order, except `Open`.
    pub commands: Vec<Command>,
    /// All records of the fake engine.
    pub world: World,
    past: Steps,
    future: Steps,
    pub quit: bool,
    /// Commands that a busy engine has not handled yet; `None` for an engine that answers at once.
    pub waiting: Option<VecDeque<Command>>,
}

impl Bench {
    pub fn new(width: u16, height: u16) -> Self {
        Self::new_in(dark(), width, height)
    }

    /// The evening fixture with `--pictures none`.
    pub fn without_pictures(width: u16, height: u16) -> Self {
        Self::with(
            dark(),
            PictureChoice::None,
            Language::English,
            width,
            height,
        )
        .with_evening()
    }

    /// The evening fixture in a language.
    pub fn evening_for(language: Language, width: u16, height: u16) -> Self {
        Self::with(dark(), PictureChoice::Auto, language, width, height).with_evening()
    }

    fn new_in(theme: Theme, width: u16, height: u16) -> Self {
        Self::with(theme, PictureChoice::Auto, Language::English, width, height)
    }

    fn with(
        theme: Theme,
        pictures: PictureChoice,
        language: Language,
        width: u16,
        height: u16,
    ) -> Self {
        let settings = Self::settings(pictures, language);
        Self::with_settings(theme, settings, width, height)
    }

    fn settings(pictures: PictureChoice, language: Language) -> Settings {
        Settings {
            icon: IconOptions {
                upscale: 2,
                background: Background::White,
                with_image: true,
            },
            model: true,
            outdir: "labels".to_owned(),
            vocabulary: Arc::clone(&VOCABULARY),
            pictures,
            english: false,
            language,
        }
    }

    fn with_settings(theme: Theme, settings: Settings, width: u16, height: u16) -> Self {
        let keymap = Keymap::load(None, None).unwrap();
        let mut bench = Self {
            app: App::new(Size::new(width, height), theme, keymap, settings),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            graphics: Graphics::new(Picker::halfblocks()),
            commands: Vec::new(),
            world: World::new(),
            past: Vec::new(),
            future: Vec::new(),
            quit: false,
            waiting: None,
        };
        bench.prepare_frame();
        bench
    }

    /// An evening's work: uncertain, decided, failed and waiting records.
    pub fn evening(width: u16, height: u16) -> Self {
        Self::new(width, height).with_evening()
    }

    pub fn evening_in(theme: Theme, width: u16, height: u16) -> Self {
        Self::new_in(theme, width, height).with_evening()
    }

    /// The evening fixture with `--no-model`.
    pub fn evening_without_model(width: u16, height: u16) -> Self {
        let mut settings = Self::settings(PictureChoice::Auto, Language::English);
        settings.model = false;
        let mut bench = Self::with_settings(dark(), settings, width, height);
        bench.send_evening();
        bench
    }

    fn with_evening(mut self) -> Self {
        self.send_evening();
        self.event(Event::ModelReady(ModelInfo {
            name: "scripted".to_owned(),
            device: "cpu".to_owned(),
            detail: "none".to_owned(),
            slots: 8,
            memory: None,
        }));
        self
    }

    fn send_evening(&mut self) {
        let all = [
            detail(
                1,
                "붉은 여왕의 모자",
                GroupState::Uncertain,
                &[Reason::FewTags],
            ),
            detail(2, "기사단 망토", GroupState::Draft, &[]),
            detail(
                3,
                "Frozen 왕관",
                GroupState::Uncertain,
                &[Reason::MixedScript, Reason::ItemNameMissing],
            ),
            detail(4, "부서진 아이콘", GroupState::Failed, &[]),
            detail(
                5,
                "아주 길고 긴 이름을 가진 전설의 용사의 낡은 가죽 장갑",
                GroupState::Uncertain,
                &[Reason::ColorMismatch],
            ),
            detail(6, "은반지", GroupState::Committed, &[]),
            detail(7, "기다리는 신발", GroupState::Waiting, &[]),
        ];
        for detail in all {
            self.world.insert(detail.summary.id, detail);
        }
        self.send_all();
        self.event(Event::SourceRead {
            rows: 21,
            groups: 7,
            pictures: MovedPictures::default(),
        });
    }

    fn send_all(&mut self) {
        let all = self.world.values().map(|d| d.summary.clone()).collect();
        self.event(Event::Groups(all));
    }

    pub fn event(&mut self, event: Event) {
        let effects = self.app.update(Message::Engine(event));
        self.carry_out(effects);
        self.prepare_frame();
    }

    pub fn message(&mut self, message: Message) {
        let effects = self.app.update(message);
        self.carry_out(effects);
        self.prepare_frame();
    }

    fn prepare_frame(&mut self) {
        for _ in 0..100 {
            let effects = self.app.prepare_frame();
            if effects.is_empty() && !self.app.drawn() {
                return;
            }
            self.carry_out(effects);
        }
        panic!("the application keeps requesting effects");
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let answers = match effect {
                Effect::Send(command) => match &mut self.waiting {
                    Some(waiting) => {
                        waiting.push_back(command);
                        Vec::new()
                    }
                    None => self.play(command),
                },
                Effect::Work(task) => vec![Message::TaskDone(task.run())],
                Effect::Pictures(requests) => requests
                    .iter()
                    .map(|request| Message::Picture(picture::load(&self.graphics, request)))
                    .collect(),
                Effect::Quit => {
                    self.quit = true;
                    Vec::new()
                }
                Effect::Redraw | Effect::Suspend | Effect::Ring(_) => Vec::new(),
            };
            for answer in answers {
                let more = self.app.update(answer);
                self.carry_out(more);
            }
        }
    }

    pub fn play(&mut self, command: Command) -> Vec<Message> {
        let events = match &command {
            Command::Open(id) => {
                let detail = self.world.get(id).cloned();
                return detail
                    .map(|detail| Message::Engine(Event::Detail(Box::new(detail))))
                    .into_iter()
                    .collect();
            }
            Command::Apply { groups, change } => self.apply(groups, change),
            Command::Undo => self.undo_or_redo(Direction::Undo),
            Command::Redo => self.undo_or_redo(Direction::Redo),
            Command::PreviewVocabulary { groups } => vec![self.preview_vocabulary(groups)],
            Command::PreviewFix {
                groups,
                reason,
                kind,
            } => vec![self.preview_fix(groups, *reason, *kind)],
            _ => Vec::new(),
        };
        self.commands.push(command);
        events.into_iter().map(Message::Engine).collect()
    }

    fn apply(&mut self, groups: &[GroupId], change: &Change) -> Vec<Event> {
        let verb = format!("{change:?}");
        let verb = verb
            .split([' ', '{', '('])
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let done = format!("{verb}: {} record(s)", groups.len());
        let vocabulary = self.app.session().vocabulary();
        let mut report = StepReport::new(change.clone());
        let mut step = Vec::new();
        for id in groups {
            let Some(detail) = self.world.get_mut(id) else {
                continue;
            };
            let before = detail.current.review.clone();
            let labels = detail.draft.as_ref().map(|draft| draft.labels.clone());
            match detail.apply(change, vocabulary) {
                Ok(true) => {}
                Ok(false) if detail.draft.is_none() => {
                    report.without_draft += 1;
                    continue;
                }
                Ok(false) => {
                    report.untouched += 1;
                    continue;
                }
                Err(error) => {
                    report.refused(&error);
                    continue;
                }
            }
            summarize(detail);
            let fields = match (labels, &detail.draft) {
                (Some(before), Some(draft)) => before.differing(&draft.labels),
                _ => Vec::new(),
            };
            report.changed(&fields);
            let after = detail.current.review.clone();
            report.lines.add(change, &before, &after);
            let answer = detail.current.answer;
            step.push((
                *id,
                ReviewStep {
                    before,
                    after,
                    answer,
                },
            ));
        }
        if !step.is_empty() {
            let past = PastStep {
                done,
                change: Some(Box::new(change.clone())),
                records: step.len(),
            };
            self.past.push((past, step));
            self.future.clear();
        }
        let changed: Vec<GroupId> = match self.past.last() {
            Some((_, step)) if report.records > 0 => step.iter().map(|(id, _)| *id).collect(),
            _ => groups.to_vec(),
        };
        self.step_events(Step::Done(Box::new(report)), changed)
    }

    fn undo_or_redo(&mut self, direction: Direction) -> Vec<Event> {
        let (from, to, nothing) = match direction {
            Direction::Undo => (&mut self.past, &mut self.future, Step::NothingToUndo),
            Direction::Redo => (&mut self.future, &mut self.past, Step::NothingToRedo),
        };
        let Some((name, step)) = from.pop() else {
            return self.step_events(nothing, Vec::new());
        };
        for (id, step) in &step {
            if let Some(detail) = self.world.get_mut(id) {
                items::mark_undone(detail, step, direction);
                detail.show(step.clone().restored(&detail.current, direction));
                summarize(detail);
            }
        }
        let groups = step.iter().map(|(id, _)| *id).collect();
        to.push((name.clone(), step));
        let step = match direction {
            Direction::Undo => Step::Undone(name),
            Direction::Redo => Step::Redone(name),
        };
        self.step_events(step, groups)
    }

    /// Adds a new answer of the model to an item.
    pub fn answer(&mut self, id: i64, color: &str) {
        let detail = self.world.get_mut(&GroupId(id)).unwrap();
        let number = detail.versions.last().map_or(id * 10, |last| last.number) + 1;
        let name = detail.item.item_name.clone();
        let answer = attempt(number, labels(&name, color, &["모자", "새 태그"]), &[]);
        detail.versions.push(version(&answer));
        detail.attempts.push(answer);
        let mut current = detail.current.clone();
        current.answered(number);
        detail.current.answer = current.answer;
        detail.show(current.review);
        summarize(detail);
        let summary = detail.summary.clone();
        let labeled = Event::Labeled {
            group: summary.id,
            image_path: summary.image_path.clone(),
            name: summary.name.clone(),
            reasons: Vec::new(),
            derived_from: None,
            offered: summary.offered,
        };
        self.event(Event::Groups(vec![summary]));
        self.event(labeled);
    }

    fn step_events(&self, step: Step, groups: Vec<GroupId>) -> Vec<Event> {
        vec![
            Event::Groups(self.world.values().map(|d| d.summary.clone()).collect()),
            Event::Stepped {
                step: Some(step),
                groups,
                undo: self.past.last().map(|(name, _)| name.clone()),
                redo: self.future.last().map(|(name, _)| name.clone()),
            },
        ]
    }

    fn preview_fix(&self, groups: &[GroupId], reason: Reason, kind: FixKind) -> Event {
        let mut preview = FixPreview::default();
        for detail in groups.iter().filter_map(|id| self.world.get(id)) {
            if let Some(draft) = &detail.draft {
                let reasons = &detail.summary.reasons;
                preview.add(reason, kind, &draft.labels, reasons, &context(&detail.item));
            }
        }
        Event::FixPreview {
            groups: groups.to_vec(),
            kind,
            preview,
        }
    }

    fn preview_vocabulary(&self, groups: &[GroupId]) -> Event {
        let drafts = groups.iter().map(|id| {
            let draft = self.world.get(id).and_then(|detail| detail.draft.as_ref());
            Ok::<_, std::convert::Infallible>(draft.map(|draft| draft.labels.clone()))
        });
        let vocabulary = self.app.session().vocabulary();
        let preview = VocabularyPreview::count(drafts, vocabulary);
        Event::VocabularyPreview {
            groups: groups.to_vec(),
            preview: preview.unwrap_or_else(|never| match never {}),
        }
    }

    /// Presses keys, written as in key files; `"some_text` types a text, with `_` for a space.
    pub fn keys(&mut self, script: &str) -> &mut Self {
        for word in script.split_whitespace() {
            if let Some(text) = word.strip_prefix('"') {
                for c in text.trim_end_matches('"').replace('_', " ").chars() {
                    self.press(KeyCode::Char(c), KeyModifiers::NONE);
                }
                continue;
            }
            // Key files have no Hangul keys, but keyboards do.
            let mut chars = word.chars();
            if let (Some(c @ 'ㄱ'..='힣'), None) = (chars.next(), chars.next()) {
                self.press(KeyCode::Char(c), KeyModifiers::NONE);
                continue;
            }
            let key = Key::parse(word).unwrap();
            self.press(key.code, key.modifiers);
        }
        self
    }

    pub fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let frames = self.session().seen.frames();
        let key = KeyEvent::new(code, modifiers);
        self.message(Message::Key(key, frames));
    }

    /// Presses keys so fast that no frame is drawn between them.
    pub fn burst(&mut self, keys: &str) {
        let frames = self.session().seen.frames();
        for key in keys.chars() {
            let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
            self.message(Message::Key(key, frames));
        }
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let frames = self.session().seen.frames();
        let mouse = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        self.message(Message::Mouse(mouse, frames));
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.message(Message::Resize(Size::new(width, height)));
    }

    /// Switches to a terminal with sixel graphics and gives every item this icon.
    pub fn show_pixels(&mut self, icon: &std::path::Path) {
        self.graphics.picker.set_protocol_type(ProtocolType::Sixel);
        self.show_icon(icon);
        self.message(Message::Pixels(true));
    }

    /// Gives every item this icon.
    pub fn show_icon(&mut self, icon: &std::path::Path) {
        for detail in self.world.values_mut() {
            detail.item.file = Some(icon.to_owned().into());
        }
        self.send_all();
        self.message(Message::Pixels(false));
    }

    /// Top-left cells of all pixel pictures on the screen.
    pub fn images(&mut self) -> Vec<Position> {
        let app = &self.app;
        let area = Rect::from(app.size());
        let mut buffer = Buffer::empty(area);
        app.render(area, &mut buffer);
        let begins = |at: &Position| buffer[*at].symbol().contains('\u{1b}');
        area.positions().filter(begins).collect()
    }

    /// The text on the screen without colors, then the position of the cursor.
    pub fn screen(&mut self) -> String {
        let app = &self.app;
        let mut cursor = None;
        self.terminal
            .draw(|frame| {
                frame.render_widget(app, frame.area());
                cursor = app.cursor();
                if let Some(at) = cursor {
                    assert!(frame.area().contains(at), "the cursor is off screen: {at}");
                    frame.set_cursor_position(at);
                }
            })
            .unwrap();
        let buffer = self.terminal.backend().buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                assert!(
                    !symbol.chars().any(char::is_control),
                    "control characters at {x},{y}"
                );
                skip = crate::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        if let Some(at) = cursor {
            out.push_str(&format!("cursor at {},{}\n", at.x, at.y));
        }
        out
    }

    /// Every color on the screen last drawn.
    pub fn colors(&self) -> impl Iterator<Item = Color> + '_ {
        let cells = self.terminal.backend().buffer().content().iter();
        cells.flat_map(|cell| [cell.fg, cell.bg, cell.underline_color])
    }

    pub fn current_name(&self) -> String {
        let id = self.session().current().expect("no current record");
        self.session().records.get(id).unwrap().name.clone()
    }

    pub fn session(&self) -> &Session {
        self.app.session()
    }

    pub fn count(&self, state: GroupState) -> u64 {
        self.session().records.groups().count(state)
    }

    pub fn snapshot(&self) -> Snapshot {
        self.session().records.groups().snapshot()
    }

    pub fn progress(&mut self, progress: Progress) {
        self.message(Message::Progress(Box::new(progress)));
    }

    /// The lines, by row, of the pane or box whose title begins with `title`; `None` if there is no
    /// such box.
    pub fn pane(&mut self, title: &str) -> Option<BTreeMap<u16, String>> {
        self.screen();
        boxed(self.terminal.backend().buffer(), title)
    }
}
