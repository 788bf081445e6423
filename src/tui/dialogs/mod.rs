//! Dialogs cover the panes and receive all keys. Each owns its state, keys, layout and drawing.

mod bulk;
mod completion;
mod filter_form;
mod fix_all;
mod help;
mod palette;
mod prompt;
mod question;
mod retry;
mod views;

pub use bulk::{
    BulkAction, BulkForm, PendingPreview, RecordEffect, ReplaceForm, Scope, TranslateForm,
};
pub use completion::Completion;
pub use filter_form::FilterForm;
pub use fix_all::FixAllForm;
pub use help::Help;
pub use palette::ActionPalette;
pub use prompt::{PromptPurpose, TextPrompt};
pub use question::{Confirm, PromptRefusal};
pub use retry::{RetryForm, ask_again};
pub use views::ViewList;

use super::keymap::{Action, KeyContext};
use super::session::Session;
use super::widgets::layout::centered;
use crate::record::ChangePreview;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub enum Dialog {
    Help(Help),
    Palette(ActionPalette),
    Filter(FilterForm),
    Confirm(Confirm),
    Prompt(TextPrompt),
    Bulk(Box<BulkForm>),
    Retry(RetryForm),
    Replace(Box<ReplaceForm>),
    Translate(TranslateForm),
    FixAll(FixAllForm),
    Refusal(PromptRefusal),
    Views(ViewList),
}

/// Placement of a dialog on the current screen.
#[derive(Debug, Clone, Copy)]
pub struct DialogPlace {
    /// Key context of the screen.
    pub context: KeyContext,
    /// The line where the filter is typed.
    pub filter: Rect,
    /// Areas for a box that do not cover the picture of the record, best first.
    pub rooms: [Rect; 2],
    /// Width in cells of a line of the record pane, where a text is edited in place.
    pub text_cells: usize,
    /// Cursor of a text edited in place: `None` if the prompt is a box of its own, `Some(None)` if
    /// the cursor is scrolled out of view.
    pub in_place: Option<Option<Position>>,
}

impl DialogPlace {
    /// The area for a box of this size: the first one, unless the second shows far more of the box.
    pub fn room(&self, width: u16, height: u16) -> Rect {
        let shown =
            |room: &Rect| u32::from(room.width.min(width)) * u32::from(room.height.min(height));
        let [first, second] = self.rooms;
        match shown(&second) * 2 > shown(&first) * 3 {
            true => second,
            false => first,
        }
    }

    /// A box of this size, centered in its area and cut to it.
    pub fn box_of(&self, width: u16, height: u16) -> Rect {
        centered(self.room(width, height), width, height)
    }

    /// The area that contains a screen position.
    pub fn room_around(&self, at: Position, session: &Session) -> Rect {
        let mut rooms = self.rooms.into_iter();
        rooms
            .find(|room| room.contains(at))
            .unwrap_or_else(|| session.body())
    }
}

/// What the application does after a dialog has handled a key.
#[derive(Default)]
pub struct Next {
    /// Whether the dialog stays open.
    pub stay: bool,
    /// The dialog that opens in its place.
    pub open: Option<Dialog>,
    pub action: Option<Action>,
}

impl Next {
    pub fn stay() -> Self {
        Self {
            stay: true,
            ..Self::default()
        }
    }

    pub fn close() -> Self {
        Self::default()
    }

    pub fn open(dialog: Dialog) -> Self {
        Self {
            open: Some(dialog),
            ..Self::default()
        }
    }

    pub fn and_act(self, action: Action) -> Self {
        Self {
            action: Some(action),
            ..self
        }
    }
}

/// Keys and, in a word or two, their effect.
pub type KeyHint = (&'static str, &'static str);

/// Common interface of all dialogs.
trait Modal {
    /// Handles a key; `escape` is set for Esc and Ctrl-C.
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        place: &DialogPlace,
        session: &mut Session,
    ) -> Next;

    /// Handles a click: moves to the clicked item and returns the key that the click stands for.
    fn click(
        &mut self,
        _at: Position,
        _place: &DialogPlace,
        _session: &Session,
    ) -> Option<KeyCode> {
        None
    }

    /// Inserts a pasted text where text can be typed.
    fn paste(&mut self, _text: &str, _session: &mut Session) {}

    /// The rectangles that the dialog covers.
    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect>;

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer);

    /// Position of the terminal's own cursor, where an input method composes.
    fn cursor(&self, _place: &DialogPlace, _session: &Session) -> Option<Position> {
        None
    }

    /// Keys for the hint line.
    fn hints(&self, session: &Session) -> Vec<KeyHint>;

    /// Whether the dialog needs the counts of values in use.
    fn wants_counts(&self) -> bool {
        false
    }
}

impl Dialog {
    fn modal(&self) -> &dyn Modal {
        match self {
            Self::Help(dialog) => dialog,
            Self::Palette(dialog) => dialog,
            Self::Filter(dialog) => dialog,
            Self::Confirm(dialog) => dialog,
            Self::Prompt(dialog) => dialog,
            Self::Bulk(dialog) => &**dialog,
            Self::Retry(dialog) => dialog,
            Self::Replace(dialog) => &**dialog,
            Self::Translate(dialog) => dialog,
            Self::FixAll(dialog) => dialog,
            Self::Refusal(dialog) => dialog,
            Self::Views(dialog) => dialog,
        }
    }

    fn modal_mut(&mut self) -> &mut dyn Modal {
        match self {
            Self::Help(dialog) => dialog,
            Self::Palette(dialog) => dialog,
            Self::Filter(dialog) => dialog,
            Self::Confirm(dialog) => dialog,
            Self::Prompt(dialog) => dialog,
            Self::Bulk(dialog) => &mut **dialog,
            Self::Retry(dialog) => dialog,
            Self::Replace(dialog) => &mut **dialog,
            Self::Translate(dialog) => dialog,
            Self::FixAll(dialog) => dialog,
            Self::Refusal(dialog) => dialog,
            Self::Views(dialog) => dialog,
        }
    }

    pub fn prompt(purpose: PromptPurpose, text: &str) -> Self {
        Self::Prompt(TextPrompt::new(purpose, text))
    }

    /// A box that explains why a prompt cannot open. It also swallows what the operator goes on to
    /// type, which would otherwise act as keys.
    pub fn refusal(why: impl Into<String>) -> Self {
        Self::Refusal(PromptRefusal::new(why.into()))
    }

    pub fn key(&mut self, key: &KeyEvent, place: &DialogPlace, session: &mut Session) -> Next {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let escape = key.code == KeyCode::Esc || (ctrl && key.code == KeyCode::Char('c'));
        self.modal_mut().key(key, escape, place, session)
    }

    /// The key that a mouse event stands for: the wheel gives arrow keys, a click gives the key of
    /// the clicked item.
    pub fn mouse(
        &mut self,
        mouse: &MouseEvent,
        place: &DialogPlace,
        session: &Session,
    ) -> Option<KeyEvent> {
        let at = Position::new(mouse.column, mouse.row);
        let code = match mouse.kind {
            MouseEventKind::ScrollDown => KeyCode::Down,
            MouseEventKind::ScrollUp => KeyCode::Up,
            MouseEventKind::Down(MouseButton::Left) => {
                self.modal_mut().click(at, place, session)?
            }
            _ => return None,
        };
        Some(KeyEvent::new(code, KeyModifiers::NONE))
    }

    pub fn paste(&mut self, text: &str, session: &mut Session) {
        self.modal_mut().paste(text, session);
    }

    pub fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        self.modal().areas(place, session)
    }

    pub fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        self.modal().draw(place, session, buf);
    }

    pub fn cursor(&self, place: &DialogPlace, session: &Session) -> Option<Position> {
        self.modal().cursor(place, session)
    }

    pub fn hints(&self, session: &Session) -> Vec<KeyHint> {
        self.modal().hints(session)
    }

    pub fn wants_counts(&self) -> bool {
        self.modal().wants_counts()
    }

    /// Takes the preview with this number, if the dialog requested it.
    pub fn set_preview(&mut self, number: u64, preview: ChangePreview) {
        match self {
            Self::Bulk(form) => form.set_preview(number, preview),
            Self::Replace(form) => form.set_preview(number, preview),
            _ => {}
        }
    }

    /// Preview of the change of many records that is being entered.
    pub fn pending(&self) -> Option<&PendingPreview> {
        match self {
            Self::Bulk(form) => Some(form.current()),
            Self::Replace(form) => Some(form.current()),
            _ => None,
        }
    }

    /// Whether this is the filter, which is typed in its line of the screen.
    pub fn is_filter(&self) -> bool {
        matches!(self, Self::Filter(_))
    }

    /// Whether this filters the queue while it is open. Other dialogs are about the current record.
    pub fn filters_queue(&self) -> bool {
        matches!(self, Self::Filter(_) | Self::Views(_))
    }

    /// Whether this is the quit confirmation.
    pub fn asks_to_quit(&self) -> bool {
        matches!(self, Self::Confirm(confirm) if confirm.asks_to_quit())
    }

    /// The prompt, if it edits a value in place in the record pane.
    pub fn edits_in_place(&self) -> Option<&TextPrompt> {
        match self {
            Self::Prompt(prompt) if prompt.edited().is_some() => Some(prompt),
            _ => None,
        }
    }
}
