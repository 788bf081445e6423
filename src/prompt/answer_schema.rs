//! Builds the grammar of an answer: a JSON Schema that constrains the local model token by token and
//! is sent to servers as `response_format`. It only uses features that all engines (llguidance,
//! xgrammar, llama.cpp) support: no `uniqueItems`, no `$ref`, plain regular expressions.

use super::options::Lang;
use crate::record::{AnswerForm, ColorHistogram, Field, Kind, Reason, ReasonSource, Vocabulary};
use crate::text::Language;
use serde_json::{Map, Value, json};

/// Length in characters up to which an item name is forced into the label. The rules flag a label
/// without it.
pub const MAX_NAME: usize = 120;

/// Key of the model's assessment of its own answer.
const FLAGS: &str = "quality_flags";

/// Builds the schema of an answer: the fields of a record that the model generates. Bounds are tighter
/// than those of the record, so that answers are short.
///
/// With `name` the label contains it verbatim, with words before or after it. Korean text consists of
/// words of Hangul and digits separated by single spaces. Latin letters are allowed only if the name
/// has some; other scripts and control characters never are. Attributes may be empty unless `strict`.
/// With the icon's `colors`, only color words that match its pixels are allowed.
pub fn schema(
    form: AnswerForm,
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
    let phrase = |min: usize, max: usize| {
        format!(
            "{letter}{{1,8}}( {letter}{{1,8}}){{{},{}}}",
            min - 1,
            max - 1
        )
    };
    let one = |field: Field| match field.spec().kind {
        Kind::Sentence(Language::Korean) => {
            OneValue::Pattern(match name.filter(|name| name.chars().count() <= MAX_NAME) {
                Some(name) => label_with_name(letter, name),
                None => format!("({letter}{{1,8}},? ){{3,10}}{letter}{{1,8}}\\.?"),
            })
        }
        Kind::Sentence(Language::English) => match lang {
            Lang::Ko => OneValue::Null,
            Lang::En | Lang::Both => OneValue::Pattern("[A-Z][A-Za-z0-9 ,'-]{15,110}\\.".into()),
        },
        Kind::Keywords => OneValue::Pattern(phrase(1, 3)),
        Kind::Phrases => OneValue::Pattern(phrase(1, 5)),
        Kind::Words(_) => OneValue::Word(words(vocabulary, field, colors)),
    };
    let bounds = |field: Field| {
        let (min, max) = field.spec().answer;
        (min.max(strict.into()), max)
    };
    match form {
        AnswerForm::Record => record(|field| match field.is_list() {
            true => list(one(field).schema(), bounds(field)),
            false => one(field).schema(),
        }),
        AnswerForm::Values => {
            let texts = AnswerForm::places().filter_map(|place| match place {
                None => Some(OneValue::Word(model_reasons()).list((0, model_reasons().len()))),
                Some(field) => match one(field) {
                    OneValue::Null => None,
                    value if field.is_list() => Some(value.list(bounds(field))),
                    value => Some(value.schema()),
                },
            });
            let texts: Vec<Value> = texts.collect();
            let count = texts.len();
            json!({"type": "array", "prefixItems": texts, "items": false,
                   "minItems": count, "maxItems": count})
        }
    }
}

/// The allowed values of a field.
enum OneValue<'a> {
    Null,
    /// A text that matches this regular expression.
    Pattern(String),
    Word(Vec<&'a str>),
}

impl OneValue<'_> {
    fn schema(&self) -> Value {
        match self {
            Self::Null => json!({"type": "null"}),
            Self::Pattern(pattern) => text(format!("^{pattern}$")),
            Self::Word(words) => one_of(words),
        }
    }

    /// The schema of several values as one comma-separated text.
    fn list(&self, (min, max): (usize, usize)) -> Value {
        let one = match self {
            Self::Pattern(pattern) => format!("({pattern})"),
            Self::Word(words) if !words.is_empty() => {
                let words: Vec<String> = words.iter().map(|word| escape(word)).collect();
                format!("({})", words.join("|"))
            }
            Self::Null | Self::Word(_) => return one_of(&[""]),
        };
        let more = format!("(,{one}){{{},{}}}", min.max(1) - 1, max.max(1) - 1);
        text(match min {
            0 => format!("^({one}{more})?$"),
            _ => format!("^{one}{more}$"),
        })
    }
}

/// Builds the object schema of a record from the schema of each field.
fn record(value: impl Fn(Field) -> Value) -> Value {
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

/// Reduces the schema of an answer to that of a second opinion, which omits some fields.
pub fn opinion_schema(mut schema: Value) -> Value {
    if let Some(texts) = schema.get_mut("prefixItems").and_then(Value::as_array_mut) {
        for (place, text) in AnswerForm::places().zip(texts) {
            if !place.is_some_and(Field::is_in_opinions) {
                *text = one_of(&[""]);
            }
        }
        return schema;
    }
    let omitted = Field::ALL.iter().filter(|field| !field.is_in_opinions());
    for key in omitted.map(|field| field.key()).chain([FLAGS]) {
        if let Some(properties) = schema["properties"].as_object_mut() {
            properties.shift_remove(key);
        }
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|other| other != key);
        }
    }
    schema
}

/// Lists the words of a field. Colors are limited to those that match the icon's pixels, if any do.
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

/// Pattern of a label with at least two words besides the name: before it, or after it and its
/// particle.
fn label_with_name(letter: &str, name: &str) -> String {
    let name = escape(name);
    let particle = "[가-힣]{0,4}";
    format!(
        "(({letter}{{1,10}},? ){{2,7}}{name}{particle}( {letter}{{1,8}}){{0,4}}\
         |{name}{particle},?( {letter}{{1,8}},?){{1,8}} {letter}{{1,8}})\\.?"
    )
}

/// Codes of the reasons that a model may report about its own answer.
fn model_reasons() -> Vec<&'static str> {
    let reported = Reason::ALL
        .iter()
        .filter(|reason| reason.source() == ReasonSource::Model);
    reported.map(|reason| reason.code()).collect()
}

fn flags(uncertain: bool) -> Value {
    let reasons = model_reasons();
    let max = if uncertain { reasons.len() } else { 0 };
    object([
        (
            "is_uncertain",
            json!({"type": "boolean", "enum": [uncertain]}),
        ),
        ("reasons", list(one_of(&reasons), (uncertain.into(), max))),
    ])
}

fn text(pattern: String) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

fn list(items: Value, (min, max): (usize, usize)) -> Value {
    json!({"type": "array", "items": items, "minItems": min, "maxItems": max})
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

/// Escapes a text for use in a regular expression.
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
