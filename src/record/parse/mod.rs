//! Parses answers into labels, and token probabilities into confidence.

mod answer;
mod confidence;
mod reader;

pub use answer::AnswerForm;
pub use confidence::{Token, confidence};

use super::normalize::split_list;
use super::{Failure, FailureCode, FailureDetail, Field, Labels, Reason, ReasonSource};
use crate::text::clean_text;
use reader::{JsonReader, Node, Text};

/// The number of opening braces to try before giving up on an answer.
const MAX_TRIES: usize = 8;
/// The length of the excerpt of an unreadable answer in an error, in characters.
const MAX_SHOWN: usize = 120;

/// A parsed answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The labels as the model wrote them, not yet normalized.
    pub labels: Labels,
    /// Whether the answer ended prematurely. List entries that were cut off are dropped.
    pub cut: bool,
    /// Whether the answer was not plain JSON (code fences, surrounding text, wrong quotes or
    /// commas).
    pub repaired: bool,
}

/// Parses an answer, which is an object or an array (see [`AnswerForm::Values`]). Under a grammar
/// it is plain JSON. Without one, it may have a Markdown fence or text around it, lack keys, or
/// stop early; whatever can be read is used.
///
/// # Errors
/// If there is no `label_ko`.
pub fn parse(text: &str) -> Result<Parsed, Failure> {
    let Some((node, cut, repaired)) = object(text) else {
        let answer = beginning(text);
        return Err(failure(FailureDetail::NoJsonInAnswer { answer }));
    };
    let labels = labels(&node);
    if clean_text(labels.label_ko()).is_empty() {
        let answer = beginning(text);
        return Err(failure(FailureDetail::NoLabelInAnswer { answer }));
    }
    Ok(Parsed {
        labels,
        cut,
        repaired,
    })
}

/// The first object with a `label_ko`, and whether it was cut and repaired.
fn object(text: &str) -> Option<(Node, bool, bool)> {
    let opens = text.match_indices('{').map(|(at, _)| at);
    let mut tried = opens.take(MAX_TRIES).filter_map(|at| {
        let (node, reader) = JsonReader::read(text, at);
        let node = node.filter(|node| node.get("label_ko").is_some())?;
        let before = !text[..at].trim().is_empty();
        Some((node, reader.cut, reader.repaired || before))
    });
    tried.next().or_else(|| values(text))
}

/// The first array, converted to an object. An array that was cut must have no text before it.
fn values(text: &str) -> Option<(Node, bool, bool)> {
    let at = text.find('[')?;
    let (Some(Node::List(nodes)), reader) = JsonReader::read(text, at) else {
        return None;
    };
    let before = !text[..at].trim().is_empty();
    let node = answer::keyed(nodes, reader.cut && !before, text)?;
    Some((node, reader.cut, reader.repaired || before))
}

fn labels(node: &Node) -> Labels {
    let mut labels = Labels::default();
    for &field in Field::ALL {
        let found = find(node, field);
        match field.is_list() {
            true => labels.set(field, strings(found)),
            false => labels.set(field, string(found)),
        }
    }
    labels.model_reasons = strings(reasons(node))
        .iter()
        .filter_map(|code| Reason::parse(code.trim()))
        .filter(|reason| reason.source() == ReasonSource::Model)
        .collect();
    labels
}

/// The node of a field. Some models omit the nested object and put its keys at the top level.
fn find(node: &Node, field: Field) -> Option<&Node> {
    let inner = field.spec().object.and_then(|object| node.get(object));
    let inner = inner.filter(|inner| matches!(inner, Node::Map(_)));
    inner.unwrap_or(node).get(field.key())
}

fn reasons(node: &Node) -> Option<&Node> {
    node.get("quality_flags")
        .and_then(|flags| flags.get(answer::REASONS))
        .or_else(|| node.get(answer::REASONS))
}

/// A text, or the first text of a list.
fn string(node: Option<&Node>) -> Option<String> {
    match node? {
        Node::Text(text) => Some(text.value.clone()),
        Node::List(nodes) => nodes.iter().find_map(|node| string(Some(node))),
        _ => None,
    }
}

/// The complete texts of a list, or of a text that is a comma-separated list.
fn strings(node: Option<&Node>) -> Vec<String> {
    match node {
        Some(Node::List(nodes)) => nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) if text.whole => Some(text.value.clone()),
                _ => None,
            })
            .collect(),
        Some(Node::Text(Text {
            value, whole: true, ..
        })) => split_list(value).map(str::to_string).collect(),
        _ => Vec::new(),
    }
}

fn failure(detail: FailureDetail) -> Failure {
    Failure {
        code: FailureCode::InvalidJson,
        detail,
    }
}

/// The beginning of an answer, for display.
fn beginning(text: &str) -> String {
    let shown = clean_text(text);
    let head: String = shown.chars().take(MAX_SHOWN).collect();
    let more = if head.len() < shown.len() { "…" } else { "" };
    format!("{head}{more}")
}

/// Completes an answer that the token limit cut off, so that it is an object with every key. The
/// incomplete value is dropped, except for the label, which gets the item's name if that is
/// missing. A complete answer is returned unchanged.
pub fn complete(text: &str, name: Option<&str>) -> String {
    let node = match object(text) {
        Some((_, false, _)) => return text.to_string(),
        Some((node, ..)) => node,
        None => Node::Null,
    };
    let mut label = string(node.get("label_ko")).unwrap_or_default();
    if let Some(name) = name.filter(|name| !label.contains(name)) {
        let partial_name = label
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| name.starts_with(&label[at..]))
            .unwrap_or(label.len());
        label.truncate(partial_name);
        label = format!("{} {name}", label.trim_end()).trim().to_string();
    }
    let mut labels = labels(&node).with(Field::LabelKo, [label]);
    for &field in Field::ALL.iter().filter(|field| !field.is_required()) {
        if matches!(find(&node, field), Some(Node::Text(text)) if !text.whole) {
            labels.set(field, None::<String>);
        }
    }
    AnswerForm::Record.write(&labels)
}

#[cfg(test)]
mod tests;
