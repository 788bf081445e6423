//! Header and hint line: the state of the run, the last notice and useful keys.

use super::dialogs::Dialog;
use super::handlers::can;
use super::keymap::{Action, Key, KeyContext};
use super::notices::Notice;
use super::screens::{Screen, ScreenId, TABS};
use super::session::Session;
use super::theme::sign;
use super::widgets::{Piece, Pieces, draw_pieces, put};
use crate::record::GroupState;
use crate::text::{count, fit, for_screen, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The title of the window: how many records are left, and the outdir.
pub fn window_title(session: &Session) -> String {
    let open = count(session.records.groups().open());
    let (words, outdir) = (session.words, &session.settings.outdir);
    let title = match session.engine.progress.queued {
        0 => words.title(open, outdir),
        queued => words.title_working(open, count(queued), outdir),
    };
    for_screen(&title).into_owned()
}

/// The target of a click on the header or the hint line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    Action(Action),
    /// A key of the open dialog.
    Key(Key),
}

/// The tabs of the header.
pub fn tabs(session: &Session, shown: ScreenId, area: Rect) -> Vec<Piece<Press>> {
    let theme = &session.theme;
    let mut pieces = Pieces::of(area);
    for (screen, name, action) in TABS {
        let here = shown == screen;
        if area.width < 76 && !here {
            continue;
        }
        // On a wide screen, each tab shows its key.
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        let name = session.words.phrase(name);
        let name = match keys.first() {
            Some(key) if area.width >= 110 => format!("{key} {name}"),
            _ => name.to_owned(),
        };
        let (text, style) = match here {
            true => (format!("[{name}]"), theme.title()),
            false => (format!(" {name} "), theme.dim()),
        };
        pieces.add(&text, style, Some(Press::Action(action)));
    }
    pieces.all
}

/// Draws the tabs, the number of records in each state, and the activity of the model.
pub fn header(session: &Session, shown: ScreenId, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    buf.set_style(area, theme.text());
    let words = session.words;
    let right = session.engine.activity(words);
    let room = usize::from(area.width);
    let tabs = tabs(session, shown, area);
    draw_pieces(&tabs, area.y, buf);
    let mut x = tabs.last().map_or(area.x, Piece::end);
    x += 1;
    let counts = [
        GroupState::Uncertain,
        GroupState::Failed,
        GroupState::Edited,
        GroupState::Accepted,
        GroupState::Committed,
        GroupState::Draft,
        GroupState::Running,
        GroupState::Waiting,
        GroupState::Rejected,
    ];
    let counts = counts.map(|state| (state, session.records.groups().count(state)));
    let counts: Vec<(GroupState, u64)> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
    let short = |(state, n): (GroupState, u64)| format!("{}{} ", sign(state), count(n));
    let reserved = width(&right).min(room / 3) + 1;
    for (at, (state, n)) in counts.iter().copied().enumerate() {
        let left = usize::from(area.right().saturating_sub(x)).saturating_sub(reserved);
        let others = counts[at + 1..].iter().map(|other| width(&short(*other)));
        let named = format!("{}{} {}  ", sign(state), count(n), words.state(state));
        // The names of the states give way to their counts.
        let text = match room >= 110 && width(&named) + others.sum::<usize>() <= left {
            true => named,
            false => short((state, n)),
        };
        if width(&text) > left {
            break;
        }
        x = put(
            buf,
            x,
            area.y,
            width(&text) as u16,
            &text,
            theme.state(state),
        );
    }
    let left = usize::from(area.right().saturating_sub(x));
    let cells = width(&right).min(left);
    let style = match session.engine.needs_attention() {
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

/// From this width on, the hint line has room for more than keys.
const WIDE_LINE: u16 = 110;
/// Cells for the name of a step.
const STEP_CELLS: usize = 30;

/// Progress of the review: records decided, decisions per hour, time left at this pace and, on a
/// very wide screen, how many records `labels.jsonl` has.
fn review_progress(session: &Session, width: u16) -> Option<String> {
    let decided = session.tally().decided();
    if width < WIDE_LINE || decided == 0 {
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
    if width >= WIDE_LINE + 40 {
        let groups = session.records.groups();
        let in_labels = count(groups.in_labels());
        parts.push(words.of_in_labels(in_labels, count(groups.len() as u64)));
    }
    Some(parts.join(", "))
}

/// Draws the last notice and the keys that work now.
pub fn hints(
    session: &Session,
    screen: &dyn Screen,
    dialog: Option<&Dialog>,
    prefix: &[Key],
    area: Rect,
    buf: &mut Buffer,
) {
    let pieces = hint_pieces(session, screen, dialog, prefix, area);
    draw_pieces(&pieces, area.y, buf);
}

/// The pieces of the hint line.
pub fn hint_pieces(
    session: &Session,
    screen: &dyn Screen,
    dialog: Option<&Dialog>,
    prefix: &[Key],
    area: Rect,
) -> Vec<Piece<Press>> {
    let theme = &session.theme;
    let help = match dialog {
        Some(_) => Vec::new(),
        None => help(session, screen.context(), area),
    };
    // A long notice is cut before help.
    let end = help
        .first()
        .map_or(area.right(), |help| help.start().saturating_sub(1));
    let mut line = Pieces::of(Rect {
        width: end.saturating_sub(area.x),
        ..area
    });
    // Trouble and work are shown until they are over; a notice replaces them for a moment.
    let lasting = match (session.trouble(), session.engine.changing) {
        (Some(text), _) => Some((text, true)),
        (None, Some(n)) => Some((session.words.changing(session.words.records(n)), false)),
        (None, None) => None,
    };
    let lasting = lasting.map(|(text, is_warning)| Notice { text, is_warning });
    if let Some(notice) = session.notices.current().or(lasting.as_ref()) {
        match notice.is_warning {
            true => line.add(&format!("! {}", notice.text), theme.bad(), None),
            false => line.add(&notice.text, theme.good(), None),
        }
        line.x += 2;
    }
    if session.repeats.is_recording() {
        let text = format!("{} ", session.words.recording());
        line.add(&text, theme.warn(), None);
    }
    if !prefix.is_empty() {
        let keys: Vec<_> = prefix.iter().map(ToString::to_string).collect();
        line.add(&format!("{} ... ", keys.join(" ")), theme.warn(), None);
    }
    match dialog {
        Some(dialog) => dialog_keys(session, dialog, &mut line),
        None => screen_keys(session, screen, area.width, &mut line),
    }
    line.all.extend(help);
    line.all
}

/// Whether a hint fits between the end of the line and the column `right`.
fn fits(line: &Pieces<Press>, right: u16, keys: &str, short: &str) -> bool {
    let cells = width(keys) + 1 + width(short) + 2;
    cells <= usize::from(right.saturating_sub(line.x)) + 2
}

/// Adds the keys of a dialog; each key can be clicked.
fn dialog_keys(session: &Session, dialog: &Dialog, line: &mut Pieces<Press>) {
    let theme = &session.theme;
    let hints = dialog.hints(session);
    let last = hints.last().copied();
    // The way out comes last and is always shown.
    let cells = last.map_or(0, |(keys, short)| width(keys) + width(short) + 3);
    let before_last = line.area.right().saturating_sub(cells as u16);
    for hint in hints {
        let (keys, short) = hint;
        let right = match Some(hint) == last {
            true => line.area.right(),
            false => before_last,
        };
        if !fits(line, right, keys, short) {
            continue;
        }
        let mut first = None;
        for key in keys.split(' ') {
            let press = Key::parse(key).ok().map(Press::Key);
            first = first.or(press);
            line.add(&format!("{key} "), theme.key(), press);
        }
        line.add(short, theme.dim(), first);
        line.x += 2;
    }
}

/// The key of the help, at the right end of the line.
fn help(session: &Session, context: KeyContext, area: Rect) -> Vec<Piece<Press>> {
    let keys = session.keymap.keys_of(context, Action::Help);
    let Some(keys) = keys.first() else {
        return Vec::new();
    };
    let (theme, words) = (&session.theme, session.words);
    let press = Some(Press::Action(Action::Help));
    let mut end = Pieces::of(area);
    let name = match area.width {
        ..50 => String::new(),
        _ => format!(" {}", words.help()),
    };
    let cells = width(keys) + width(&name);
    end.x = area.right().saturating_sub(cells as u16);
    end.add(keys, theme.key(), press);
    end.add(&name, theme.dim(), press);
    end.all
}

/// Adds the most useful actions of a screen, and the progress of the review at the right end if a
/// notice leaves room for it. `full` is the width of the whole hint line.
fn screen_keys(session: &Session, screen: &dyn Screen, full: u16, line: &mut Pieces<Press>) {
    let theme = &session.theme;
    let context = screen.context();
    let mut right = line.area.right();
    let mut end = Pieces::of(line.area);
    if let Some(text) = review_progress(session, full) {
        end.x = right.saturating_sub(width(&text) as u16 + 1);
        if end.x > line.x {
            right = end.x - 1;
            end.add(&text, theme.dim(), None);
        }
    }
    // A zoomed picture hides the rest: the way back comes first.
    let back = screen.way_back();
    for action in back.iter().chain(screen.hints()) {
        if !can(*action, screen.is_bulk(), session) {
            continue;
        }
        let keys = session.keymap.keys_of(context, *action);
        let Some(keys) = keys.first() else { continue };
        let short = short(*action, back.is_some(), full, session);
        if !fits(line, right, keys, &short) {
            break;
        }
        let press = Some(Press::Action(*action));
        line.add(&format!("{keys} "), theme.key(), press);
        line.add(&short, theme.dim(), press);
        line.x += 2;
    }
    line.all.extend(end.all);
}

/// Name of an action in a word or two, with its object where that is known and there is room.
fn short(action: Action, is_way_back: bool, room: u16, session: &Session) -> String {
    let words = session.words;
    match action {
        Action::Pause if session.engine.paused => words.go_on().to_owned(),
        Action::Zoom if is_way_back => words.back().to_owned(),
        Action::Undo if room >= WIDE_LINE => match &session.engine.undo {
            // The change that is being made will be undone first.
            Some(step) if session.engine.changing.is_none() => {
                words.undo_step(fit(&words.past_step(step), STEP_CELLS))
            }
            _ => words.undo().to_owned(),
        },
        Action::RepeatEdit if room >= WIDE_LINE => match session.repeats.last() {
            Some(change) => words.again_change(fit(&words.change(change), STEP_CELLS)),
            None => words.again().to_owned(),
        },
        Action::CommitCertain => {
            let groups = session.records.groups();
            words.commit_certain(count(groups.count(GroupState::Draft)))
        }
        action => words.phrase(action.info().short).to_owned(),
    }
}
