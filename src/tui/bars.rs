//! The header shows how the run stands; the hint line shows the last notice and useful keys.

use super::dialogs::Dialog;
use super::handlers::can;
use super::keymap::{Action, Key, KeyContext};
use super::notices::Notice;
use super::screens::{Screen, ScreenId, TABS};
use super::session::Session;
use super::theme::sign;
use super::widgets::put;
use crate::record::GroupState;
use crate::text::{count, fit, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The tabs, how many records are in which state, what the model does.
pub fn header(session: &Session, shown: ScreenId, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    buf.set_style(area, theme.text());
    let mut x = area.x;
    let words = session.words;
    let right = session.engine.activity(words);
    let room = usize::from(area.width);
    let wide = room >= 76;
    for (screen, name, action) in TABS {
        let here = shown == screen;
        if !wide && !here {
            continue;
        }
        // Where there is room, each with the key that shows it.
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        let name = words.phrase(name);
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
        let n = session.records.groups().count(state);
        if n == 0 {
            continue;
        }
        let text = if room >= 110 {
            format!("{}{} {}  ", sign(state), count(n), words.state(state))
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
    let style = match session.engine.is_bad() {
        true => theme.bad(),
        false => theme.dim(),
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

/// From this width on the hint line has room for more than keys.
const WIDE: u16 = 110;
/// Cells of the name of a step.
const STEP: usize = 30;

/// What the operator has decided, how fast, how long the rest takes at this pace, and how many of
/// all records are committed.
fn meter(session: &Session, width: u16) -> Option<String> {
    let decided = session.tally().decided();
    if width < WIDE || decided == 0 {
        return None;
    }
    let words = session.words;
    let mut parts = vec![words.decided(count(decided as u64))];
    if let Some(pace) = session.pace.per_hour(decided) {
        parts.push(words.an_hour(format!("{pace:.0}")));
    }
    let open = session.records.groups().open();
    if let Some(seconds) = session.pace.seconds_left(decided, open) {
        parts.push(words.time_left(words.rough_duration(seconds)));
    }
    if width >= WIDE + 40 {
        let groups = session.records.groups();
        let committed = count(groups.count(GroupState::Committed));
        parts.push(words.of_committed(committed, count(groups.len() as u64)));
    }
    Some(parts.join(", "))
}

/// What happened last, then the keys that work right now.
pub fn hints(
    session: &Session,
    screen: &dyn Screen,
    dialog: Option<&Dialog>,
    prefix: &[Key],
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let mut x = area.x;
    // Trouble is shown until it is over; a notice covers it for a moment.
    let trouble = session.trouble().map(|text| Notice { text, bad: true });
    if let Some(notice) = session.notices.current().or(trouble.as_ref()) {
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
    if session.repeats.is_recording() {
        let text = format!("{} ", session.words.recording());
        x = put(
            buf,
            x,
            area.y,
            area.right().saturating_sub(x),
            &text,
            theme.warn(),
        );
    }
    if !prefix.is_empty() {
        let keys: Vec<_> = prefix.iter().map(ToString::to_string).collect();
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
    if let Some(dialog) = dialog {
        for (keys, short) in dialog.hints(session.words) {
            if !hint(area, keys, short, &mut x, buf) {
                break;
            }
        }
        return;
    }
    let context = screen.context();
    // Help keeps its place at the right end.
    let help = session.keymap.keys_of(context, Action::Help);
    let mut room = area;
    let meter = meter(session, area.width);
    if let Some(keys) = help.first()
        && area.width >= 50
    {
        let help = session.words.help();
        let cells = (width(keys) + width(help) + 1) as u16;
        let at = area.right().saturating_sub(cells);
        put(buf, at, area.y, cells, keys, theme.key());
        put(
            buf,
            at + width(keys) as u16 + 1,
            area.y,
            cells,
            help,
            theme.dim(),
        );
        room.width = area.width.saturating_sub(cells + 1);
    }
    if let Some(text) = meter {
        let cells = width(&text) as u16;
        let at = room.right().saturating_sub(cells + 1);
        put(buf, at, area.y, cells, &text, theme.dim());
        room.width = at.saturating_sub(area.x + 1);
    }
    // First the way back from what hides the rest.
    let back = screen.way_back();
    for action in back.iter().chain(screen.hints()) {
        if !can(*action, screen.is_bulk(), session) {
            continue;
        }
        let groups = session.records.groups();
        let words = session.words;
        let short = match action {
            Action::Pause if session.engine.paused => words.go_on().to_owned(),
            Action::Zoom if back.is_some() => words.back().to_owned(),
            Action::Undo if area.width >= WIDE => match &session.engine.undo {
                Some(step) => words.undo_step(fit(&words.past_step(step), STEP)),
                None => words.undo().to_owned(),
            },
            Action::RepeatEdit if area.width >= WIDE => match session.repeats.last() {
                Some(change) => words.again_change(fit(&words.change(change), STEP)),
                None => words.again().to_owned(),
            },
            Action::CommitCertain => words.commit_certain(count(groups.count(GroupState::Draft))),
            action => words.phrase(action.info().short).to_owned(),
        };
        if let Some(keys) = session.keymap.keys_of(context, *action).first()
            && !hint(room, keys, &short, &mut x, buf)
        {
            break;
        }
    }
}
