//! Cleans text from sources, models, servers and paths for the place where it is shown or stored.
//! Every function follows the table in `forbidden.rs`.

use super::forbidden::{Forbidden, forbidden, is_forbidden};
use std::borrow::Cow;
use std::fmt;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Longest quoted line of a file in characters.
const MAX_QUOTED_CHARS: usize = 200;
const REPLACEMENT: char = '\u{fffd}';

/// Normalizes a name, a label or a tag for the record, the prompt and the rules: NFC, without
/// control, direction and invisible characters, whitespace collapsed to single spaces, trimmed.
/// Idempotent.
pub fn clean_text(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // A forbidden character may separate a letter from its mark, so it is removed before NFC.
    let visible: String = text
        .chars()
        .filter(|&c| c.is_whitespace() || matches!(forbidden(c), None | Some(Forbidden::Filler)))
        .nfc()
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text is only printable ASCII and Hangul syllables with single spaces between its
/// words. Most texts are, and no normalization changes them.
pub fn is_plain(text: &str) -> bool {
    let mut is_after_space = true;
    for c in text.chars() {
        match c {
            ' ' if is_after_space => return false,
            ' '..='~' | '가'..='힣' => is_after_space = c == ' ',
            _ => return false,
        }
    }
    !is_after_space || text.is_empty()
}

/// Cleans a description of several lines: NFC, trimmed, control and direction characters replaced
/// by spaces. Line breaks and inner whitespace stay, since nothing compares descriptions
/// character by character. `None` if nothing is left.
pub fn paragraphs(text: &str) -> Option<String> {
    let text: String = text
        .replace("\r\n", "\n")
        .nfc()
        .filter(|&c| c != '\u{feff}')
        .map(|c| match forbidden(c) {
            Some(Forbidden::Control | Forbidden::Direction) if c != '\n' => ' ',
            _ => c,
        })
        .collect();
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Cleans text for the workstation's screen: NFC, line breaks and tabs as spaces, other control
/// characters as U+FFFD, all other forbidden characters removed.
pub fn for_screen(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_forbidden) && is_nfc(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.nfc()
            .filter_map(|c| match (c, forbidden(c)) {
                ('\n' | '\r' | '\t', _) => Some(' '),
                (c, None) => Some(c),
                (_, Some(Forbidden::Control)) => Some(REPLACEMENT),
                _ => None,
            })
            .collect(),
    )
}

/// Cleans text for an input line, whose text is stored: as [`for_screen`], but without control
/// characters.
pub fn for_input(text: &str) -> String {
    let is_kept =
        |c: &char| matches!(c, '\n' | '\r' | '\t') || forbidden(*c) != Some(Forbidden::Control);
    let kept: String = text.chars().filter(is_kept).collect();
    for_screen(&kept).into_owned()
}

/// Cleans text for one line of a terminal: each forbidden character becomes U+FFFD. Everything else
/// stays as it is, so that a path can be copied from the terminal.
pub fn for_line(text: &str) -> String {
    text.chars()
        .map(|c| if is_forbidden(c) { REPLACEMENT } else { c })
        .collect()
}

/// Truncates a text to `max` characters, followed by `…` if there were more.
pub fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Shortens each line of an error that may quote long lines of a file.
pub fn with_short_quotes(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let lines = text.trim_end().lines().map(|line| {
        let short = shortened(line, MAX_QUOTED_CHARS);
        match short.strip_suffix('…') {
            // A mark below a part of the quoted line that is not shown.
            Some(rest) if rest.trim_start().trim_start_matches('|').trim().is_empty() => {
                rest.trim_end().to_owned()
            }
            _ => short.into_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Cleans text for several lines of a terminal: [`for_line`] for each line, with tabs kept.
pub fn for_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            line.split('\t')
                .map(for_line)
                .collect::<Vec<_>>()
                .join("\t")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Cleans an answer that is printed piece by piece: keeps line breaks and tabs, and removes all
/// other forbidden characters.
pub fn for_stream(text: &str) -> String {
    text.chars()
        .filter(|&c| matches!(c, '\n' | '\t') || !is_forbidden(c))
        .collect()
}

/// Cleans text for one line of the log: each forbidden character is escaped as in `\u{1b}`.
pub fn for_log(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match is_forbidden(c) {
            true => line.extend(c.escape_unicode()),
            false => line.push(c),
        }
    }
    line
}

/// Cleans JSON for standard output, which may be a terminal: the same value, with each forbidden
/// character escaped as in `\u001b`. `json` must be compact, as serde writes it.
pub fn for_json(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match is_forbidden(c) {
            true => line.extend(
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            ),
            false => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Forbidden characters of each kind, between letters.
    const ODD: &str = "a\x1b[31mb\u{9b}c\u{7f}d\u{202e}e\u{61c}f\u{200b}g\u{ad}h\u{3164}i";

    #[test]
    fn a_letter_and_its_mark_compose_across_removed_characters() {
        assert_eq!(clean_text("e\u{200b}\u{301} \u{a0}\u{3000}x\u{ad}"), "é x");
    }

    #[test]
    fn a_plain_text_is_already_normalized() {
        for text in ["", "a", "붉은 모자 2개!", "Red-Hat"] {
            assert!(is_plain(text), "{text:?}");
            let forms = [text.nfc().collect::<String>(), text.nfkc().collect()];
            assert_eq!(forms, [text, text]);
        }
        let not = [
            " a",
            "a ",
            "a  b",
            "a\tb",
            "e\u{301}",
            "\u{1112}\u{1161}",
            "a\u{200b}",
            "\u{7f}",
        ];
        for text in not {
            assert!(!is_plain(text), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_normalized() {
        assert_eq!(clean_text(ODD), "a[31mbcdefgh\u{3164}i");
        assert_eq!(
            clean_text("\u{85}붉은\u{2028}\r\n 모자\u{feff}"),
            "붉은 모자"
        );
        assert_eq!(
            clean_text("👩\u{200d}🎤\u{200c} \u{61c}"),
            "👩\u{200d}🎤\u{200c}"
        );
        assert_eq!(clean_text("\u{61c}\u{200b}\u{ad}"), "");
    }

    #[test]
    fn a_description_keeps_its_lines() {
        assert_eq!(
            paragraphs("\u{feff} e\u{301}:  a\r\n\tb\u{1b}\u{202e}\u{61c}c \n").as_deref(),
            Some("é:  a\n b   c")
        );
        assert_eq!(paragraphs(" \r\n\u{2028}"), None);
    }

    #[test]
    fn a_screen_shows_control_characters_and_drops_other_forbidden_ones() {
        assert_eq!(for_screen(ODD), "a\u{fffd}[31mb\u{fffd}c\u{fffd}defghi");
        assert_eq!(for_screen("a\r\n\tb"), "a   b");
        let decomposed: String = "반지".nfd().collect();
        assert_eq!(for_screen(&decomposed), "반지");
        assert!(matches!(for_screen("👩\u{200d}🚀 반지"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_marks_each_forbidden_character() {
        let shown = "a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}g\u{fffd}h\u{fffd}i";
        assert_eq!(for_line(ODD), shown);
        assert_eq!(for_line("a\nb"), "a\u{fffd}b");
        // A path is not normalized: no file might exist under the composed spelling.
        assert_eq!(for_line("e\u{301}"), "e\u{301}");
        assert_eq!(
            for_lines(&format!("x\r\n\t{ODD}\n")),
            format!("x\n\t{shown}\n")
        );
    }

    #[test]
    fn a_long_text_is_truncated_between_characters() {
        assert_eq!(shortened("가나다", 3), "가나다");
        assert_eq!(shortened("가나다", 2), "가나…");
        assert_eq!(shortened("", 0), "");
    }

    #[test]
    fn a_quoted_line_is_shortened_with_the_mark_below_it() {
        let toml = format!("a = 1\nb = \"{}\" x\n", "가".repeat(5000));
        let error = toml.parse::<toml::Table>().unwrap_err();
        assert!(error.to_string().len() > 10_000);
        let short = with_short_quotes(&error);
        let lines: Vec<&str> = short.lines().collect();
        assert_eq!(lines.len(), error.to_string().lines().count(), "{short}");
        assert!(
            lines[0].starts_with("TOML parse error at line 2"),
            "{short}"
        );
        assert!(
            lines[2].starts_with("2 | b = \"가") && lines[2].ends_with("가…"),
            "{short}"
        );
        assert_eq!(lines[3], "  |");
        assert!(short.chars().count() < 500);
        let short = "a = 1 x".parse::<toml::Table>().unwrap_err();
        assert_eq!(with_short_quotes(&short), short.to_string().trim_end());
    }

    #[test]
    fn a_streamed_answer_keeps_its_lines_however_it_is_split() {
        assert_eq!(for_stream("a\r\n\tb\u{202e}\u{1b}[2J"), "a\n\tb[2J");
        let pieces: String = ODD.split('b').map(for_stream).collect::<Vec<_>>().join("b");
        assert_eq!(pieces, for_stream(ODD));
    }

    #[test]
    fn a_log_line_escapes_forbidden_characters() {
        assert_eq!(
            for_log("name=\u{1b}[2J둥근\nnext \u{202e}x\u{ad}"),
            "name=\\u{1b}[2J둥근\\u{a}next \\u{202e}x\\u{ad}"
        );
    }

    proptest::proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(
            text in "[a가ᄀ ᅡ\u{301}\u{200b}\u{ad}\u{61c}\u{2066}\u{a0}\u{3000}\u{feff}\u{7}\n\t👩\u{200d}]{0,12}"
        ) {
            let once = clean_text(&text);
            proptest::prop_assert_eq!(clean_text(&once), once);
        }

        #[test]
        fn json_for_a_terminal_parses_to_the_same_value(
            text in "[a\"\\\\가\u{0}\u{1b}\u{7f}\u{9b}\u{61c}\u{202e}\u{200b}\u{ad}\u{e0067}👩\u{200d}\n]{0,12}"
        ) {
            let value = json!({ text.clone(): [text] });
            let shown = for_json(&value.to_string());
            proptest::prop_assert!(!shown.chars().any(is_forbidden));
            let back: Value = serde_json::from_str(&shown).unwrap();
            proptest::prop_assert_eq!(back, value);
        }
    }
}
