//! What the model was sure of: the probabilities of the tokens that it chose, field by field.

use super::reader::{Node, Text};
use crate::record::rules::WEAK_TOKEN;
use crate::record::{Field, FieldConfidence};
use std::ops::Range;

/// At most this many words of a field are named as weak ones.
const MOST_WEAK: usize = 8;

/// Bytes of a token, natural log of its probability where known, and whether the grammar forced it.
pub type Token<'a> = (&'a [u8], Option<f32>, bool);

/// How sure the model was of each field of the answer. Fields that no chosen token stands in are
/// left out, and so is what follows after the tokens stop being the text (a completed answer).
pub fn confidence<'a>(
    text: &str,
    tokens: impl IntoIterator<Item = Token<'a>>,
) -> Vec<FieldConfidence> {
    let chosen = chosen(text, tokens);
    if chosen.is_empty() {
        return Vec::new();
    }
    let Some((node, ..)) = super::object(text) else {
        return Vec::new();
    };
    Field::ALL
        .iter()
        .filter_map(|&field| of_field(text, field, &texts(&node, field), &chosen))
        .collect()
}

/// Where the chosen tokens stand in the text, with their log probabilities.
fn chosen<'a>(text: &str, tokens: impl IntoIterator<Item = Token<'a>>) -> Vec<(Range<usize>, f32)> {
    let mut chosen = Vec::new();
    let mut at = 0;
    for (bytes, logprob, forced) in tokens {
        let span = at..at + bytes.len();
        if text.as_bytes().get(span.clone()) != Some(bytes) {
            break;
        }
        at = span.end;
        if let Some(logprob) = logprob.filter(|logprob| !forced && !logprob.is_nan()) {
            chosen.push((span, logprob.min(0.0)));
        }
    }
    chosen
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
    chosen: &[(Range<usize>, f32)],
) -> Option<FieldConfidence> {
    let mut sum = 0.0;
    let mut count = 0usize;
    let mut weakest = 0.0f32;
    let mut weak_words = Vec::new();
    for part in texts {
        for (_, logprob) in within(chosen, &part.span) {
            sum += logprob;
            count += 1;
            weakest = weakest.min(*logprob);
        }
        for word in words(text, &part.span, field.words().is_some()) {
            let weak = within(chosen, &word).any(|(_, logprob)| logprob.exp() < WEAK_TOKEN);
            let word = text[word].trim_matches(|c: char| !c.is_alphanumeric());
            if weak && !word.is_empty() && !weak_words.iter().any(|known| known == word) {
                weak_words.push(word.to_string());
            }
        }
    }
    weak_words.truncate(MOST_WEAK);
    (count > 0).then(|| FieldConfidence {
        field,
        mean: (sum / count as f32).exp(),
        weakest: weakest.exp(),
        weak_words,
    })
}

/// The tokens that share a byte with the span; both are in order.
fn within<'a>(
    chosen: &'a [(Range<usize>, f32)],
    span: &Range<usize>,
) -> impl Iterator<Item = &'a (Range<usize>, f32)> {
    let first = chosen.partition_point(|(at, _)| at.end <= span.start);
    let end = span.end;
    chosen[first..]
        .iter()
        .take_while(move |(at, _)| at.start < end)
}

/// The words of a text; an attribute is one word even where it holds a blank.
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
