//! From the text of an answer to labels, and from its tokens to what the model was sure of.

mod answer;
mod confidence;
mod reader;

pub use answer::AnswerForm;
pub use confidence::{Token, confidence};

use super::normalize::split_list;
use super::{Failure, FailureCode, Field, Labels, Reason};
use crate::text::clean_text;
use reader::{Node, Reader, Text};

/// How many opening braces are tried before an answer is given up.
const MOST_TRIES: usize = 8;
/// How much of a hopeless answer is shown to people, in characters.
const MOST_SHOWN: usize = 120;

/// What could be read out of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// As the model wrote them; [`Labels::normalized`] makes them a record's.
    pub labels: Labels,
    /// The answer ended before its object did. Entries of lists that were cut are left out.
    pub cut: bool,
    /// The answer was not plain JSON (fences, text around, wrong quotes or commas).
    pub repaired: bool,
}

/// Reads an answer. Written under a grammar it is plain JSON; a server without one may have put a
/// Markdown fence or talk around it, left keys out, or stopped early: what is there is taken. An
/// answer without a `label_ko` is a failure. It is an object or, see [`AnswerForm::Values`], an
/// array.
pub fn parse(text: &str) -> Result<Parsed, Failure> {
    let Some((node, cut, repaired)) = object(text) else {
        return Err(failure("no JSON object with label_ko", text));
    };
    let labels = labels(&node);
    if clean_text(labels.label_ko()).is_empty() {
        return Err(failure("label_ko is empty", text));
    }
    Ok(Parsed {
        labels,
        cut,
        repaired,
    })
}

/// The first object that says something of a label, with whether it was cut and repaired.
fn object(text: &str) -> Option<(Node, bool, bool)> {
    let opens = text.match_indices('{').map(|(at, _)| at);
    let mut tried = opens.take(MOST_TRIES).filter_map(|at| {
        let (node, reader) = Reader::read(text, at);
        let node = node.filter(|node| node.get("label_ko").is_some())?;
        let before = !text[..at].trim().is_empty();
        Some((node, reader.cut, reader.repaired || before))
    });
    tried.next().or_else(|| values(text))
}

/// The first array, as an object. One that was cut has to be all there is.
fn values(text: &str) -> Option<(Node, bool, bool)> {
    let at = text.find('[')?;
    let (Some(Node::List(nodes)), reader) = Reader::read(text, at) else {
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
        .filter(|reason| reason.reported_by_model())
        .collect();
    labels
}

/// What the answer says of a field. Some models forget an inner object and put its keys beside
/// the others.
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

/// A single text, or the first of a list.
fn string(node: Option<&Node>) -> Option<String> {
    match node? {
        Node::Text(text) => Some(text.value.clone()),
        Node::List(nodes) => nodes.iter().find_map(|node| string(Some(node))),
        _ => None,
    }
}

/// The whole texts of a list, or of one text with commas in it.
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

fn failure(what: &str, text: &str) -> Failure {
    let shown = clean_text(text);
    let head: String = shown.chars().take(MOST_SHOWN).collect();
    let more = if head.len() < shown.len() { "…" } else { "" };
    Failure {
        code: FailureCode::InvalidJson,
        detail: format!("{what} in the answer: {head}{more}"),
    }
}

/// Finishes an answer that the token limit cut off, so that it is a whole object with every key.
/// What was being written is dropped, except the label: it keeps its words and gets the item's
/// name, if that is missing. A whole answer comes back as it is.
pub fn complete(text: &str, name: Option<&str>) -> String {
    let node = match object(text) {
        Some((_, false, _)) => return text.to_string(),
        Some((node, ..)) => node,
        None => Node::Null,
    };
    let mut label = string(node.get("label_ko")).unwrap_or_default();
    if let Some(name) = name.filter(|name| !label.contains(name)) {
        let begun = label
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| name.starts_with(&label[at..]))
            .unwrap_or(label.len());
        label.truncate(begun);
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
