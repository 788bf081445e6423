//! Computes the model's confidence in each field from token probabilities.

use super::reader::{Node, Text};
use crate::record::rules::WEAK_TOKEN;
use crate::record::{Field, FieldConfidence};
use std::ops::Range;

/// The maximum number of low-confidence words listed per field.
const MAX_WEAK: usize = 8;

/// Bytes of a token, natural log of its probability if known, and whether the grammar forced it.
pub type Token<'a> = (&'a [u8], Option<f32>, bool);

/// Computes the confidence in each field of an answer. Fields without a sampled token are left
/// out, as is any text that was added after the tokens (see [`super::complete`]).
pub fn confidence<'a>(
    text: &str,
    tokens: impl IntoIterator<Item = Token<'a>>,
) -> Vec<FieldConfidence> {
    let sampled = sampled(text, tokens);
    if sampled.is_empty() {
        return Vec::new();
    }
    let Some((node, ..)) = super::object(text) else {
        return Vec::new();
    };
    Field::ALL
        .iter()
        .filter_map(|&field| of_field(text, field, &texts(&node, field), &sampled))
        .collect()
}

/// Byte ranges of the sampled tokens in the text, with their log probabilities.
fn sampled<'a>(
    text: &str,
    tokens: impl IntoIterator<Item = Token<'a>>,
) -> Vec<(Range<usize>, f32)> {
    let mut sampled = Vec::new();
    let mut at = 0;
    for (bytes, logprob, forced) in tokens {
        let span = at..at + bytes.len();
        if text.as_bytes().get(span.clone()) != Some(bytes) {
            break;
        }
        at = span.end;
        if let Some(logprob) = logprob.filter(|logprob| !forced && !logprob.is_nan()) {
            sampled.push((span, logprob.min(0.0)));
        }
    }
    sampled
}

fn texts(node: &Node, field: Field) -> Vec<&Text> {
    match super::find(node, field) {
        Some(Node::Text(text)) => vec![text],
        Some(Node::List(nodes)) => nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn of_field(
    text: &str,
    field: Field,
    texts: &[&Text],
    sampled: &[(Range<usize>, f32)],
) -> Option<FieldConfidence> {
    let mut sum = 0.0;
    let mut count = 0usize;
    let mut weakest = 0.0f32;
    let mut weak_words = Vec::new();
    for part in texts {
        for (_, logprob) in within(sampled, &part.span) {
            sum += logprob;
            count += 1;
            weakest = weakest.min(*logprob);
        }
        for word in words(text, &part.span, field.words().is_some()) {
            let weak = within(sampled, &word).any(|(_, logprob)| logprob.exp() < WEAK_TOKEN);
            let word = text[word].trim_matches(|c: char| !c.is_alphanumeric());
            if weak && !word.is_empty() && !weak_words.iter().any(|known| known == word) {
                weak_words.push(word.to_string());
            }
        }
    }
    weak_words.truncate(MAX_WEAK);
    (count > 0).then(|| FieldConfidence {
        field,
        mean: (sum / count as f32).exp(),
        weakest: weakest.exp(),
        weak_words,
    })
}

/// The tokens that overlap the span. Tokens must be in order.
fn within<'a>(
    sampled: &'a [(Range<usize>, f32)],
    span: &Range<usize>,
) -> impl Iterator<Item = &'a (Range<usize>, f32)> {
    let first = sampled.partition_point(|(at, _)| at.end <= span.start);
    let end = span.end;
    sampled[first..]
        .iter()
        .take_while(move |(at, _)| at.start < end)
}

/// Byte ranges of the words of a text; with `whole`, the entire text is one word.
fn words(text: &str, span: &Range<usize>, whole: bool) -> Vec<Range<usize>> {
    if whole {
        return vec![span.clone()];
    }
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text[span.clone()].char_indices() {
        let at = span.start + at;
        match (c.is_whitespace(), start) {
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    words.extend(start.map(|from| from..span.end));
    words
}
