//! The grammar of an answer: a JSON Schema that the local model is held to token by token, and
//! that servers get as `response_format`. It keeps to what their engines (llguidance, xgrammar,
//! llama.cpp) take: no `uniqueItems`, no `$ref`, plain regular expressions.

use crate::record::{AnswerForm, ColorHistogram, Field, Kind, Reason, Vocabulary};
use crate::settings::Lang;
use crate::text::Language;
use serde_json::{Map, Value, json};

/// A longer item name, in characters, is not forced into the label; the rules then say so.
pub const MAX_NAME: usize = 120;

/// What the model says of its own answer.
const FLAGS: &str = "quality_flags";

/// The part of a record that a model writes, in the form that it is asked for. Bounds are tighter
/// than the record's own, so that an answer is short and cannot run on.
///
/// With `name` the label holds it verbatim, words before or after it. Korean texts are words of
/// Hangul and digits with single blanks between them; Latin letters are let in only where the name
/// has some, so that no other script and no control character can get in. Attributes may be empty,
/// for a model that cannot tell; a `strict` attempt has to choose. With the icon's `colors` only
/// words that its pixels allow are color words.
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
    let phrase = |least: usize, most: usize| {
        format!(
            "{letter}{{1,8}}( {letter}{{1,8}}){{{},{}}}",
            least - 1,
            most - 1
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
        let (least, most) = field.spec().answer;
        (least.max(strict.into()), most)
    };
    match form {
        AnswerForm::Record => record(|field| match field.is_list() {
            true => list(one(field).schema(), bounds(field)),
            false => one(field).schema(),
        }),
        AnswerForm::Values => {
            let texts = AnswerForm::places().filter_map(|place| match place {
                None => {
                    Some(OneValue::Word(reported_by_model()).list((0, reported_by_model().len())))
                }
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

/// What one value of a field may be.
enum OneValue<'a> {
    Null,
    /// A text of this regular expression.
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

    /// Several of them as one text, with commas between them.
    fn list(&self, (least, most): (usize, usize)) -> Value {
        let one = match self {
            Self::Pattern(pattern) => format!("({pattern})"),
            Self::Word(words) if !words.is_empty() => {
                let words: Vec<String> = words.iter().map(|word| escape(word)).collect();
                format!("({})", words.join("|"))
            }
            Self::Null | Self::Word(_) => return one_of(&[""]),
        };
        let more = format!("(,{one}){{{},{}}}", least.max(1) - 1, most.max(1) - 1);
        text(match least {
            0 => format!("^({one}{more})?$"),
            _ => format!("^{one}{more}$"),
        })
    }
}

/// The object of a record, with what `value` says of each field.
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

/// The schema of a second opinion on an answer of this schema: without what it need not say.
pub fn opinion_schema(mut schema: Value) -> Value {
    if let Some(texts) = schema.get_mut("prefixItems").and_then(Value::as_array_mut) {
        for (place, text) in AnswerForm::places().zip(texts) {
            if !place.is_some_and(Field::is_in_opinions) {
                *text = one_of(&[""]);
            }
        }
        return schema;
    }
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
        "(({letter}{{1,10}},? ){{2,7}}{name}{particle}( {letter}{{1,8}}){{0,4}}\
         |{name}{particle},?( {letter}{{1,8}},?){{1,8}} {letter}{{1,8}})\\.?"
    )
}

/// The reasons that a model may give against its own answer.
fn reported_by_model() -> Vec<&'static str> {
    let said = Reason::ALL
        .iter()
        .filter(|reason| reason.reported_by_model());
    said.map(|reason| reason.code()).collect()
}

fn flags(uncertain: bool) -> Value {
    let reasons = reported_by_model();
    let most = if uncertain { reasons.len() } else { 0 };
    object([
        (
            "is_uncertain",
            json!({"type": "boolean", "enum": [uncertain]}),
        ),
        ("reasons", list(one_of(&reasons), (uncertain.into(), most))),
    ])
}

fn text(pattern: String) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

fn list(items: Value, (least, most): (usize, usize)) -> Value {
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
