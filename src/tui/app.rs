//! The workstation application: routes messages to the session, the current screen or the open
//! dialog, and draws them.

use super::bars::{self, Press};
use super::dialogs::Dialog;
use super::events;
use super::flow::{Clicks, Part};
use super::handlers::{self, ActionContext};
use super::keymap::{Action, Key, KeyContext, KeySequence, Keymap, Lookup};
use super::message::{Effect, Message};
use super::records::{Stays, TaskResult};
use super::screens::{ActionOutcome, Screens, View};
use super::session::{Session, Settings};
use super::theme::Theme;
use super::widgets::layout::{self, frame};
use super::widgets::{normalize_wide, paragraph, press_at};
use crate::engine::{Blocked, Command, Event};
use crate::record::GroupId;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::widgets::Widget;
use std::time::Instant;

pub struct App {
    session: Session,
    screens: Screens,
    dialog: Option<Dialog>,
    sequence: KeySequence,
    /// Keeps the cursor on the first row while the queue fills. Ends with the first key, or once
    /// all icons are measured.
    stays_at_top: bool,
    /// Number of frames drawn when the current key was read.
    frames_at_key: u64,
    /// Set when an action was refused; the playback of keys then stops.
    refused: bool,
    clicks: Clicks,
}

impl App {
    pub fn new(size: Size, theme: Theme, keymap: Keymap, settings: Settings) -> Self {
        Self {
            session: Session::new(size, theme, keymap, settings),
            screens: Screens::default(),
            dialog: None,
            sequence: KeySequence::default(),
            stays_at_top: true,
            frames_at_key: 0,
            refused: false,
            clicks: Clicks::default(),
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn dialog(&self) -> Option<&Dialog> {
        self.dialog.as_ref()
    }

    /// Key context of the current screen.
    pub fn context(&self) -> KeyContext {
        self.screens.shown().context()
    }

    pub fn size(&self) -> Size {
        self.session.size
    }

    pub fn has_ended(&self) -> bool {
        self.session.engine.ended
    }

    /// Whether an action would have an effect now.
    pub fn can(&self, action: Action) -> bool {
        handlers::can(action, self.screens.shown().is_bulk(), &self.session)
    }

    /// Handles a message. It is cheap; the costly work waits for [`App::prepare_frame`], which runs
    /// once for many messages.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        self.stays_at_top &= match &message {
            Message::Key(..) | Message::Paste(_) => false,
            Message::Mouse(mouse, _) => mouse.kind == MouseEventKind::Moved,
            _ => true,
        };
        match message {
            Message::Key(key, _) if key.kind == KeyEventKind::Release => {}
            Message::Key(key, frames) if self.session.repeats.is_playing() => match key.code {
                KeyCode::Esc => {
                    self.session.repeats.stop_playing();
                    self.sequence.clear();
                }
                _ => self.session.repeats.hold(key, frames),
            },
            Message::Mouse(..) | Message::Paste(_) if self.session.repeats.is_playing() => {}
            Message::Key(key, frames) => {
                self.frames_at_key = frames;
                self.handle_and_record_key(&key);
            }
            Message::Mouse(mouse, frames) => {
                self.frames_at_key = frames;
                self.mouse(&mouse);
            }
            Message::Paste(text) => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.paste(&text, &mut self.session);
                }
            }
            Message::Resize(size) => {
                self.session.size = size;
                self.session.pictures.clear();
            }
            Message::Engine(event) => self.handle_event(event),
            Message::Progress(progress) => self.session.engine.progress = *progress,
            Message::TaskDone(TaskResult::Filtered { number, rows }) => {
                self.set_filtered_rows(number, rows);
            }
            Message::TaskDone(TaskResult::Counted(counts)) => {
                self.session.records.set_counts(*counts);
            }
            Message::TaskDone(TaskResult::Previewed { number, preview }) => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.set_preview(number, *preview);
                }
            }
            Message::Picture(picture) => self.session.put_picture(picture),
            Message::Pixels(pixels) => self.session.pictures.set_draws_pixels(pixels),
            Message::Ground(ground) => self.session.theme.ground = ground,
            Message::Resumed => self.session.request(Effect::Redraw),
            Message::Terminate => self.session.request(Effect::Quit),
        }
        self.session.take_effects()
    }

    /// Handles a key and adds it to a running recording. The keys that start and stop the recording
    /// are left out.
    fn handle_and_record_key(&mut self, event: &KeyEvent) {
        let recording = self.session.repeats.is_recording();
        self.key(event);
        if recording && self.session.repeats.is_recording() {
            self.session.repeats.add(event);
        }
    }

    fn play(&mut self) {
        match self.session.repeats.start_playing() {
            None => self.session.warn(self.session.words.keys_busy()),
            Some(0) => self.session.notify(self.session.words.no_keys_yet()),
            Some(_) => {}
        }
    }

    /// Plays the next recorded key once the frame shows what the earlier keys did; stops at the
    /// first key that is refused. Returns whether a frame should follow at once.
    fn play_next(&mut self, frame_is_complete: bool) -> bool {
        let repeats = &mut self.session.repeats;
        let Some(key) = frame_is_complete.then(|| repeats.next_key()).flatten() else {
            return false;
        };
        self.frames_at_key = self.session.seen.frames();
        self.refused = false;
        self.key(&key);
        if self.refused {
            self.session.repeats.stop_playing();
        } else if self.session.repeats.is_played() {
            self.session.repeats.end_playing();
        } else {
            return true;
        }
        self.sequence.clear();
        while let Some((key, frames)) = self.session.repeats.next_held() {
            self.frames_at_key = frames;
            self.handle_and_record_key(&key);
        }
        true
    }

    fn key(&mut self, event: &KeyEvent) {
        if self.session.is_too_small() {
            return self.key_when_too_small(event);
        }
        if self.dialog.is_some() {
            if !self.program_key(event) {
                self.dialog_key(event);
            }
            return;
        }
        self.action_key(event, |_| true);
    }

    /// Handles a key without a dialog. Performs its action if it `works` now.
    fn action_key(&mut self, event: &KeyEvent, works: impl Fn(Action) -> bool) {
        for key in Key::from_event(event) {
            self.session.digit = key.digit();
            let context = self.context();
            let found = self.sequence.push(key, context, &self.session.keymap);
            if let Lookup::Action(action) = found
                && works(action)
            {
                self.act(action);
            }
            if self.dialog.is_some() {
                // The rest of a Hangul syllable must not be typed into the new dialog.
                self.sequence.clear();
                return;
            }
        }
    }

    /// Handles a key while the screen is too small to show its effect: only quitting, closing a
    /// dialog and a few harmless actions work.
    fn key_when_too_small(&mut self, event: &KeyEvent) {
        match &self.dialog {
            Some(dialog) if dialog.asks_to_quit() || event.code == KeyCode::Esc => {
                self.dialog_key(event);
            }
            Some(_) => drop(self.program_key(event)),
            None => self.action_key(event, Action::works_when_too_small),
        }
    }

    fn dialog_key(&mut self, key: &KeyEvent) {
        self.session.digit = None;
        let place = self.screens.placement(self.dialog(), &self.session);
        let Some(mut dialog) = self.dialog.take() else {
            return;
        };
        // A warning is about what was entered before.
        if matches!(key.code, KeyCode::Enter | KeyCode::Esc) {
            self.session.notices.dismiss_warning();
        }
        let next = dialog.key(key, &place, &mut self.session);
        if let Some(action) = next.action {
            self.act(action);
        }
        if next.stay {
            self.dialog = Some(dialog);
        } else if next.open.is_some() {
            self.dialog = next.open;
        }
        if self.dialog.is_none() {
            self.screens.dialog_closed();
        }
    }

    /// Handles a key that works in dialogs too, unless it types a character: suspending and, while
    /// nothing can be saved, trying again. Typed text stays. Returns `false` for other keys.
    fn program_key(&mut self, event: &KeyEvent) -> bool {
        let chord = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let typed = matches!(event.code, KeyCode::Char(_)) && !event.modifiers.intersects(chord);
        let keys = Key::from_event(event);
        match self.session.keymap.lookup(KeyContext::Global, &keys) {
            _ if typed => return false,
            Lookup::Action(Action::Suspend) => self.session.request(Effect::Suspend),
            Lookup::Action(Action::TryAgain) if self.session.engine.blocked.is_some() => {
                (self.dialog).take_if(|dialog| matches!(dialog, Dialog::Refusal(_)));
                handlers::try_again(&mut self.session);
            }
            _ => return false,
        }
        true
    }

    fn act(&mut self, action: Action) {
        if action == Action::PlayKeys {
            return self.play();
        }
        let session = &mut self.session;
        if !action.is_movement() {
            session.notices.dismiss();
        }
        let targets = self.screens.targets(session);
        let needed = handlers::needed_parts(action, self.screens.is_workbench());
        let refusal = handlers::refuse_unsaved(action, session).or_else(|| {
            let (id, part) = handlers::unseen(&targets, needed, self.frames_at_key, session)?;
            self.screens.bring_up(part, session);
            Some(handlers::refuse_unseen(action, id, part, session))
        });
        self.refused |= refusal.is_some();
        let outcome = refusal
            .or_else(|| self.screens.shown_mut().act(action, session))
            .or_else(|| {
                let context = ActionContext {
                    targets,
                    is_bulk: self.screens.shown().is_bulk(),
                    is_workbench: self.screens.is_workbench(),
                };
                handlers::act(action, context, session)
            })
            .or_else(|| self.screens.act_elsewhere(action, session));
        let ActionOutcome { show, open } = outcome.unwrap_or_default();
        if let Some(place) = show {
            self.screens.show(place);
        }
        if open.is_some() {
            self.sequence.clear();
            self.refused |= matches!(open, Some(Dialog::Refusal(_)));
            self.dialog = open;
        }
    }

    fn mouse(&mut self, mouse: &MouseEvent) {
        if self.session.is_too_small() {
            return;
        }
        self.session.digit = None;
        let at = Position::new(mouse.column, mouse.row);
        let click = mouse.kind == MouseEventKind::Down(MouseButton::Left);
        let twice = click && self.clicks.is_double(at, Instant::now());
        match self.press_at(at).filter(|_| click) {
            Some(Press::Action(action)) => return self.act(action),
            Some(Press::Key(key)) => return self.dialog_key(&key.to_event()),
            None => {}
        }
        if let Some(dialog) = &mut self.dialog {
            let place = self.screens.placement(Some(dialog), &self.session);
            if let Some(key) = dialog.mouse(mouse, &place, &self.session) {
                self.dialog_key(&key);
            }
            return;
        }
        if click && let Some(number) = self.screens.shown().fix_at(at, &self.session) {
            // The second click of a double click may hit the next fix, which has moved here.
            if !twice {
                self.session.digit = Some(number);
                self.act(Action::Fix);
            }
            return;
        }
        self.screens.shown_mut().mouse(mouse, &mut self.session);
        if twice && let Some(action) = self.screens.shown().double_click(at, &self.session) {
            self.act(action);
        }
    }

    /// The target of a click on the header or the hint line.
    fn press_at(&self, at: Position) -> Option<Press> {
        let session = &self.session;
        let frame = frame(session.area());
        let dialog = self.dialog();
        if frame.header.contains(at) && dialog.is_none() {
            let tabs = bars::tabs(session, self.screens.tab(), frame.header);
            return press_at(&tabs, at.x);
        }
        if !frame.hints.contains(at) {
            return None;
        }
        let screen = self.screens.shown();
        let pieces = bars::hint_pieces(session, screen, dialog, self.sequence.keys(), frame.hints);
        press_at(&pieces, at.x)
    }

    fn handle_event(&mut self, event: Event) {
        let session = &mut self.session;
        match event {
            Event::Stepped {
                step,
                groups,
                undo,
                redo,
            } => {
                session.engine.undo = undo;
                session.engine.redo = redo;
                // The first report comes before any step.
                if let Some(step) = step {
                    session.engine.step_answered();
                    handlers::report_step(&step, &groups, session);
                }
                self.ask_again_to_quit();
            }
            Event::VocabularyPreview { groups, preview } => {
                if let Some(Dialog::Translate(form)) = &mut self.dialog {
                    form.set_preview(&groups, preview);
                }
            }
            Event::FixPreview {
                groups,
                kind,
                preview,
            } => {
                if let Some(Dialog::FixAll(form)) = &mut self.dialog {
                    form.set_preview(&groups, kind, preview);
                }
            }
            Event::Blocked(blocked) => self.blocked(blocked),
            Event::Unblocked => {
                session.engine.blocked = None;
                session.notify(session.words.saved_again());
                self.ask_again_to_quit();
            }
            event => events::update(event, session),
        }
    }

    fn blocked(&mut self, blocked: Blocked) {
        let words = self.session.words;
        let text = words.not_saved(words.blocked(&blocked).cause);
        self.session.notices.log_error(text);
        self.session.engine.blocked = Some(blocked);
        self.session.refuse_unsaved();
        self.ask_again_to_quit();
    }

    /// Updates an open quit confirmation: an event may have changed what it warns about, or made it
    /// unnecessary.
    fn ask_again_to_quit(&mut self) {
        if self.dialog().is_some_and(Dialog::asks_to_quit) {
            self.dialog = handlers::quit(&mut self.session);
        }
    }

    fn set_filtered_rows(&mut self, number: u64, rows: Vec<u32>) {
        let session = &mut self.session;
        let stays = Stays {
            at_top: self.stays_at_top,
            on_current: (self.dialog.as_ref()).is_some_and(|dialog| !dialog.filters_queue()),
        };
        let is_settled = session.records.source_is_read() && !session.engine.progress.measuring;
        self.stays_at_top &= !is_settled;
        let (queue, records) = (&mut session.queue, &session.records);
        if queue.set_rows(number, rows, records, stays) {
            session.selection.count_hidden(queue.ids(records));
        }
        if session.queue.take_failed_seek() {
            let hidden = format!("; {}", session.words.hidden_by_filter());
            session.notices.add(&hidden);
        }
    }

    /// Prepares the next frame, after any number of messages: scrolls to the cursors and requests
    /// the details and pictures that the frame needs.
    pub fn prepare_frame(&mut self) -> Vec<Effect> {
        let session = &mut self.session;
        let vocabulary = &session.settings.vocabulary;
        let views = session.history.views();
        let records = &session.records;
        let filter = session.queue.filter_task(records, vocabulary, views);
        let wants_counts = self.screens.shown().wants_counts(session)
            || self.dialog.as_ref().is_some_and(Dialog::wants_counts);
        let count = match wants_counts {
            true => session.records.count_task(vocabulary),
            false => None,
        };
        for task in filter.into_iter().chain(count) {
            session.request(Effect::Work(task));
        }
        self.screens.prepare(self.dialog.as_ref(), session);
        if !session.is_too_small() {
            self.request_details();
            self.request_pictures();
        }
        self.session.take_effects()
    }

    fn request_details(&mut self) {
        let session = &mut self.session;
        let shown = self.screens.shown().visible_rows(session);
        let shown = session.rows_near_cursor(shown).into_iter();
        let shown = shown.filter_map(|row| Some(session.row(row)?.id));
        let ahead = session.queue.ahead(&session.records);
        let wanted: Vec<GroupId> = session
            .current()
            .into_iter()
            .chain(ahead)
            .chain(shown)
            .chain(self.screens.shown().wants_details(session))
            .chain(session.siblings())
            .chain(session.neighbors())
            .chain(session.confused())
            .collect();
        for id in session.records.missing_details(&wanted) {
            session.send(Command::Open(id));
        }
    }

    fn request_pictures(&mut self) {
        let wanted = self.screens.shown().pictures(&self.session);
        if let Some(missing) = self.session.pictures.missing(wanted) {
            self.session.request(Effect::Pictures(missing));
        }
    }

    /// Records that the prepared frame is on the screen. Returns whether the next frame should
    /// follow at once, because recorded keys are being played.
    pub fn drawn(&mut self) -> bool {
        let session = &mut self.session;
        let shown = match self.dialog.is_some() || session.is_too_small() {
            true => Vec::new(),
            false => self.screens.shown().shown_parts(session),
        };
        session.seen.drawn(session.queue.current(), &shown);
        let shows = |part| shown.contains(&part);
        let is_complete = self.dialog.is_some() || shows(Part::Label) && shows(Part::Picture);
        let is_coming = session.is_loading() && !session.is_too_small() && !session.engine.ended;
        self.play_next(is_complete || !is_coming)
    }

    /// Records a frame in which something else covers the workstation.
    pub fn covered(&mut self) {
        self.session.repeats.stop_playing();
        self.session.seen.drawn(None, &[]);
    }

    /// Position of the terminal's own cursor. In a text being typed, it lets an input method
    /// compose there; elsewhere it is on the current item, so that a screen reader reads it.
    pub fn cursor(&self) -> Option<Position> {
        if self.session.is_too_small() {
            return None;
        }
        let Some(dialog) = self.dialog() else {
            return self.screens.shown().cursor(&self.session);
        };
        let place = self.screens.placement(Some(dialog), &self.session);
        dialog.cursor(&place, &self.session)
    }
}

impl Widget for &App {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let session = &self.session;
        if session.is_too_small() {
            let (width, height) = layout::MIN_SIZE;
            let text = match self.dialog().is_some_and(Dialog::asks_to_quit) {
                true => session.words.leave_blind().to_owned(),
                false => session.words.too_small(width, height),
            };
            return paragraph(&text, session.theme.bad(), area, buf);
        }
        let dialog = self.dialog();
        let place = self.screens.placement(dialog, session);
        let boxes = dialog.map_or_else(Vec::new, |dialog| dialog.areas(&place, session));
        let view = View {
            session,
            dialog,
            boxes: &boxes,
        };
        let frame = frame(area);
        bars::header(session, self.screens.tab(), frame.header, buf);
        let screen = self.screens.shown();
        screen.draw(&view, frame.body, buf);
        bars::hints(
            session,
            screen,
            dialog,
            self.sequence.keys(),
            frame.hints,
            buf,
        );
        if let Some(dialog) = dialog {
            dialog.draw(&place, session, buf);
        }
        normalize_wide(buf);
    }
}
