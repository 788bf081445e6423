//! Cuts a filter into words, parentheses and the signs between them.

/// A part of a filter with the place where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub start: usize,
    pub kind: LexemeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LexemeKind {
    Word {
        /// Without its quotes, and without the minus.
        text: String,
        /// Where in the text its first colon outside quotes is.
        colon: Option<usize>,
        negated: bool,
    },
    Open {
        negated: bool,
    },
    Close,
    Or,
}

pub(super) fn lexemes(text: &str) -> Vec<Lexeme> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let start = text.len() - rest.len();
        let (kind, length) = match rest.as_bytes() {
            [] => return found,
            [b'|', ..] => (LexemeKind::Or, 1),
            [b')', ..] => (LexemeKind::Close, 1),
            [b'(', ..] => (LexemeKind::Open { negated: false }, 1),
            [b'-', b'(', ..] => (LexemeKind::Open { negated: true }, 2),
            _ => word(rest),
        };
        found.push(Lexeme { start, kind });
        rest = &rest[length..];
    }
}

/// The word that a text begins with, and its length with its quotes. It ends at a space, at `|`, or
/// at a parenthesis that was not opened in it: item names have their own.
fn word(rest: &str) -> (LexemeKind, usize) {
    let negated = rest.len() > 1
        && rest.starts_with('-')
        && !rest[1..].starts_with(|c: char| c.is_whitespace() || c == '|' || c == ')');
    let mut text = String::new();
    let mut colon = None;
    let (mut quoted, mut any_quote, mut depth) = (false, false, 0);
    let mut length = rest.len();
    for (at, c) in rest.char_indices().skip(usize::from(negated)) {
        match c {
            '"' => {
                quoted = !quoted;
                any_quote = true;
                continue;
            }
            _ if quoted => {}
            '|' => {
                length = at;
                break;
            }
            c if c.is_whitespace() => {
                length = at;
                break;
            }
            '(' => depth += 1,
            ')' if depth == 0 => {
                length = at;
                break;
            }
            ')' => depth -= 1,
            ':' if colon.is_none() && !text.is_empty() => colon = Some(text.len()),
            _ => {}
        }
        text.push(c);
    }
    let kind = match text.as_str() {
        "OR" if !any_quote && !negated => LexemeKind::Or,
        _ => LexemeKind::Word {
            text,
            colon,
            negated,
        },
    };
    (kind, length)
}

/// The part of a filter that is being typed: its last word, where nothing follows it.
pub fn last_word(text: &str) -> &str {
    let open = text.matches('"').count() % 2 == 1;
    if !open && text.ends_with(char::is_whitespace) {
        return "";
    }
    match lexemes(text).last() {
        Some(Lexeme {
            start,
            kind: LexemeKind::Word { .. } | LexemeKind::Or,
        }) if !text.ends_with('|') => &text[*start..],
        _ => "",
    }
}

/// A value as it is written in a filter.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !"|():,\"".contains(c);
    if value.chars().all(plain) && !value.starts_with('=') {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('"', ""))
    }
}
