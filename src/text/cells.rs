//! Measures text in terminal cells, and truncates, pads and wraps it.

use super::clean::for_screen;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Width of a cleaned text in terminal cells.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Replaces an emoji sequence that terminals draw at different widths with characters that they all
/// draw alike: its first part, or the two letters of a flag. `None` for any other grapheme.
pub fn plain_emoji(grapheme: &str) -> Option<(char, char)> {
    let joins = |c: char| {
        matches!(
            c,
            '\u{200d}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}'
        ) || ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
    };
    // Pixels and other escapes are far longer than any grapheme.
    if grapheme.len() <= 4 || grapheme.len() > 64 || !grapheme.chars().any(joins) {
        return None;
    }
    let mut chars = grapheme.chars();
    let letter = |c: char| {
        let place = u32::from(c).checked_sub(0x1f1e6)?;
        char::from_u32(u32::from('A') + place).filter(char::is_ascii_uppercase)
    };
    let (first, second) = (chars.next()?, chars.next()?);
    match (letter(first), letter(second)) {
        (Some(first), Some(second)) => Some((first, second)),
        _ => Some((first, ' ')),
    }
}

/// Cleans a text and truncates it to `max` cells, ending in `…` if it was truncated.
pub fn fit(text: &str, max: usize) -> String {
    let text = for_screen(text);
    if width(&text) <= max {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let cells = grapheme.width();
        if used + cells + 1 > max {
            break;
        }
        used += cells;
        out.push_str(grapheme);
    }
    if max > 0 {
        out.push('…');
    }
    out
}

/// [`fit`], then padded with spaces to exactly `cells`.
pub fn pad(text: &str, cells: usize) -> String {
    let mut out = fit(text, cells);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    out
}

/// Breaks a text into lines of at most `cells`, at spaces where possible. Each line comes with its
/// byte offset; only line breaks belong to no line.
pub fn wrap_offsets(text: &str, cells: usize) -> Vec<(usize, &str)> {
    let cells = cells.max(2);
    let mut lines = Vec::new();
    let mut start = 0;
    let mut used = 0;
    let mut space: Option<usize> = None;
    for (at, grapheme) in text.grapheme_indices(true) {
        if grapheme == "\n" || grapheme == "\r\n" {
            lines.push((start, &text[start..at]));
            start = at + grapheme.len();
            (used, space) = (0, None);
            continue;
        }
        let wide = grapheme.width();
        if used + wide > cells {
            let cut = space.filter(|&cut| cut > start).unwrap_or(at);
            lines.push((start, &text[start..cut]));
            start = cut;
            used = width(&text[start..at]);
            space = None;
        }
        used += wide;
        if grapheme == " " {
            space = Some(at + 1);
        }
    }
    lines.push((start, &text[start..]));
    lines
}

pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let text = for_screen(text);
    wrap_offsets(&text, cells)
        .into_iter()
        .map(|(_, line)| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_sequence_is_reduced_to_its_first_part() {
        assert_eq!(plain_emoji("👩\u{200d}🚀"), Some(('👩', ' ')));
        assert_eq!(plain_emoji("👍🏽"), Some(('👍', ' ')));
        assert_eq!(plain_emoji("❤\u{fe0f}"), Some(('❤', ' ')));
        assert_eq!(plain_emoji("🇰🇷"), Some(('K', 'R')));
        for simple in ["가", "👩", "e\u{301}\u{302}\u{303}", "a"] {
            assert_eq!(plain_emoji(simple), None);
        }
    }

    #[test]
    fn hangul_takes_two_cells() {
        assert_eq!(width("반지"), 4);
        assert_eq!(fit("빨간 반지", 5), "빨간…");
        assert_eq!(fit("빨간 반지", 6), "빨간 …");
        assert_eq!(width(&pad("빨간 반지", 6)), 6);
        assert_eq!(fit("반지", 0), "");
    }

    #[test]
    fn wrapped_lines_keep_every_byte_and_stay_within_the_width() {
        let text = "붉은 보석이 박힌 반지 with a very-long-unbroken-word\nnext";
        for cells in 2..40 {
            let lines = wrap_offsets(text, cells);
            assert!(
                lines
                    .iter()
                    .all(|(_, line)| width(line.trim_end()) <= cells)
            );
            assert_eq!(
                lines.iter().map(|(_, line)| line.len()).sum::<usize>() + 1,
                text.len()
            );
        }
    }
}
