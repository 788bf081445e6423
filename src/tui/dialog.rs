//! What lies over the panes and takes the keys: texts being typed, choices, confirmations.

use super::action::{ACTIONS, Action, Info};
use super::app::App;
use super::bulk::Choose;
use super::text_edit::TextEdit;
use super::translate::TranslateForm;
use crate::engine::{Command, Match, Retry};
use crate::record::{Background, Change, Field, GroupId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Help {
        scroll: usize,
    },
    Palette {
        edit: TextEdit,
        at: usize,
    },
    Filter(FilterForm),
    Confirm(Confirm),
    Input(Input),
    Choose(Choose),
    Retry(RetryForm),
    Replace(ReplaceForm),
    Translate(TranslateForm),
    /// Why a prompt did not open. It takes what the operator goes on to type, which would be keys
    /// without it.
    Refusal(String),
}

/// A filter being typed; the queue follows.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterForm {
    pub edit: TextEdit,
    /// What Esc goes back to.
    pub before: String,
    /// Index into the offers now shown.
    pub chosen: Option<usize>,
}

/// A question that only `y` answers with yes.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    pub question: String,
    pub detail: String,
    pub then: Then,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    Send(Vec<Command>),
    Quit,
}

/// What a typed text is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// The text of a field that is no list.
    Set {
        field: Field,
        groups: Vec<GroupId>,
    },
    /// One more value; the prompt stays open for the next.
    Add {
        field: Field,
        groups: Vec<GroupId>,
    },
    Rename {
        field: Field,
        from: String,
        groups: Vec<GroupId>,
    },
    /// The value that is then renamed.
    RenameWhich {
        field: Field,
        groups: Vec<GroupId>,
    },
    Remove {
        field: Field,
        groups: Vec<GroupId>,
    },
    Note,
    Reject {
        groups: Vec<GroupId>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    pub purpose: Purpose,
    pub edit: TextEdit,
    /// Index into the completions now shown.
    pub chosen: Option<usize>,
}

impl Input {
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            edit: TextEdit::new(text),
            chosen: None,
        }
    }

    /// The field that is edited in place, where there is one record in hand.
    pub fn place(&self) -> Option<(Field, Option<&str>)> {
        match &self.purpose {
            Purpose::Set { field, groups } if groups.len() == 1 => Some((*field, None)),
            Purpose::Add { field, groups } if groups.len() == 1 => Some((*field, Some(""))),
            Purpose::Rename {
                field,
                from,
                groups,
            } if groups.len() == 1 => Some((*field, Some(from))),
            _ => None,
        }
    }

    pub fn title(&self) -> String {
        let over = |groups: &Vec<GroupId>| {
            if groups.len() > 1 {
                format!(" of {} records", groups.len())
            } else {
                String::new()
            }
        };
        match &self.purpose {
            Purpose::Set { field, groups } => format!("set {}{}", field.key(), over(groups)),
            Purpose::Add { field, groups } => format!("add to {}{}", field.key(), over(groups)),
            Purpose::Rename {
                field,
                from,
                groups,
            } => format!("replace {from} in {}{} with", field.key(), over(groups)),
            Purpose::RenameWhich { field, groups } => {
                format!("replace which value of {}{}", field.key(), over(groups))
            }
            Purpose::Remove { field, groups } => {
                format!("remove from {}{}", field.key(), over(groups))
            }
            Purpose::Note => "note".to_owned(),
            Purpose::Reject { groups } => match groups.len() {
                1 => "why reject?".to_owned(),
                n => format!("why reject these {n} records?"),
            },
        }
    }

    /// The field whose known values are offered.
    pub fn completes(&self) -> Option<Field> {
        match &self.purpose {
            Purpose::Add { field, .. }
            | Purpose::Rename { field, .. }
            | Purpose::RenameWhich { field, .. }
            | Purpose::Remove { field, .. } => Some(*field),
            Purpose::Set { field, .. } if *field == Field::ItemTypeGuess => Some(*field),
            Purpose::Set { .. } | Purpose::Note | Purpose::Reject { .. } => None,
        }
    }

    /// The part of the text that a completion replaces: what follows the last comma of a list,
    /// else all of it.
    pub fn word(&self) -> &str {
        let text = &self.edit.text()[..self.edit.cursor()];
        if let Purpose::Reject { .. } = self.purpose {
            return text;
        }
        text.rsplit(',').next().unwrap_or(text).trim_start()
    }

    fn complete(&mut self, value: &str) {
        let text = self.edit.text();
        let start = self.edit.cursor() - self.word().len();
        let new = format!("{}{value}", &text[..start]);
        self.edit.set(&new);
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct RetryForm {
    pub groups: Vec<GroupId>,
    pub strict: bool,
    /// 0 is the run's own.
    pub upscale: u32,
    pub background: Option<Background>,
    pub with_image: Option<bool>,
    pub hint: TextEdit,
    pub row: usize,
}

pub const RETRY_ROWS: usize = 5;

impl RetryForm {
    fn step(&mut self, forward: bool) {
        match self.row {
            0 => self.strict = !self.strict,
            1 => self.upscale = (self.upscale + if forward { 1 } else { 8 }) % 9,
            2 => {
                const ALL: [Option<Background>; 4] = [
                    None,
                    Some(Background::White),
                    Some(Background::Black),
                    Some(Background::None),
                ];
                let at = ALL.iter().position(|b| *b == self.background).unwrap_or(0);
                self.background = ALL[(at + if forward { 1 } else { 3 }) % 4];
            }
            _ => {
                self.with_image = match (self.with_image, forward) {
                    (None, true) | (Some(false), false) => Some(true),
                    (Some(true), true) | (None, false) => Some(false),
                    _ => None,
                }
            }
        }
    }

    fn retry(&self) -> Retry {
        let hint = self.hint.text().trim();
        Retry {
            strict: self.strict,
            upscale: (self.upscale > 0).then_some(self.upscale),
            background: self.background,
            with_image: self.with_image,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplaceForm {
    pub find: TextEdit,
    pub with: TextEdit,
    pub second: bool,
    /// What the engine found for a text; shown only while the text is still that.
    pub found: Option<(String, Vec<Match>)>,
    pub top: usize,
}

impl ReplaceForm {
    /// The matches of the text as it now stands.
    pub fn matches(&self) -> Option<&[Match]> {
        let (text, matches) = self.found.as_ref()?;
        (text == self.find.text()).then_some(matches)
    }

    pub fn groups(&self) -> Vec<GroupId> {
        let mut groups: Vec<GroupId> = self
            .matches()
            .unwrap_or_default()
            .iter()
            .map(|found| found.group)
            .collect();
        groups.dedup();
        groups
    }
}

impl Dialog {
    pub fn paste(&mut self, text: &str) {
        match self {
            Dialog::Palette { edit, .. } => edit.insert(text),
            Dialog::Filter(form) => form.edit.insert(text),
            Dialog::Input(input) => input.edit.insert(text),
            Dialog::Retry(form) => form.hint.insert(text),
            Dialog::Replace(form) if form.second => form.with.insert(text),
            Dialog::Replace(form) => form.find.insert(text),
            Dialog::Help { .. }
            | Dialog::Confirm(_)
            | Dialog::Choose(_)
            | Dialog::Translate(_)
            | Dialog::Refusal(_) => {}
        }
    }

    pub fn wants_counts(&self) -> bool {
        match self {
            Dialog::Input(input) => input.completes().is_some(),
            Dialog::Filter(_) => true,
            _ => false,
        }
    }
}

/// Actions whose name or description holds every word, those that begin with it first.
pub fn palette(text: &str) -> Vec<&'static Info> {
    let words: Vec<String> = text
        .to_lowercase()
        .split_whitespace()
        .map(Into::into)
        .collect();
    let mut found: Vec<&Info> = ACTIONS
        .iter()
        .filter(|info| {
            let all = format!("{} {}", info.name, info.description).to_lowercase();
            words.iter().all(|word| all.contains(word.as_str()))
        })
        .collect();
    if let Some(first) = words.first() {
        found.sort_by_key(|info| !info.name.contains(first.as_str()));
    }
    found
}

impl App {
    pub(super) fn open(&mut self, dialog: Dialog) {
        self.prefix.clear();
        self.dialog = Some(dialog);
    }

    /// In the place of a prompt that cannot be opened.
    pub(super) fn refuse_prompt(&mut self, why: &str) {
        self.open(Dialog::Refusal(why.to_owned()));
    }

    /// After the text of a dialog changed.
    pub(super) fn dialog_changed(&mut self) {
        match &mut self.dialog {
            Some(Dialog::Filter(form)) => {
                form.chosen = None;
                let text = form.edit.text().to_owned();
                self.set_filter(text, false);
            }
            Some(Dialog::Input(input)) => input.chosen = None,
            Some(Dialog::Palette { at, .. }) => *at = 0,
            Some(Dialog::Replace(form)) => {
                form.top = 0;
                let text = form.find.text().to_owned();
                if !text.is_empty() && form.found.as_ref().is_none_or(|(old, _)| *old != text) {
                    self.send(Command::Find { text });
                }
            }
            _ => {}
        }
    }

    pub(super) fn found(&mut self, text: String, matches: Vec<Match>) {
        if let Some(Dialog::Replace(form)) = &mut self.dialog {
            form.found = Some((text, matches));
        }
    }

    pub(super) fn dialog_key(&mut self, key: &KeyEvent) {
        let Some(dialog) = self.dialog.take() else {
            return;
        };
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let escape = key.code == KeyCode::Esc || (ctrl && key.code == KeyCode::Char('c'));
        match dialog {
            Dialog::Help { scroll } => self.help_key(key, scroll, escape),
            Dialog::Palette { edit, at } => self.palette_key(key, edit, at, escape),
            Dialog::Filter(form) => self.filter_key(key, form, escape),
            Dialog::Confirm(confirm) => self.confirm_key(key, confirm),
            Dialog::Input(input) => self.input_key(key, input, escape),
            Dialog::Choose(choose) => self.choose_key(key, choose, escape),
            Dialog::Retry(form) => self.retry_key(key, form, escape),
            Dialog::Replace(form) => self.replace_key(key, form, escape),
            Dialog::Translate(form) => self.translate_key(key, form, escape),
            Dialog::Refusal(_) if escape || key.code == KeyCode::Enter => {}
            refusal @ Dialog::Refusal(_) => self.dialog = Some(refusal),
        }
    }

    fn help_key(&mut self, key: &KeyEvent, scroll: usize, escape: bool) {
        let page = usize::from(self.size.height.saturating_sub(6)).max(1);
        let scroll = match key.code {
            _ if escape => return,
            KeyCode::Char('q' | '?') | KeyCode::F(1) => return,
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => scroll + 1,
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => scroll + page,
            KeyCode::PageUp => scroll.saturating_sub(page),
            KeyCode::Home => 0,
            _ => scroll,
        };
        let most = super::view::help::length(self).saturating_sub(page);
        self.dialog = Some(Dialog::Help {
            scroll: scroll.min(most),
        });
    }

    fn palette_key(&mut self, key: &KeyEvent, mut edit: TextEdit, mut at: usize, escape: bool) {
        let found = palette(edit.text());
        match key.code {
            _ if escape => return,
            KeyCode::Enter => {
                if let Some(info) = found.get(at) {
                    self.perform(info.action);
                    return;
                }
            }
            KeyCode::Down | KeyCode::Tab => at = (at + 1).min(found.len().saturating_sub(1)),
            KeyCode::Up | KeyCode::BackTab => at = at.saturating_sub(1),
            _ => {
                if edit.key(key) {
                    at = 0;
                }
            }
        }
        self.dialog = Some(Dialog::Palette { edit, at });
    }

    fn filter_key(&mut self, key: &KeyEvent, mut form: FilterForm, escape: bool) {
        if escape {
            return self.set_filter(form.before, true);
        }
        let offered = self.filter_offers(&form.edit);
        match key.code {
            KeyCode::Enter => {
                let text = form.text(&offered).trim().to_owned();
                // A key without its value has only begun.
                if form.chosen.is_none() || !text.ends_with(':') {
                    return self.set_filter(text, true);
                }
                form.edit.set(&text);
                form.chosen = None;
            }
            KeyCode::Tab if !offered.is_empty() => {
                form.chosen = Some(form.chosen.map_or(0, |at| (at + 1) % offered.len()));
            }
            KeyCode::BackTab => form.chosen = form.chosen.and_then(|at| at.checked_sub(1)),
            KeyCode::Down => self.perform(Action::Down),
            KeyCode::Up => self.perform(Action::Up),
            _ => {
                // Going on to type takes what was chosen.
                if form.chosen.is_some() && matches!(key.code, KeyCode::Char(_)) {
                    let text = form.text(&offered);
                    form.edit.set(&text);
                }
                if form.edit.key(key) {
                    form.chosen = None;
                }
            }
        }
        let offered = self.filter_offers(&form.edit);
        let text = form.text(&offered);
        if text != self.queue.filter {
            self.set_filter(text, false);
        }
        self.dialog = Some(Dialog::Filter(form));
    }

    fn confirm_key(&mut self, key: &KeyEvent, confirm: Confirm) {
        match key.code {
            // ㅛ stands on the key of y.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => match confirm.then {
                Then::Send(_) if self.refuses_step() => {}
                Then::Send(commands) => {
                    for command in commands {
                        match command {
                            Command::Apply { groups, change } => {
                                self.apply(groups, change);
                            }
                            command => self.send(command),
                        }
                    }
                    self.unselect();
                }
                Then::Quit => self.effects.push(super::effect::Effect::Quit),
            },
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') | KeyCode::Esc => {}
            _ => self.dialog = Some(Dialog::Confirm(confirm)),
        }
    }

    fn retry_key(&mut self, key: &KeyEvent, mut form: RetryForm, escape: bool) {
        match key.code {
            _ if escape => return,
            KeyCode::Enter => {
                let how = form.retry();
                return self.retry(form.groups, how);
            }
            KeyCode::Down | KeyCode::Tab => form.row = (form.row + 1) % RETRY_ROWS,
            KeyCode::Up | KeyCode::BackTab => {
                form.row = (form.row + RETRY_ROWS - 1) % RETRY_ROWS;
            }
            _ if form.row == RETRY_ROWS - 1 => {
                form.hint.key(key);
            }
            KeyCode::Left => form.step(false),
            KeyCode::Right | KeyCode::Char(' ') => form.step(true),
            _ => {}
        }
        self.dialog = Some(Dialog::Retry(form));
    }

    fn replace_key(&mut self, key: &KeyEvent, mut form: ReplaceForm, escape: bool) {
        match key.code {
            _ if escape => return,
            KeyCode::Tab | KeyCode::BackTab => form.second = !form.second,
            KeyCode::Enter if !form.second => form.second = true,
            KeyCode::Enter => {
                let groups = form.groups();
                if !groups.is_empty() {
                    let places = form.matches().map_or(0, <[Match]>::len);
                    let (find, with) = (form.find.text().to_owned(), form.with.text().to_owned());
                    let question = format!(
                        "Replace `{find}` with `{with}` in {places} places of {} records?",
                        groups.len()
                    );
                    let change = Change::Replace { find, with };
                    return self.confirm(
                        question,
                        "One step; undo takes all of it back.".to_owned(),
                        vec![Command::Apply { groups, change }],
                    );
                }
            }
            KeyCode::PageDown | KeyCode::Down => {
                let len = form.matches().map_or(0, <[Match]>::len);
                form.top = (form.top + 1).min(len.saturating_sub(1));
            }
            KeyCode::PageUp | KeyCode::Up => form.top = form.top.saturating_sub(1),
            _ if form.second => {
                form.with.key(key);
            }
            _ => {
                form.find.key(key);
                self.dialog = Some(Dialog::Replace(form));
                return self.dialog_changed();
            }
        }
        self.dialog = Some(Dialog::Replace(form));
    }

    fn input_key(&mut self, key: &KeyEvent, mut input: Input, escape: bool) {
        let offered = self.completions(&input);
        match key.code {
            _ if escape => return,
            KeyCode::Tab | KeyCode::Down if !offered.is_empty() => {
                let at = input.chosen.map_or(0, |at| (at + 1) % offered.len());
                input.chosen = Some(at);
            }
            KeyCode::BackTab | KeyCode::Up if input.chosen.is_some() => {
                input.chosen = input.chosen.and_then(|at| at.checked_sub(1));
            }
            KeyCode::Down | KeyCode::Up => {
                let cells = super::view::editor::text_width(self);
                input.edit.vertical(cells, key.code == KeyCode::Down);
            }
            KeyCode::Enter => {
                if let Some(offer) = input.chosen.and_then(|at| offered.get(at)) {
                    input.complete(&offer.value);
                }
                return self.submit(input);
            }
            _ => {
                // Going on to type takes the chosen completion.
                if let KeyCode::Char(',') = key.code
                    && let Some(offer) = input.chosen.and_then(|at| offered.get(at))
                {
                    input.complete(&offer.value);
                }
                if input.edit.key(key) {
                    input.chosen = None;
                }
            }
        }
        self.dialog = Some(Dialog::Input(input));
    }
}
