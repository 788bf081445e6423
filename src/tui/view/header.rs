//! The line above: where the run stands. The line below: what works right now, or what happened.

use super::put;
use crate::engine::Stage;
use crate::record::GroupState;
use crate::tui::action::{Action, Context};
use crate::tui::app::{App, Model, Notice, Screen};
use crate::tui::dialog::{Dialog, Purpose};
use crate::tui::safe_text::{count, width};
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "starting",
        Stage::Download => "downloading",
        Stage::Load => "loading",
        Stage::Quantize => "quantizing",
        Stage::Decode => "writing",
        Stage::Waiting => "no server answers",
        Stage::Idle => "idle",
        Stage::Paused => "paused",
        Stage::Failed => "failed",
    }
}

/// What the model does, in a word.
pub fn stage_words(app: &App) -> &'static str {
    match &app.model {
        _ if app.broken.is_some() => "stopped",
        _ if app.blocked.is_some() => "not saved",
        Model::Off => "no model",
        Model::Failed(_) => "model failed",
        _ if app.paused => "paused",
        _ => stage_name(app.progress.stage),
    }
}

/// What the model does, in a few words.
pub fn model_words(app: &App) -> String {
    if let Some(error) = &app.broken {
        return format!("stopped: {}", error.cause);
    }
    if app.blocked.is_some() {
        return stage_words(app).to_owned();
    }
    match &app.model {
        Model::Off | Model::Failed(_) => stage_words(app).to_owned(),
        Model::Loading | Model::Ready(_) => {
            let progress = &app.progress;
            let mut words = stage_words(app).to_owned();
            if let Some(done) = progress.stage_done {
                words.push_str(&format!(" {:.0}%", done.clamp(0.0, 1.0) * 100.0));
            }
            if app.paused || progress.stage == Stage::Idle {
                return words;
            }
            if progress.icons_per_minute_now > 0.0 {
                words.push_str(&format!(" {:.0}/min", progress.icons_per_minute_now));
            }
            if let Some(eta) = progress.eta_seconds {
                words.push_str(&format!(" {} left", duration(eta)));
            }
            words
        }
    }
}

pub fn duration(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e8) as u64;
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub fn header(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    buf.set_style(area, theme.text());
    let mut x = area.x;
    let tabs = [
        (Screen::Work, "Work", Action::Workbench),
        (Screen::Gallery, "Gallery", Action::Gallery),
        (Screen::Progress, "Progress", Action::Progress),
        (Screen::Statistics, "Statistics", Action::Statistics),
    ];
    let right = model_words(app);
    let room = usize::from(area.width);
    let wide = room >= 76;
    for (screen, name, action) in tabs {
        let here =
            app.screen == screen || (screen == Screen::Work && app.screen == Screen::Attempts);
        if !wide && !here {
            continue;
        }
        // Where there is room, each with the key that shows it.
        let keys = app.keymap.keys_of(Context::Global, action);
        let name = match keys.first() {
            Some(key) if room >= 110 => format!("{key} {name}"),
            _ => name.to_owned(),
        };
        let text = if here {
            format!("[{name}]")
        } else {
            format!(" {name} ")
        };
        let style = if here { theme.title() } else { theme.dim() };
        x = put(buf, x, area.y, area.right().saturating_sub(x), &text, style);
    }
    x += 1;
    let counts = [
        GroupState::Uncertain,
        GroupState::Failed,
        GroupState::Edited,
        GroupState::Accepted,
        GroupState::Committed,
        GroupState::Draft,
        GroupState::Waiting,
        GroupState::Rejected,
    ];
    let reserved = width(&right).min(room / 3) + 1;
    for state in counts {
        let n = app.groups.count(state);
        if n == 0 {
            continue;
        }
        let text = if room >= 110 {
            format!("{}{} {}  ", sign(state), count(n), state.name())
        } else {
            format!("{}{} ", sign(state), count(n))
        };
        let left = usize::from(area.right().saturating_sub(x));
        if width(&text) + reserved > left {
            break;
        }
        x = put(buf, x, area.y, left as u16, &text, theme.state(state));
    }
    let left = usize::from(area.right().saturating_sub(x));
    let cells = width(&right).min(left);
    let style = match app.model {
        Model::Failed(_) => theme.bad(),
        _ if app.broken.is_some() || app.blocked.is_some() => theme.bad(),
        _ => theme.dim(),
    };
    put(
        buf,
        area.right() - cells as u16,
        area.y,
        cells as u16,
        &right,
        style,
    );
}

/// The most useful actions of a context, the first ones first.
fn useful(context: Context) -> &'static [Action] {
    use Action as A;
    match context {
        Context::Queue => &[
            A::AcceptNext,
            A::CommitNext,
            A::EditLabel,
            A::AddTag,
            A::Retry,
            A::Reject,
            A::Undo,
            A::Filter,
            A::NextPane,
            A::Attempts,
            A::CommitAccepted,
            A::Palette,
            A::Quit,
        ],
        Context::Record => &[
            A::EditField,
            A::AddValue,
            A::RemoveValue,
            A::AcceptNext,
            A::CommitNext,
            A::Undo,
            A::MoveEarlier,
            A::NextPane,
            A::Retry,
            A::Attempts,
            A::Quit,
        ],
        Context::Gallery => &[
            A::Select,
            A::SelectRange,
            A::SelectAll,
            A::AcceptNext,
            A::AddTag,
            A::RemoveTag,
            A::SetAttribute,
            A::Retry,
            A::Reject,
            A::Open,
            A::Undo,
        ],
        Context::Attempts => &[
            A::TakeField,
            A::TakeAttempt,
            A::RetryWith,
            A::Undo,
            A::Workbench,
        ],
        Context::Progress => &[A::Pause, A::Workbench, A::Quit],
        Context::Statistics => &[A::Open, A::Workbench, A::Quit],
        Context::Global => &[A::Quit],
    }
}

fn dialog_hints(dialog: &Dialog) -> &'static [(&'static str, &'static str)] {
    match dialog {
        Dialog::Help { .. } => &[("j k", "scroll"), ("Esc", "close")],
        Dialog::Palette { .. } => &[("Enter", "do it"), ("Up Down", "choose"), ("Esc", "close")],
        Dialog::Filter(_) => &[
            ("Enter", "keep"),
            ("Tab", "complete"),
            ("Up Down", "move"),
            ("Esc", "as before"),
        ],
        Dialog::Confirm(_) => &[("y", "yes"), ("n", "no")],
        Dialog::Input(input)
            if input.completes().is_some() || matches!(input.purpose, Purpose::Reject { .. }) =>
        {
            &[("Enter", "take"), ("Tab", "complete"), ("Esc", "close")]
        }
        Dialog::Input(_) => &[("Enter", "take"), ("Esc", "leave it")],
        Dialog::Choose(_) => &[
            ("Enter", "choose"),
            ("Left Right", "add, remove or replace"),
            ("Esc", "close"),
        ],
        Dialog::Translate(_) => &[
            ("y", "translate"),
            ("d", "translate and drop unknown"),
            ("Tab", "other records"),
            ("Esc", "close"),
        ],
        Dialog::Refusal(_) => &[("Enter", "go on")],
        Dialog::Retry(_) => &[
            ("Enter", "ask"),
            ("Tab", "next"),
            ("Left Right", "change"),
            ("Esc", "close"),
        ],
        Dialog::Replace(_) => &[
            ("Enter", "next, replace"),
            ("Tab", "other field"),
            ("Up Down", "scroll"),
            ("Esc", "close"),
        ],
    }
}

pub fn hints(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let mut x = area.x;
    // Until it is over, whatever else is said in between.
    let trouble = app.trouble().map(|text| Notice { text, bad: true });
    if let Some(notice) = app.notice.as_ref().or(trouble.as_ref()) {
        let style = if notice.bad {
            theme.bad()
        } else {
            theme.good()
        };
        let text = if notice.bad {
            format!("! {}", notice.text)
        } else {
            notice.text.clone()
        };
        x = put(buf, x, area.y, area.width, &text, style);
        x += 2;
    }
    if !app.prefix.is_empty() {
        let keys: Vec<_> = app.prefix.iter().map(ToString::to_string).collect();
        x = put(
            buf,
            x,
            area.y,
            area.right().saturating_sub(x),
            &format!("{} ... ", keys.join(" ")),
            theme.warn(),
        );
    }
    let hint = |area: Rect, keys: &str, short: &str, x: &mut u16, buf: &mut Buffer| -> bool {
        let cells = width(keys) + 1 + width(short) + 2;
        if cells > usize::from(area.right().saturating_sub(*x)) + 2 {
            return false;
        }
        *x = put(
            buf,
            *x,
            area.y,
            area.right().saturating_sub(*x),
            keys,
            theme.key(),
        );
        *x = put(
            buf,
            *x + 1,
            area.y,
            area.right().saturating_sub(*x + 1),
            short,
            theme.dim(),
        );
        *x += 2;
        true
    };
    if let Some(dialog) = &app.dialog {
        for (keys, short) in dialog_hints(dialog) {
            if !hint(area, keys, short, &mut x, buf) {
                break;
            }
        }
        return;
    }
    let context = app.context();
    // Help keeps its place at the right end.
    let help = app.keymap.keys_of(context, Action::Help);
    let mut room = area;
    if let Some(keys) = help.first()
        && area.width >= 50
    {
        let cells = (width(keys) + 5) as u16;
        let at = area.right().saturating_sub(cells);
        put(buf, at, area.y, cells, keys, theme.key());
        put(
            buf,
            at + width(keys) as u16 + 1,
            area.y,
            4,
            "help",
            theme.dim(),
        );
        room.width = area.width.saturating_sub(cells + 1);
    }
    // First the way back from what hides the rest.
    let zoomed = app.zoom && app.screen == Screen::Work;
    let back: &[Action] = if zoomed { &[Action::Zoom] } else { &[] };
    for action in back.iter().chain(useful(context)) {
        if !app.can(*action) {
            continue;
        }
        let short = match action {
            Action::Pause if app.paused => "go on",
            Action::Zoom if app.zoom => "back",
            action => action.info().short,
        };
        if let Some(keys) = app.keymap.keys_of(context, *action).first()
            && !hint(room, keys, short, &mut x, buf)
        {
            break;
        }
    }
}
