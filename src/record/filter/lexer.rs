//! Splits a filter into words, parentheses and operators.

/// A token of a filter with its byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub start: usize,
    pub kind: LexemeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LexemeKind {
    Word {
        /// Without quotes and without the minus sign.
        text: String,
        /// Byte offset of the first colon outside quotes.
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

/// The word at the start of a text, and its length including quotes. It ends at a space, at `|` or
/// at an unmatched closing parenthesis, since item names may contain parentheses.
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

/// The word being typed: the last word of a filter, or empty if anything follows it.
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

/// Quotes a value for use in a filter, if needed.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !"|():,\"".contains(c);
    if value.chars().all(plain) && !value.starts_with('=') {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('"', ""))
    }
}
