//! All versions of a record side by side; what differs from the draft is marked.

use super::{ActionOutcome, Screen, View};
use crate::record::{
    Attempt, Background, Change, Field, GroupDetail, Labels, Listed, Origin, Reason, Version,
};
use crate::text::{fit, for_screen, width};
use crate::tui::flow::Shown;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::session::Session;
use crate::tui::step_words::version_kind;
use crate::tui::theme::Theme;
use crate::tui::widgets::{pane, put, put_line};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

const NAME: u16 = 10;
const LEAST: u16 = 24;

#[derive(Default)]
pub struct Versions {
    /// The version under the cursor, oldest first.
    version: usize,
    /// The field under the cursor, as a place in [`Field::ALL`].
    field: usize,
}

impl Versions {
    /// Shows the versions of the current record. Beside the draft, the offer or else the newest
    /// version that differs from it is worth a look first.
    fn open(&mut self, session: &mut Session) -> ActionOutcome {
        let Some(detail) = session.detail() else {
            return ActionOutcome::done();
        };
        let draft = detail.current.review.draft;
        let offer = detail.current.offer();
        let listed = detail.listed();
        let Some(newest) = listed.len().checked_sub(1) else {
            session.notify("there is no version of this item yet");
            return ActionOutcome::done();
        };
        let number = |listed: &Listed| match listed {
            Listed::Version(version) => Some(version.number),
            Listed::Failed(_) => None,
        };
        self.version = (0..=newest)
            .rev()
            .find(|at| match offer {
                Some(_) => number(&listed[*at]) == offer,
                None => number(&listed[*at]).is_none_or(|number| Some(number) != draft),
            })
            .unwrap_or(newest);
        self.field = 0;
        ActionOutcome::show(KeyContext::Attempts)
    }

    fn step(&mut self, x: isize, y: isize, session: &Session) {
        let versions = session.detail().map_or(0, |detail| detail.listed().len());
        let last = versions.saturating_sub(1);
        self.version = self.version.saturating_add_signed(x).min(last);
        let down = |at: usize| at.saturating_add_signed(y).min(Field::ALL.len() - 1);
        self.field = down(self.field);
        if !session.has_field(Field::ALL[self.field]) {
            self.field = down(self.field);
        }
    }

    /// Takes the version under the cursor into the draft, or one field of it.
    fn take(&self, whole: bool, session: &mut Session) -> ActionOutcome {
        let Some(detail) = session.detail() else {
            return ActionOutcome::done();
        };
        let version = match detail.listed().get(self.version) {
            Some(Listed::Version(version)) => version.number,
            Some(Listed::Failed(_)) => {
                session.notify("this attempt has no labels to take");
                return ActionOutcome::done();
            }
            None => return ActionOutcome::done(),
        };
        let field = Field::ALL[self.field];
        session.apply_to_current(if whole {
            Change::TakeVersion { version }
        } else {
            Change::TakeField { version, field }
        });
        match whole {
            true => ActionOutcome::show(KeyContext::Global),
            false => ActionOutcome::done(),
        }
    }
}

impl Screen for Versions {
    fn context(&self) -> KeyContext {
        KeyContext::Attempts
    }

    fn act(&mut self, action: Action, session: &mut Session) -> Option<ActionOutcome> {
        if let Some(field) = action.goes_to() {
            self.field = Field::ALL.iter().position(|have| *have == field)?;
            return Some(ActionOutcome::done());
        }
        match action {
            Action::Up => self.step(0, -1, session),
            Action::Down => self.step(0, 1, session),
            Action::Left => self.step(-1, 0, session),
            Action::Right => self.step(1, 0, session),
            Action::PageUp => self.step(0, -5, session),
            Action::PageDown => self.step(0, 5, session),
            Action::Attempts => return Some(self.open(session)),
            Action::TakeField => return Some(self.take(false, session)),
            Action::TakeAttempt => return Some(self.take(true, session)),
            _ => return None,
        }
        Some(ActionOutcome::done())
    }

    fn draw(&self, view: &View<'_>, area: Rect, buf: &mut Buffer) {
        let session = view.session;
        let Some(detail) = session.detail() else {
            return;
        };
        let theme = &session.theme;
        let listed = detail.listed();
        let count = listed.len();
        let title = format!(
            "Versions of {}: {} of {count}",
            detail.item.item_name,
            (self.version + 1).min(count)
        );
        let inner = pane(theme, area, true, &title, true, buf);
        let room = inner.width.saturating_sub(NAME);
        let fitting = (room / LEAST).clamp(1, 1 + count as u16);
        let width = room / fitting;
        let cells = usize::from(width.saturating_sub(3));
        let columns = columns(
            session,
            self.version,
            detail,
            &listed,
            usize::from(fitting),
            cells,
        );
        let heads = if inner.height >= 12 { 3 } else { 1 };
        let place = |index: usize| inner.x + NAME + index as u16 * width;
        for (index, column) in columns.iter().enumerate() {
            let style = if column.here {
                theme.title()
            } else {
                theme.dim()
            };
            put(
                buf,
                place(index),
                inner.y,
                width - 1,
                &column.heads[0],
                style,
            );
            for (y, head) in (inner.y + 1..inner.y + heads).zip(&column.heads[1..]) {
                let uncertain = head.starts_with(['?', '!']);
                let style = if uncertain { theme.warn() } else { theme.dim() };
                put(buf, place(index), y, width - 1, head, style);
            }
        }
        let height = |row: usize| {
            let heights = columns.iter().map(|column| column.fields[row].0.len());
            heights.max().unwrap_or(1) as u16
        };
        // Rows scroll so that the field under the cursor is in view.
        let room = inner.height.saturating_sub(heads);
        let before: u16 = (0..=self.field).map(height).sum();
        let skip = before.saturating_sub(room);
        let mut line = 0;
        for (row, field) in Field::ALL.iter().enumerate() {
            let chosen = row == self.field;
            for step in 0..height(row) {
                let at = line + step;
                if at < skip || at - skip >= room {
                    continue;
                }
                let y = inner.y + heads + at - skip;
                if step == 0 {
                    let mark = if chosen { ">" } else { " " };
                    let style = if chosen { theme.title() } else { theme.dim() };
                    let name = format!("{mark}{}", field.name());
                    put(buf, inner.x, y, NAME - 1, &name, style);
                }
                for (index, column) in columns.iter().enumerate() {
                    let (lines, differs) = &column.fields[row];
                    let x = place(index);
                    if chosen && column.here {
                        let whole = Rect::new(x, y, width - 1, 1);
                        buf.set_style(whole.intersection(inner), theme.cursor(true));
                    }
                    if *differs && step == 0 {
                        put(buf, x, y, 1, "*", theme.warn());
                    }
                    if let Some(line) = lines.get(usize::from(step)) {
                        put_line(buf, x + 2, y, width.saturating_sub(3), line);
                    }
                }
            }
            line += height(row);
        }
    }

    fn shows_record(&self, session: &Session) -> Shown {
        match session.detail() {
            Some(_) => Shown::Whole,
            None => Shown::Nothing,
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::TakeField,
            Action::TakeAttempt,
            Action::RetryWith,
            Action::Undo,
            Action::Workbench,
        ]
    }
}

/// A word of a sentence, or a value of a list, and whether the draft lacks it.
struct Token {
    text: String,
    new: bool,
}

fn tokens(labels: &Labels, field: Field, draft: Option<&Labels>) -> Vec<Token> {
    let parts = |labels: &Labels| -> Vec<String> {
        let values = labels.values(field);
        if field.is_list() {
            return values
                .iter()
                .map(|value| for_screen(value).into_owned())
                .collect();
        }
        let words = values.iter().flat_map(|text| text.split_whitespace());
        words.map(|word| for_screen(word).into_owned()).collect()
    };
    let have = draft.map(parts);
    parts(labels)
        .into_iter()
        .map(|text| Token {
            new: have.as_ref().is_some_and(|have| !have.contains(&text)),
            text,
        })
        .collect()
}

/// Tokens flowing over lines of at most `cells`; queries have a line each.
fn flow(tokens: &[Token], field: Field, cells: usize, theme: &Theme) -> Vec<Line<'static>> {
    let between = if field.is_list() { ", " } else { " " };
    let mut lines = vec![Line::default()];
    let mut used = 0;
    for (index, token) in tokens.iter().enumerate() {
        let last = index + 1 == tokens.len();
        // A sign as well as a color marks what is new in a list.
        let sign = if token.new && field.is_list() {
            "+"
        } else {
            ""
        };
        let text = fit(&format!("{sign}{}", token.text), cells);
        let wide = width(&text) + if last { 0 } else { between.trim_end().len() };
        if used > 0 && (field == Field::QueryVariantsKo || used + wide > cells) {
            lines.push(Line::default());
            used = 0;
        }
        used += width(&text) + between.len();
        let style = if token.new {
            theme.warn().add_modifier(Modifier::UNDERLINED)
        } else {
            theme.text()
        };
        if let Some(line) = lines.last_mut() {
            line.push_span(Span::styled(text, style));
            if !last && field != Field::QueryVariantsKo {
                line.push_span(Span::raw(between));
            }
        }
    }
    lines
}

fn attempt_settings(attempt: &Attempt) -> String {
    let settings = &attempt.settings;
    let mut words = vec![format!("x{}", settings.upscale)];
    words.push(
        match settings.background {
            Background::White => "white",
            Background::Black => "black",
            Background::None => "no ground",
        }
        .to_owned(),
    );
    if settings.strict {
        words.push("strict".to_owned());
    }
    if !settings.with_image {
        words.push("no picture".to_owned());
    }
    if let Some(hint) = &settings.hint {
        words.push(format!("\"{hint}\""));
    }
    words.join(", ")
}

/// A version's name, and whether it is shown or offered now.
fn heading(detail: &GroupDetail, version: &Version) -> String {
    let mut words = version_kind(detail, &version.text);
    if detail.current.review.draft == Some(version.number) {
        words.push_str(", draft");
    }
    if detail.current.offer() == Some(version.number) {
        words.push_str(", new");
    }
    words
}

/// Whether it was committed; then the settings of an answer, of other texts their time or author.
fn came_from(detail: &GroupDetail, version: &Version) -> String {
    let text = &version.text;
    let how = match (text.origin, detail.attempt_of(text)) {
        (_, Some(at)) => attempt_settings(&detail.attempts[at]),
        (Origin::Import, None) => format!("by {}", text.model),
        (Origin::Edit | Origin::Attempt(_), None) => text.generated_at.clone(),
    };
    match (detail.current.review.line, &version.committed) {
        (Some(line), _) if line.version == version.number => format!("committed, {how}"),
        (_, Some(_)) => format!("was committed, {how}"),
        (_, None) => how,
    }
}

fn reason_list(reasons: &[Reason]) -> String {
    match reasons {
        [] => "no reasons".to_owned(),
        _ => {
            let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
            format!("? {}", codes.join(" "))
        }
    }
}

/// One version, or the draft, ready to be drawn.
struct Column {
    /// Its name, its origin, its reasons.
    heads: [String; 3],
    here: bool,
    /// Lines by field, and whether the field differs from the draft's.
    fields: Vec<(Vec<Line<'static>>, bool)>,
}

/// The columns of the pane: the draft on the left, the versions beside it.
fn columns(
    session: &Session,
    current: usize,
    detail: &GroupDetail,
    listed: &[Listed],
    count: usize,
    cells: usize,
) -> Vec<Column> {
    let theme = &session.theme;
    let draft = detail.draft.as_ref().map(|draft| &draft.labels);
    let column = |labels: Option<&Labels>, other: Option<&Labels>| -> Vec<_> {
        let one = |field: &Field| {
            if !session.has_field(*field) {
                return (Vec::new(), false);
            }
            let Some(labels) = labels else {
                return (vec![Line::default()], false);
            };
            let lines = flow(&tokens(labels, *field, other), *field, cells, theme);
            let differs = other.is_some_and(|other| other.values(*field) != labels.values(*field));
            (lines, differs)
        };
        Field::ALL.iter().map(one).collect()
    };
    let mut out = Vec::new();
    if count > 1 {
        out.push(Column {
            heads: match &detail.draft {
                Some(draft) => [
                    "draft".to_owned(),
                    version_kind(detail, draft),
                    reason_list(&draft.reasons),
                ],
                None => ["no draft".to_owned(), String::new(), String::new()],
            },
            here: false,
            fields: column(draft, None),
        });
    }
    // The version under the cursor is always among those shown.
    let shown = count.saturating_sub(1).max(1);
    let first = (current + 1).saturating_sub(shown);
    for (index, listed) in listed.iter().enumerate().skip(first).take(shown) {
        let here = index == current;
        let mark = if here { "> " } else { "" };
        let (heads, labels) = match listed {
            Listed::Version(version) => (
                [
                    format!("{mark}{}", heading(detail, version)),
                    came_from(detail, version),
                    reason_list(&version.text.reasons),
                ],
                Some(&version.text.labels),
            ),
            Listed::Failed(attempt) => {
                let place = detail
                    .attempts
                    .iter()
                    .position(|have| have.id == attempt.id);
                let why = match &attempt.failure {
                    Some(failure) => format!("! {}: {}", failure.code.code(), failure.detail),
                    None => "! no answer".to_owned(),
                };
                let place = place.map_or(0, |place| place + 1);
                let heads = [
                    format!("{mark}attempt {place}, failed"),
                    attempt_settings(attempt),
                    why,
                ];
                (heads, None)
            }
        };
        out.push(Column {
            heads,
            here,
            fields: column(labels, draft),
        });
    }
    out
}
