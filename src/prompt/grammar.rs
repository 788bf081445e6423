//! The grammar of an answer: a JSON Schema that the local model is held to token by token, and
//! that servers get as `response_format`. It keeps to what their engines (llguidance, xgrammar,
//! llama.cpp) take: no `uniqueItems`, no `$ref`, plain regular expressions.

use crate::record::{ColorHistogram, Field, Kind, Reason, Vocabulary};
use crate::settings::Lang;
use crate::text::Language;
use serde_json::{Map, Value, json};

/// A longer item name, in characters, is not forced into the label; the rules then say so.
pub const MAX_NAME: usize = 120;

/// What the model says of its own answer.
const FLAGS: &str = "quality_flags";

/// The part of a record that a model writes. Bounds are tighter than the record's own, so that an
/// answer is short and cannot run on.
///
/// With `name` the label holds it verbatim, words before or after it. Korean texts are words of
/// Hangul and digits with single blanks between them; Latin letters are let in only where the name
/// has some, so that no other script and no control character can get in. Attributes may be empty,
/// for a model that cannot tell; a `strict` attempt has to choose. With the icon's `colors` only
/// words that its pixels allow are color words.
pub fn schema(
    vocabulary: &Vocabulary,
    lang: Lang,
    name: Option<&str>,
    colors: Option<&ColorHistogram>,
    strict: bool,
) -> Value {
    let name = name.filter(|name| !name.is_empty());
    let latin = name.is_some_and(|name| name.chars().any(|c| c.is_ascii_alphabetic()));
    let letter = if latin {
        "[가-힣0-9A-Za-z]"
    } else {
        "[가-힣0-9]"
    };
    let phrase = |least: usize, most: usize| {
        text(format!(
            "^{letter}{{1,8}}( {letter}{{1,8}}){{{},{}}}$",
            least - 1,
            most - 1
        ))
    };
    let label = match name.filter(|name| name.chars().count() <= MAX_NAME) {
        Some(name) => label_with_name(letter, name),
        None => format!("^({letter}{{1,8}},? ){{3,10}}{letter}{{1,8}}\\.?$"),
    };
    let label_en = match lang {
        Lang::Ko => json!({"type": "null"}),
        Lang::En | Lang::Both => text("^[A-Z][A-Za-z0-9 ,'-]{15,110}\\.$".into()),
    };
    let value = |field: Field| {
        let (least, most) = field.spec().answer;
        let one = match field.spec().kind {
            Kind::Sentence(Language::Korean) => text(label.clone()),
            Kind::Sentence(Language::English) => label_en.clone(),
            Kind::Keywords => phrase(1, 3),
            Kind::Phrases => phrase(1, 5),
            Kind::Words(_) => one_of(&words(vocabulary, field, colors)),
        };
        match field.is_list() {
            true => list(one, least.max(strict.into()), most),
            false => one,
        }
    };
    let mut properties = Vec::new();
    for (name, fields) in Field::by_object() {
        let fields = fields.iter().map(|&field| (field.key(), value(field)));
        match name {
            Some(name) => properties.push((name, object(fields))),
            None => properties.extend(fields),
        }
    }
    let flags = json!({"anyOf": [flags(false), flags(true)]});
    properties.push((FLAGS, flags));
    object(properties)
}

/// The schema of a second opinion on an answer of this schema: without what it need not say.
pub fn opinion_schema(mut schema: Value) -> Value {
    let left_out = Field::ALL.iter().filter(|field| !field.is_in_opinions());
    for key in left_out.map(|field| field.key()).chain([FLAGS]) {
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.shift_remove(key);
        }
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|other| other != key);
        }
    }
    schema
}

/// The words of the field; of the colors, those that the icon's pixels allow if they allow any.
fn words<'a>(
    vocabulary: &'a Vocabulary,
    field: Field,
    colors: Option<&ColorHistogram>,
) -> Vec<&'a str> {
    if field == Field::Colors
        && let Some(colors) = colors
    {
        let allowed = colors.allowed(vocabulary);
        if !allowed.is_empty() {
            return allowed.iter().map(|word| word.word.as_str()).collect();
        }
    }
    vocabulary.words(field).collect()
}

/// At least two words besides the name: before it, or after it and its particle.
fn label_with_name(letter: &str, name: &str) -> String {
    let name = escape(name);
    let particle = "[가-힣]{0,4}";
    format!(
        "^(({letter}{{1,10}},? ){{2,7}}{name}{particle}( {letter}{{1,8}}){{0,4}}\
         |{name}{particle},?( {letter}{{1,8}},?){{1,8}} {letter}{{1,8}})\\.?$"
    )
}

fn flags(uncertain: bool) -> Value {
    let reasons: Vec<&str> = Reason::ALL
        .iter()
        .filter(|reason| reason.said_by_model())
        .map(|reason| reason.code())
        .collect();
    let most = if uncertain { reasons.len() } else { 0 };
    object([
        (
            "is_uncertain",
            json!({"type": "boolean", "enum": [uncertain]}),
        ),
        ("reasons", list(one_of(&reasons), uncertain.into(), most)),
    ])
}

fn text(pattern: String) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

fn list(items: Value, least: usize, most: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": least, "maxItems": most})
}

fn object<'a>(properties: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text as a regular expression for itself.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
