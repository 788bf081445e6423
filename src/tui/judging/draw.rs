//! Draws the judging screen: progress, icon, texts, keys.

use super::deck::{Card, Outcome, Question};
use super::layout::JudgingLayout;
use super::state::Judging;
use crate::record::{Field, Labels};
use crate::text::{count, fit, pad, particles, width, words as words_of};
use crate::tui::keymap::Key;
use crate::tui::widgets::layout::{self as widgets_layout, centered};
use crate::tui::widgets::{
    Piece, Pieces, draw_pieces, lines, normalize_wide, pane, paragraph, put, wrap_styled,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::collections::HashSet;

/// Width in cells of the progress bar.
const BAR: usize = 12;
/// Widths in cells of the field names and of the digits before them.
const NAMES: usize = 9;
const DIGITS: usize = 2;

pub fn draw(screen: &Judging, area: Rect, buf: &mut Buffer) {
    if screen.is_too_small() {
        let (width, height) = widgets_layout::MIN_SIZE;
        let text = screen.words.too_small(width, height);
        return paragraph(&text, screen.theme.bad(), area, buf);
    }
    let placed = screen.layout();
    header(screen, placed.frame.header, buf);
    match screen.card() {
        Some(card) => draw_card(screen, card, &placed, buf),
        None => draw_end(screen, placed.frame.body, buf),
    }
    draw_pieces(
        &hint_pieces(screen, placed.frame.hints),
        placed.frame.hints.y,
        buf,
    );
    normalize_wide(buf);
}

fn header(screen: &Judging, area: Rect, buf: &mut Buffer) {
    let (theme, words) = (&screen.theme, screen.words);
    let (judged, all) = (screen.judged(), screen.deck.cards.len());
    let what = match screen.deck.question {
        Question::IsRight => words.audit_title(),
        Question::WhichIsBetter => words.blind_title(),
    };
    let mut pieces = Pieces::<Key>::of(area);
    pieces.add(&format!("[{what}]"), theme.title(), None);
    let full = (judged * BAR).checked_div(all).unwrap_or(BAR);
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let far = format!(" {}/{} ", count(judged as u64), count(all as u64));
    pieces.add(&far, theme.text(), None);
    pieces.add(&bar, theme.accent(), None);
    let room = usize::from(area.right().saturating_sub(pieces.x + 2));
    let about = fit(&screen.deck.about, room);
    pieces.x = area.right() - width(&about) as u16;
    pieces.add(&about, theme.dim(), None);
    draw_pieces(&pieces.all, area.y, buf);
}

fn draw_card(screen: &Judging, card: &Card, placed: &JudgingLayout, buf: &mut Buffer) {
    let (theme, words) = (&screen.theme, screen.words);
    if placed.picture.width > 0 {
        let title = fit(
            &card.name,
            usize::from(placed.picture.width.saturating_sub(4)),
        );
        pane(theme, placed.picture, placed.borders, &title, false, buf);
        // Highlights the item name, which the text has to contain.
        let (x, cells) = match placed.borders {
            true => (placed.picture.x + 2, placed.picture.width.saturating_sub(4)),
            false => (placed.picture.x + 1, placed.picture.width.saturating_sub(2)),
        };
        put(buf, x, placed.picture.y, cells, &title, theme.title());
        icon(screen, card, placed, buf);
    }
    if screen.zoomed {
        return;
    }
    let texts = card.texts().into_iter().flatten();
    for (at, _) in texts.enumerate() {
        let title = match screen.deck.question {
            _ if screen.picking_field => words.which_field().to_owned(),
            Question::IsRight => words.is_right().to_owned(),
            Question::WhichIsBetter => format!("{}", at + 1),
        };
        let area = placed.texts[at];
        let title = match (placed.picture.width, at) {
            // Without the picture pane, only this title names the item.
            (0, 0) => format!("{title}  {}", card.name),
            _ => title,
        };
        let title = fit(&title, usize::from(area.width.saturating_sub(4)));
        pane(
            theme,
            area,
            placed.borders,
            &title,
            screen.picking_field,
            buf,
        );
        let room = placed.text(at);
        let rows = rows(screen, card, at, usize::from(room.width));
        let all: Vec<Line> = rows.into_iter().map(|(_, line)| line).collect();
        lines(&all, screen.top, room, buf);
    }
}

fn icon(screen: &Judging, card: &Card, placed: &JudgingLayout, buf: &mut Buffer) {
    let (theme, words) = (&screen.theme, screen.words);
    let room = placed.icon();
    if card.picture.is_none() {
        put(
            buf,
            room.x,
            room.y,
            room.width,
            words.no_picture_file(),
            theme.dim(),
        );
        return;
    }
    let key = screen.shown_picture();
    match key.and_then(|key| screen.pictures.get(&key)) {
        Some(Ok(picture)) => screen.pictures.draw(picture, room, &[], theme, buf),
        Some(Err(why)) => {
            let text = words.no_picture_because(words.said(why));
            paragraph(&text, theme.bad(), room, buf);
        }
        None => {
            put(buf, room.x, room.y, room.width, "...", theme.dim());
        }
    }
}

/// The lines of text `at`, each with its field.
fn rows(
    screen: &Judging,
    card: &Card,
    at: usize,
    cells: usize,
) -> Vec<(Option<Field>, Line<'static>)> {
    let (theme, words) = (&screen.theme, screen.words);
    let texts = card.texts();
    let (Some(text), other) = (texts[at], texts[1 - at]) else {
        return Vec::new();
    };
    // In a narrow pane, field names go inline and the label has none.
    let names = match (cells >= 34, screen.picking_field) {
        (false, _) => 0,
        (true, false) => NAMES,
        (true, true) => NAMES + DIGITS,
    };
    let mut rows = Vec::new();
    let mut same = Vec::new();
    for (number, field) in Judging::fields(card).into_iter().enumerate() {
        let values = text.values(field);
        if other.is_some_and(|other| other.values(field) == values) {
            if !values.is_empty() {
                same.push(words.field(field));
            }
            continue;
        }
        let name = match screen.picking_field {
            true => format!("{} {}", number + 1, words.field(field)),
            false => words.field(field).to_owned(),
        };
        let style = match screen.picking_field {
            true => theme.key(),
            false => theme.dim(),
        };
        let parts = parts(screen, field, values, other);
        let mut parts: Vec<(&str, Style)> = parts
            .iter()
            .map(|(part, style)| (part.as_str(), *style))
            .collect();
        let head = format!("{name} ");
        if names == 0 && (screen.picking_field || field != Field::LabelKo) {
            parts.insert(0, (&head, style));
        }
        for (line, spans) in wrap_styled(&parts, cells - names).into_iter().enumerate() {
            let mut all = Vec::new();
            if names > 0 {
                let name = if line == 0 { name.as_str() } else { "" };
                all.push(Span::styled(pad(&fit(name, names - 1), names), style));
            }
            all.extend(spans);
            rows.push((Some(field), Line::from(all)));
        }
    }
    if !same.is_empty() {
        let text = words.same_in_both(same.join(", "));
        rows.push((None, Line::styled(fit(&text, cells), theme.dim())));
    }
    if other.is_none()
        && let Some(about) = &card.about
    {
        rows.push((None, Line::default()));
        for spans in wrap_styled(&[(about, theme.dim())], cells) {
            rows.push((None, Line::from(spans)));
        }
    }
    rows
}

/// The values of a field, with a highlight on what the other text lacks.
fn parts(
    screen: &Judging,
    field: Field,
    values: &[String],
    other: Option<&Labels>,
) -> Vec<(String, Style)> {
    let theme = &screen.theme;
    if values.is_empty() {
        return vec![("-".to_owned(), theme.dim())];
    }
    let Some(other) = other else {
        return vec![(values.join(" · "), theme.text())];
    };
    if field.is_list() {
        let there: HashSet<&String> = other.values(field).iter().collect();
        let mut parts = Vec::new();
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                parts.push((" · ".to_owned(), theme.dim()));
            }
            let style = match there.contains(value) {
                true => theme.text(),
                false => theme.accent(),
            };
            parts.push((value.clone(), style));
        }
        return parts;
    }
    let stem = |word: &str| particles::stem(word).to_lowercase();
    let other = other.text(field).unwrap_or_default();
    let there: HashSet<String> = words_of(other).map(stem).collect();
    let text = values.first().map_or("", String::as_str);
    let mut parts = Vec::new();
    for word in text.split_inclusive(' ') {
        let style = match words_of(word).map(stem).all(|word| there.contains(&word)) {
            true => theme.text(),
            false => theme.accent(),
        };
        parts.push((word.to_owned(), style));
    }
    parts
}

/// The field at a screen position.
pub fn field_at(screen: &Judging, placed: &JudgingLayout, at: Position) -> Option<Field> {
    let room = placed.text(0);
    let card = screen.card().filter(|_| room.contains(at))?;
    let rows = rows(screen, card, 0, usize::from(room.width));
    rows.get(screen.top + usize::from(at.y - room.y))?.0
}

/// The largest scroll offset of the texts.
pub fn max_scroll(screen: &Judging) -> usize {
    let Some(card) = screen.card() else { return 0 };
    let placed = screen.layout();
    let texts = card.texts().into_iter().flatten();
    let beyond = texts.enumerate().map(|(at, _)| {
        let room = placed.text(at);
        let rows = rows(screen, card, at, usize::from(room.width)).len();
        rows.saturating_sub(usize::from(room.height))
    });
    match screen.zoomed {
        true => 0,
        false => beyond.max().unwrap_or(0),
    }
}

/// Draws the result of all judgments.
fn draw_end(screen: &Judging, body: Rect, buf: &mut Buffer) {
    let (theme, words) = (&screen.theme, screen.words);
    let mut text = match &screen.outcome {
        Some(Outcome::Audit(estimate)) => words.audit_lines(estimate),
        Some(Outcome::Votes(tally)) => words.vote_lines(tally),
        None => vec![words.nothing_to_judge().to_owned()],
    };
    text.insert(0, words.all_judged().to_owned());
    let width = body.width.saturating_sub(4).min(90);
    let all: Vec<Line> = text
        .iter()
        .enumerate()
        .flat_map(|(at, line)| {
            let style = match at {
                0 => theme.title(),
                _ => theme.text(),
            };
            let spans = wrap_styled(&[(line, style)], usize::from(width));
            spans.into_iter().map(Line::from)
        })
        .collect();
    let area = centered(body, width, (all.len() as u16).min(body.height));
    lines(&all, 0, area, buf);
}

/// The keys that work now; each can be clicked.
pub fn hint_pieces(screen: &Judging, area: Rect) -> Vec<Piece<Key>> {
    let (theme, words) = (&screen.theme, screen.words);
    let mut line = Pieces::of(area);
    // The way out is always shown, on a narrow screen without its name.
    let way_out = match screen.card() {
        None => ("Enter", words.leaves()),
        Some(_) if screen.picking_field => ("Esc", words.cancels()),
        Some(_) if area.width < 50 => ("q", ""),
        Some(_) => ("q", words.leaves()),
    };
    let cells = |(key, what): (&str, &str)| match what {
        "" => width(key),
        what => width(key) + 1 + width(what),
    };
    let before_last = usize::from(area.right()).saturating_sub(cells(way_out) + 2);
    if let Some(notice) = screen.notices.current() {
        let style = if notice.is_warning {
            theme.bad()
        } else {
            theme.good()
        };
        let room = before_last.saturating_sub(usize::from(line.x));
        line.add(&fit(&notice.text, room), style, None);
        line.x += 2;
    }
    let mut keys: Vec<(&str, &str)> = Vec::new();
    if screen.picking_field {
        let fields = screen.card().map_or(0, |card| Judging::fields(card).len());
        line.add(&format!("1-{fields} "), theme.key(), None);
        line.add(words.the_wrong_field(), theme.dim(), None);
        line.x += 2;
    } else if screen.card().is_some() {
        match screen.deck.question {
            Question::IsRight => keys.extend([
                ("1", words.verdict_right()),
                ("2", words.verdict_wrong()),
                ("0", words.verdict_unsure()),
            ]),
            Question::WhichIsBetter => keys.extend([
                ("1", words.first_is_better()),
                ("2", words.second_is_better()),
                ("0", words.neither_is_better()),
            ]),
        }
    }
    if screen.can_go_back() && !screen.picking_field {
        keys.push(("u", words.takes_back()));
    }
    if screen.top < max_scroll(screen) {
        keys.push(("Down", words.more_text()));
    }
    if screen.card().is_some() && !screen.picking_field {
        keys.push(("z", words.zooms()));
        keys.push(("b", words.changes_ground()));
    }
    match screen.card() {
        Some(_) if !screen.picking_field => keys.push(way_out),
        _ => keys.insert(0, way_out),
    }
    for hint in keys {
        if hint != way_out && usize::from(line.x) + cells(hint) > before_last {
            continue;
        }
        let (key, what) = hint;
        let press = Key::parse(key).ok();
        line.add(key, theme.key(), press);
        if !what.is_empty() {
            line.add(&format!(" {what}"), theme.dim(), press);
        }
        line.x += 2;
    }
    line.all
}
