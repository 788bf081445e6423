//! Aligns the tokens of an answer with its text.

use super::super::TokenInfo;
use memchr::memmem;

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Assigns to each token the bytes of `text` that it represents and drops the end token. Empty if the
/// tokens do not spell the text, since misplaced probabilities are worse than none.
///
/// A character may be split across tokens, as Hangul often is. Some servers report the bytes of each
/// part. Others report U+FFFD or nothing for a part, and the complete character with its last part.
/// The bytes up to the next intact token are then distributed among the parts.
pub fn align(tokens: Vec<TokenInfo>, text: &[u8]) -> Vec<TokenInfo> {
    try_align(tokens, text).unwrap_or_default()
}

fn try_align(tokens: Vec<TokenInfo>, text: &[u8]) -> Option<Vec<TokenInfo>> {
    let mut aligned = Vec::with_capacity(tokens.len());
    let mut partial: Vec<TokenInfo> = Vec::new();
    let mut at = 0;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if partial.is_empty() && at == text.len() {
            break;
        }
        let spelled = !token.bytes.is_empty() && text[at..].starts_with(&token.bytes);
        if partial.is_empty() && spelled {
            at += token.bytes.len();
            aligned.push(token);
        } else if token.bytes.is_empty() || last_replacement(&token.bytes).is_some() {
            partial.push(token);
        } else if partial.is_empty() {
            return None;
        } else if let Some(end) = find_end(&partial, at, text, &token.bytes) {
            let next = end + token.bytes.len();
            if end - at >= partial.len() {
                aligned.extend(distribute(&mut partial, &text[at..end])?);
                at = end;
            }
            // Parts without bytes share those of the following token.
            partial.push(token);
            aligned.extend(distribute(&mut partial, &text[at..next])?);
            at = next;
        } else if tokens.peek().is_none() {
            // The end token.
            break;
        } else {
            return None;
        }
    }
    if partial.is_empty() {
        return (at == text.len()).then_some(aligned);
    }
    if !text[at..].ends_with(intact_end(&partial)) {
        return None;
    }
    aligned.extend(distribute(&mut partial, &text[at..])?);
    Some(aligned)
}

fn last_replacement(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(REPLACEMENT.len())
        .rposition(|part| part == REPLACEMENT)
}

/// The bytes after the last partial character.
fn intact_end(partial: &[TokenInfo]) -> &[u8] {
    let last = partial.last().map_or(&[][..], |token| &token.bytes);
    match last_replacement(last) {
        Some(at) => &last[at + REPLACEMENT.len()..],
        None => last,
    }
}

/// Finds the end of the partial tokens that start at `at`: the first position where `next` follows.
fn find_end(partial: &[TokenInfo], at: usize, text: &[u8], next: &[u8]) -> Option<usize> {
    let known = intact_end(partial);
    let min_end = at
        + partial
            .iter()
            .filter(|token| !token.bytes.is_empty())
            .count();
    let from = min_end.saturating_sub(known.len()).max(at);
    // One search for both is linear in any case.
    let found = memmem::find(text.get(from..)?, &[known, next].concat())?;
    Some(from + found + known.len())
}

/// Assigns one byte to each token and the rest to the last; `None` if there are too few bytes.
fn distribute(tokens: &mut Vec<TokenInfo>, text: &[u8]) -> Option<Vec<TokenInfo>> {
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
    fn the_end_token_is_dropped() {
        let found = aligned(&[b"a ", b"hat", b"<|im_end|>"], "a hat");
        assert_eq!(found, ["a  1", "hat 2"]);
    }

    #[test]
    fn parts_of_a_character_are_aligned_by_their_bytes() {
        let found = aligned(&[b"a", b"\xed\x95", b"\xb4", b"b"], "a해b");
        assert_eq!(found, ["a 1", "\\xed\\x95 2", "\\xb4 3", "b 4"]);
    }

    #[test]
    fn parts_without_bytes_share_the_bytes_between_their_neighbors() {
        // vLLM reports nothing for a part, and the character with its last part.
        let found = aligned(&[b"a", b"", "해".as_bytes(), b"", "해".as_bytes()], "a해해");
        let parts = ["a 1", "\\xed 2", "\\x95\\xb4 3", "\\xed 4", "\\x95\\xb4 5"];
        assert_eq!(found, parts);
        // Sometimes it reports U+FFFD at the start of the next token instead.
        let found = aligned(
            &[b"a", b"", b"", b"\xef\xbf\xbd\xeb\xb3\x80", b"c"],
            "a해변c",
        );
        let last = "\\xb4\\xeb\\xb3\\x80 4";
        assert_eq!(found, ["a 1", "\\xed 2", "\\x95 3", last, "c 5"]);
        // Others report U+FFFD for each part.
        let found = aligned(
            &["\u{fffd}".as_bytes(), "\u{fffd}".as_bytes(), b"<end>"],
            "해",
        );
        assert_eq!(found, ["\\xed 1", "\\x95\\xb4 2"]);
    }

    #[test]
    fn aligning_long_tokens_that_nearly_match_is_fast() {
        let text = format!("{}c", "a".repeat(1_000_000));
        let nearly = format!("{}b", "a".repeat(500_000));
        let start = std::time::Instant::now();
        assert_eq!(aligned(&[b"", nearly.as_bytes(), b"c"], &text), [""; 0]);
        assert!(start.elapsed().as_secs_f64() < 1.0, "{:?}", start.elapsed());
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
