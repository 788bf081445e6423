//! Lays the tokens of an answer over its text.

use super::super::TokenInfo;
use memchr::memmem;

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The tokens with the bytes of `text` that each stands for; none where they do not spell it
/// (probabilities that cannot be placed are worse than none). What follows the text, the end
/// token, is left out.
///
/// A character may be torn over tokens, Hangul often is. Some servers tell the bytes of each
/// part; others write U+FFFD for a part, or nothing, and the whole character with its last part.
/// The bytes up to the next intact token are then shared out among the parts.
pub fn align(tokens: Vec<TokenInfo>, text: &[u8]) -> Vec<TokenInfo> {
    lay(tokens, text).unwrap_or_default()
}

fn lay(tokens: Vec<TokenInfo>, text: &[u8]) -> Option<Vec<TokenInfo>> {
    let mut laid = Vec::with_capacity(tokens.len());
    let mut torn: Vec<TokenInfo> = Vec::new();
    let mut at = 0;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if torn.is_empty() && at == text.len() {
            break;
        }
        let spelled = !token.bytes.is_empty() && text[at..].starts_with(&token.bytes);
        if torn.is_empty() && spelled {
            at += token.bytes.len();
            laid.push(token);
        } else if token.bytes.is_empty() || last_torn(&token.bytes).is_some() {
            torn.push(token);
        } else if torn.is_empty() {
            return None;
        } else if let Some(end) = end_of(&torn, at, text, &token.bytes) {
            let next = end + token.bytes.len();
            if end - at >= torn.len() {
                laid.extend(share(&mut torn, &text[at..end])?);
                at = end;
            }
            // Parts without bytes of their own are in what comes after them.
            torn.push(token);
            laid.extend(share(&mut torn, &text[at..next])?);
            at = next;
        } else if tokens.peek().is_none() {
            // The end token.
            break;
        } else {
            return None;
        }
    }
    if torn.is_empty() {
        return (at == text.len()).then_some(laid);
    }
    if !text[at..].ends_with(intact_end(&torn)) {
        return None;
    }
    laid.extend(share(&mut torn, &text[at..])?);
    Some(laid)
}

fn last_torn(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(REPLACEMENT.len())
        .rposition(|part| part == REPLACEMENT)
}

/// What stands behind the last torn character.
fn intact_end(torn: &[TokenInfo]) -> &[u8] {
    let last = torn.last().map_or(&[][..], |token| &token.bytes);
    match last_torn(last) {
        Some(at) => &last[at + REPLACEMENT.len()..],
        None => last,
    }
}

/// Where torn tokens that begin at `at` end: at the first place where `next` can follow them.
fn end_of(torn: &[TokenInfo], at: usize, text: &[u8], next: &[u8]) -> Option<usize> {
    let known = intact_end(torn);
    let least = at + torn.iter().filter(|token| !token.bytes.is_empty()).count();
    let from = least.saturating_sub(known.len()).max(at);
    // One search for both, in linear time whatever they are.
    let found = memmem::find(text.get(from..)?, &[known, next].concat())?;
    Some(from + found + known.len())
}

/// One byte for each token, and the rest for the last; `None` where there are too few.
fn share(tokens: &mut Vec<TokenInfo>, text: &[u8]) -> Option<Vec<TokenInfo>> {
    let last = tokens.len().checked_sub(1)?;
    if text.len() < tokens.len() {
        return None;
    }
    let shared = tokens.drain(..).enumerate().map(|(index, token)| {
        let end = if index == last { text.len() } else { index + 1 };
        TokenInfo {
            bytes: text[index..end].to_vec(),
            ..token
        }
    });
    Some(shared.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(tokens: &[&[u8]], text: &str) -> Vec<String> {
        let tokens = tokens.iter().zip(1..).map(|(bytes, n)| TokenInfo {
            bytes: bytes.to_vec(),
            logprob: Some(-(n as f32)),
            forced: false,
        });
        let aligned = align(tokens.collect(), text.as_bytes());
        let spelled: Vec<u8> = aligned.iter().flat_map(|t| t.bytes.clone()).collect();
        assert!(aligned.is_empty() || spelled == text.as_bytes());
        let shown = aligned.iter().map(|token| {
            let bytes = token.bytes.escape_ascii();
            format!("{bytes} {}", -token.logprob.unwrap())
        });
        shown.collect()
    }

    #[test]
    fn the_end_token_is_no_part_of_the_text() {
        let found = aligned(&[b"a ", b"hat", b"<|im_end|>"], "a hat");
        assert_eq!(found, ["a  1", "hat 2"]);
    }

    #[test]
    fn parts_of_a_character_are_placed_by_their_bytes() {
        let found = aligned(&[b"a", b"\xed\x95", b"\xb4", b"b"], "a해b");
        assert_eq!(found, ["a 1", "\\xed\\x95 2", "\\xb4 3", "b 4"]);
    }

    #[test]
    fn parts_without_their_bytes_share_what_is_between_their_neighbors() {
        // vLLM writes nothing for a part, and the character with its last part.
        let found = aligned(&[b"a", b"", "해".as_bytes(), b"", "해".as_bytes()], "a해해");
        let parts = ["a 1", "\\xed 2", "\\x95\\xb4 3", "\\xed 4", "\\x95\\xb4 5"];
        assert_eq!(found, parts);
        // Now and then it forgets to, and puts U+FFFD before the token after it.
        let found = aligned(
            &[b"a", b"", b"", b"\xef\xbf\xbd\xeb\xb3\x80", b"c"],
            "a해변c",
        );
        let last = "\\xb4\\xeb\\xb3\\x80 4";
        assert_eq!(found, ["a 1", "\\xed 2", "\\x95 3", last, "c 5"]);
        // Others write U+FFFD for each.
        let found = aligned(
            &["\u{fffd}".as_bytes(), "\u{fffd}".as_bytes(), b"<end>"],
            "해",
        );
        assert_eq!(found, ["\\xed 1", "\\x95\\xb4 2"]);
    }

    #[test]
    fn long_tokens_that_nearly_spell_the_text_take_no_time() {
        let text = format!("{}c", "a".repeat(1_000_000));
        let nearly = format!("{}b", "a".repeat(500_000));
        let begun = std::time::Instant::now();
        assert_eq!(aligned(&[b"", nearly.as_bytes(), b"c"], &text), [""; 0]);
        assert!(begun.elapsed().as_secs_f64() < 1.0, "{:?}", begun.elapsed());
    }

    #[test]
    fn tokens_that_do_not_spell_the_text_are_dropped() {
        for (tokens, text) in [
            (&[&b"a"[..]][..], "b"),
            (&[b"a"], "ab"),
            (&[b"a", b"", b"c"], "ac"),
            (&["\u{fffd}x".as_bytes()], "해y"),
            (&[], "a"),
        ] {
            assert_eq!(aligned(tokens, text), [""; 0], "{text}");
        }
        assert_eq!(aligned(&[b"x"], ""), [""; 0]);
    }
}
