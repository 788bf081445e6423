//! Parses a line of a `labels.jsonl` that another program wrote. Only the path of the image is
//! required; any other invalid field is dropped.

use crate::record::{Field, Labels, QualityFlags, Reason, Record, SourceType};
use crate::text::{json_line_error, sha256_in, without_non_finite};
use serde_json::{Map, Value};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A record in a line.
#[derive(Debug)]
pub struct ImportedLine {
    /// The text to export: JSON, without a byte order mark.
    pub text: String,
    pub value: Value,
    /// The record, or why the value is not one.
    pub record: Result<Box<Record>, String>,
    /// The line had NaN or Infinity, which is `null` in `text`.
    pub non_finite: bool,
}

/// Parses the record of a line, or several records if the line feeds between them were lost. An
/// error if the line is not JSON.
pub fn read(text: &str) -> Result<Vec<ImportedLine>, String> {
    let (values, non_finite) = match values(text) {
        Ok(values) => (values, false),
        Err(error) => {
            let fixed = without_non_finite(text).and_then(|fixed| values_of(&fixed));
            (fixed.ok_or_else(|| json_line_error(&error))?, true)
        }
    };
    Ok(values
        .into_iter()
        .map(|(value, text)| ImportedLine {
            record: match &value {
                Value::Object(fields) => record(fields).map(Box::new),
                _ => Err("not a JSON object".to_owned()),
            },
            text,
            value,
            non_finite,
        })
        .collect())
}

fn values_of(text: &str) -> Option<Vec<(Value, String)>> {
    values(text).ok()
}

/// Returns the values of a line with their texts, without byte order marks.
fn values(text: &str) -> serde_json::Result<Vec<(Value, String)>> {
    let bare = text.trim_matches(BYTE_ORDER_MARK);
    let error = match serde_json::from_str(bare) {
        // Byte for byte, including whitespace.
        Ok(value) => return Ok(vec![(value, bare.to_owned())]),
        Err(error) => error,
    };
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c == BYTE_ORDER_MARK || c.is_ascii_whitespace());
        if rest.is_empty() {
            return Ok(found);
        }
        let mut next = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match next.next() {
            Some(Ok(value @ Value::Object(_))) => {
                let (own, after) = rest.split_at(next.byte_offset());
                found.push((value, own.to_owned()));
                rest = after;
            }
            _ => return Err(error),
        }
    }
}

fn record(fields: &Map<String, Value>) -> Result<Record, String> {
    let image_path = match fields.get("image_path") {
        Some(Value::String(path)) if !path.trim().is_empty() => path.clone(),
        Some(Value::String(_)) => return Err("image_path is empty".to_owned()),
        Some(_) => return Err("image_path is not a string".to_owned()),
        None => return Err("image_path is missing".to_owned()),
    };
    let none = Map::new();
    let object = |key: &str| match fields.get(key) {
        Some(Value::Object(inner)) => inner,
        _ => &none,
    };
    let mut labels = Labels::default();
    for &field in Field::ALL {
        let holder = field.spec().object.map_or(fields, object);
        match field.is_list() {
            true => labels.set(field, list(holder, field.key())),
            false => labels.set(field, text(holder, field.key())),
        }
    }
    let flags = object("quality_flags");
    Ok(Record {
        image_path,
        image_sha256: text(fields, "image_sha256").and_then(|text| sha256_in(&text)),
        // The source will correct it.
        source_type: text(fields, "source_type")
            .and_then(|text| SourceType::parse(&text))
            .unwrap_or(SourceType::Cash),
        item_name: text(fields, "item_name").unwrap_or_default(),
        item_description: text(fields, "item_description"),
        labels,
        quality_flags: QualityFlags {
            is_uncertain: flags.get("is_uncertain") == Some(&Value::Bool(true)),
            // Unknown codes stay in the exported line but are not shown.
            reasons: list(flags, "reasons")
                .iter()
                .filter_map(|code| Reason::parse(code))
                .collect(),
        },
        model: text(fields, "model").unwrap_or_default(),
        prompt_version: text(fields, "prompt_version").unwrap_or_default(),
        generated_at: text(fields, "generated_at").unwrap_or_default(),
    })
}

fn text(fields: &Map<String, Value>, key: &str) -> Option<String> {
    match fields.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

fn list(fields: &Map<String, Value>, key: &str) -> Vec<String> {
    let Some(Value::Array(values)) = fields.get(key) else {
        return Vec::new();
    };
    let texts = values.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Whether two lines are equal apart from what an export changes: the path of a moved image, and
/// `duplicate_label`, which depends on other records.
pub fn is_same(one: &Value, other: &Value) -> bool {
    one == other || comparable(one) == comparable(other)
}

fn comparable(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("image_path");
    }
    let Some(flags) = value.get_mut("quality_flags") else {
        return value;
    };
    let Some(Value::Array(reasons)) = flags.get_mut("reasons") else {
        return value;
    };
    let before = reasons.len();
    reasons.retain(|code| code.as_str() != Some(Reason::DuplicateLabel.code()));
    let (removed, none_left) = (reasons.len() < before, reasons.is_empty());
    if removed && none_left {
        flags["is_uncertain"] = Value::Bool(false);
    }
    value
}

/// Readable parts of an unreadable line.
#[derive(Debug)]
pub struct Fragment {
    pub image_path: String,
    pub image_sha256: Option<String>,
    pub item_name: Option<String>,
    pub label_ko: Option<String>,
}

pub fn fragment(text: &str) -> Option<Fragment> {
    Some(Fragment {
        image_path: string_after(text, "image_path").filter(|path| !path.trim().is_empty())?,
        image_sha256: string_after(text, "image_sha256").and_then(|text| sha256_in(&text)),
        item_name: string_after(text, "item_name"),
        label_ko: string_after(text, "label_ko"),
    })
}

/// Returns the string that follows `"key":`, if it is complete.
fn string_after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{key}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    // A file name does not contain characters that could not be decoded.
    let found = values.next()?.ok()?;
    (!found.contains(char::REPLACEMENT_CHARACTER)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_on_one_line_are_split() {
        let joined = "\u{feff}{\"image_path\": \"a\"}\u{feff}{\"image_path\": \"b\"} {\"x\":1}\r";
        let lines = read(joined).unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "{\"image_path\": \"a\"}",
                "{\"image_path\": \"b\"}",
                "{\"x\":1}"
            ]
        );
        assert!(lines[1].record.is_ok());
        assert_eq!(
            lines[2].record.as_ref().unwrap_err(),
            "image_path is missing"
        );
        assert!(read("{\"image_path\": \"a\"} and more").is_err());
    }

    #[test]
    fn invalid_fields_are_dropped() {
        let line = r#"{"image_path":"a","item_name":7,"tags_ko":"하나","query_variants_ko":["a",1,null],
            "attributes":[],"quality_flags":{"is_uncertain":"yes","reasons":["few_tags","x",2]},
            "label_ko":"모자"}"#;
        let lines = read(line).unwrap();
        let record = lines[0].record.as_ref().unwrap();
        assert_eq!(record.item_name, "");
        assert!(record.labels.values(Field::TagsKo).is_empty());
        assert_eq!(record.labels.values(Field::QueryVariantsKo), ["a"]);
        assert_eq!(record.labels.label_ko(), "모자");
        assert_eq!(record.quality_flags.reasons, [Reason::FewTags]);
        assert_eq!(lines[0].text, line);
    }

    #[test]
    fn a_hash_is_read_in_lower_case() {
        let (lower, upper) = ("0a".repeat(32), "0A".repeat(32));
        let line =
            format!(r#"{{"image_path": "a", "image_sha256": "{upper}", "label_ko": "모자"}}"#);
        let lines = read(&line).unwrap();
        let record = lines[0].record.as_ref().unwrap();
        assert_eq!(record.image_sha256.as_ref(), Some(&lower));
        assert_eq!(lines[0].text, line);
        let cut = fragment(&line[..line.len() - 2]).unwrap();
        assert_eq!(cut.image_sha256, Some(lower));
    }

    #[test]
    fn the_image_of_a_truncated_line_is_found() {
        let cut =
            r#"{"image_path": "icons/\"모자\".png", "item_name": "모자", "label_ko": "붉은 모"#;
        let found = fragment(cut).unwrap();
        assert_eq!(found.image_path, "icons/\"모자\".png");
        assert_eq!(found.item_name.as_deref(), Some("모자"));
        assert_eq!(found.label_ko, None);
        assert!(fragment("{\"image_path\": \"icons/모").is_none());
        assert!(fragment("{\"image_path\": \"icons/\u{fffd}.png\"").is_none());
    }
}
