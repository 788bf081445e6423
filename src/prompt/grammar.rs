//! The grammar of an answer: a JSON Schema that the local model is held to token by token, and
//! that servers get as `response_format`. It keeps to what their engines (llguidance, xgrammar,
//! llama.cpp) take: no `uniqueItems`, no `$ref`, plain regular expressions.

use crate::record::{Category, Reason, Vocabulary};
use crate::settings::Lang;
use serde_json::{Map, Value, json};

/// A longer item name, in characters, is not forced into the label; the rules then say so.
pub const MAX_NAME: usize = 120;

/// The part of a record that a model writes. Bounds are tighter than the record's own, so that an
/// answer is short and cannot run on.
///
/// With `name` the label holds it verbatim, words before or after it. Korean texts are words of
/// Hangul and digits with single blanks between them; Latin letters are let in only where the name
/// has some, so that no other script and no control character can get in. Attributes may be empty,
/// for a model that cannot tell; a `strict` attempt has to choose.
pub fn schema(vocabulary: &Vocabulary, lang: Lang, name: Option<&str>, strict: bool) -> Value {
    let name = name.filter(|name| !name.is_empty());
    let latin = name.is_some_and(|name| name.chars().any(|c| c.is_ascii_alphabetic()));
    let letter = if latin {
        "[가-힣0-9A-Za-z]"
    } else {
        "[가-힣0-9]"
    };
    let words = |category| {
        let words: Vec<&str> = vocabulary.words(category).collect();
        json!({"type": "string", "enum": words})
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
    let least = strict.into();
    let label_en = match lang {
        Lang::Ko => json!({"type": "null"}),
        Lang::En | Lang::Both => text("^[A-Z][A-Za-z0-9 ,'-]{15,110}\\.$".into()),
    };
    object([
        ("label_ko", text(label)),
        ("label_en", label_en),
        ("tags_ko", list(phrase(1, 3), 5, 8)),
        (
            "attributes",
            object([
                ("colors", list(words(Category::Color), least, 4)),
                ("theme", list(words(Category::Theme), least, 2)),
                ("material", list(words(Category::Material), least, 3)),
                ("vibe", list(words(Category::Vibe), least, 3)),
                ("item_type_guess", words(Category::ItemType)),
            ]),
        ),
        ("query_variants_ko", list(phrase(1, 5), 3, 5)),
        (
            "quality_flags",
            json!({"anyOf": [flags(false), flags(true)]}),
        ),
    ])
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
        (
            "reasons",
            list(
                json!({"type": "string", "enum": reasons}),
                uncertain.into(),
                most,
            ),
        ),
    ])
}

fn text(pattern: String) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn list(items: Value, least: usize, most: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": least, "maxItems": most})
}

fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()))
        .collect();
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
