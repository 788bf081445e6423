//! Parts of both views of the progress screen: panes, facts, icons.

use crate::record::{GroupId, GroupSummary};
use crate::text::{fit, pad, percent, wrap};
use crate::tui::engine_status::ModelState;
use crate::tui::screens::View;
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::{layout, put, unfocused_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};

/// Smallest width for two columns.
const WIDE: u16 = 100;
/// Size of a finished icon in cells; its name is below it.
pub const TILE: Size = Size::new(8, 4);
/// How many steps there are for an icon.
pub const STEPS: usize = 4;
/// Cells for the name of a fact.
const FACT_NAME: usize = 12;

/// The panes, borders included. A small screen has only the pane of the run.
pub struct ProgressPanes {
    pub run: Rect,
    pub writing: Option<Rect>,
    pub finished: Option<Rect>,
    pub errors: Option<Rect>,
    pub rate: Option<Rect>,
    pub steps: Option<Rect>,
}

impl ProgressPanes {
    /// Whether there is room for more than one pane.
    pub fn has_room(&self) -> bool {
        self.writing.is_some()
    }
}

pub fn panes(body: Rect) -> ProgressPanes {
    if body.width < WIDE || body.height < 20 {
        return ProgressPanes {
            run: body,
            writing: None,
            finished: None,
            errors: None,
            rate: None,
            steps: None,
        };
    }
    let right = (body.width / 2).clamp(46, 80);
    let left = Rect {
        width: body.width - right,
        ..body
    };
    let right = Rect {
        x: left.right(),
        width: right,
        ..body
    };
    let slice = |column: Rect, from: u16, to: u16| Rect {
        y: column.y + from,
        height: to.saturating_sub(from),
        ..column
    };
    let height = body.height;
    let errors = (height / 4).clamp(4, 12);
    let finished = (height - errors) / 2;
    let steps = STEPS as u16 + 2;
    let run = 15.min(height - steps - 4);
    ProgressPanes {
        writing: Some(slice(left, 0, height - errors - finished)),
        finished: Some(slice(left, height - errors - finished, height - errors)),
        errors: Some(slice(left, height - errors, height)),
        run: slice(right, 0, run),
        rate: Some(slice(right, run, height - steps)),
        steps: Some(slice(right, height - steps, height)),
    }
}

/// The grid of icons in a pane.
struct Tiles {
    inner: Rect,
    columns: u16,
    lines: u16,
}

impl Tiles {
    fn of(area: Rect) -> Self {
        let inner = layout::inside_border(area);
        Self {
            inner,
            columns: inner.width / (TILE.width + 1),
            lines: inner.height / (TILE.height + 1),
        }
    }

    fn count(&self) -> usize {
        usize::from(self.columns) * usize::from(self.lines)
    }

    fn place(&self, at: usize) -> Rect {
        let (line, column) = (at as u16 / self.columns, at as u16 % self.columns);
        Rect {
            x: self.inner.x + column * (TILE.width + 1),
            y: self.inner.y + line * (TILE.height + 1),
            width: TILE.width,
            height: TILE.height,
        }
    }
}

/// How many icons fit into a pane.
fn capacity(area: Option<Rect>) -> usize {
    area.map_or(0, |area| Tiles::of(area).count())
}

/// The records whose icons are shown: the newest first, or the next to review before the first
/// decision.
pub fn shown_icons(session: &Session) -> Vec<GroupId> {
    let capacity = capacity(panes(session.body()).finished);
    match session.engine.has_activity() {
        true => session.engine.recently_labeled().take(capacity).collect(),
        false if session.decided().next().is_some() => session.decided().take(capacity).collect(),
        false => {
            let open = session.queue.ids(&session.records).filter(|id| {
                let summary = session.records.get(*id);
                summary.is_some_and(GroupSummary::needs_review)
            });
            open.take(capacity).collect()
        }
    }
}

/// Adds a section to a column: an empty line, a title, and its lines.
pub fn add_section(
    column: &mut Vec<Line<'static>>,
    title: &'static str,
    lines: Vec<Line<'static>>,
    session: &Session,
) {
    column.push(Line::default());
    column.push(Line::styled(title, session.theme.title()));
    column.extend(lines);
}

/// `████░░░░ 40 %`
pub fn bar(done: f64, cells: usize) -> String {
    let done = done.clamp(0.0, 1.0);
    let full = (done * cells as f64) as usize;
    format!(
        "{}{} {} %",
        "█".repeat(full),
        "░".repeat(cells - full),
        percent(done, 0)
    )
}

pub fn errors(session: &Session, area: Rect) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let errors = session.notices.errors().iter().rev();
    let line =
        |error: &String| Line::styled(fit(&format!("! {error}"), width), session.theme.text());
    let all: Vec<Line<'static>> = errors.map(line).collect();
    match all.is_empty() {
        true => vec![Line::styled(session.words.no_errors(), session.theme.dim())],
        false => all,
    }
}

/// A line with a name and its value.
pub fn fact(session: &Session, name: &str, value: &str, width: usize) -> Line<'static> {
    let theme = &session.theme;
    Line::from(vec![
        Span::styled(pad(name, FACT_NAME), theme.dim()),
        Span::styled(fit(value, width.saturating_sub(FACT_NAME)), theme.text()),
    ])
}

/// Lines that name the model, or say why there is none.
pub fn model_facts(session: &Session, width: usize) -> Vec<Line<'static>> {
    let words = session.words;
    let (what, hint) = match &session.engine.model {
        ModelState::Ready(info) => (words.model_on(&info.name, &info.device, &info.detail), None),
        ModelState::Loading => (words.not_loaded_yet().to_owned(), None),
        ModelState::Off => (words.review_only().to_owned(), None),
        ModelState::Failed(error) => (words.failed_because(words.cause(error)), words.hint(error)),
    };
    let mut name = words.fact_model();
    let mut out = Vec::new();
    for text in std::iter::once(what.as_str()).chain(hint) {
        for line in wrap(text, width.saturating_sub(FACT_NAME).max(1)) {
            out.push(fact(session, std::mem::take(&mut name), &line, width));
        }
    }
    out
}

/// Draws a pane of icons, each with its name and the sign of its state.
pub fn draw_icons(view: &View<'_>, title: &str, none: &str, area: Rect, buf: &mut Buffer) {
    let session = view.session;
    let theme = &session.theme;
    let inner = unfocused_pane(theme, area, title, buf);
    let icons = shown_icons(session);
    if icons.is_empty() {
        put(buf, inner.x, inner.y, inner.width, none, theme.dim());
    }
    let tiles = Tiles::of(area);
    for (at, id) in icons.into_iter().enumerate() {
        let place = tiles.place(at);
        let pictures = &session.pictures;
        if let Some(Ok(picture)) = pictures.get(&pictures.tile_key(id, TILE)) {
            pictures.draw(picture, place, view.boxes, theme, buf);
        }
        let Some(summary) = session.records.get(id) else {
            continue;
        };
        let y = place.bottom();
        let x = put(
            buf,
            place.x,
            y,
            2,
            sign(summary.state),
            theme.state(summary.state),
        );
        put(
            buf,
            x + 1,
            y,
            TILE.width.saturating_sub(2),
            summary.title(),
            theme.dim(),
        );
    }
}
