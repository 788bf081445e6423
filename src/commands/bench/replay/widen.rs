//! Grammars for answers that the real one does not allow: records of other programs have fewer
//! tags, or a name alone as label.

use crate::error::{Context, ErrorKind, Result};
use crate::labeler::grammar::GrammarCompiler;
use crate::record::{AnswerForm, Field};
use serde_json::{Value, json};
use std::sync::Arc;

/// Whether an answer follows the schema.
pub fn allows(schema: &Arc<Value>, answer: &str) -> Result<bool> {
    let mut grammar = GrammarCompiler::for_checking()?.compile(schema)?;
    let mut bytes = answer.bytes();
    Ok(bytes.all(|byte| grammar.advance(byte.into()).is_ok()) && grammar.is_finished())
}

/// The fields of an answer that the schema does not allow.
pub fn beyond(schema: &Value, answer: &str) -> Result<Vec<String>> {
    let doing = "reading an answer that was just written";
    let answer: Value = serde_json::from_str(answer).context(ErrorKind::Internal, doing)?;
    let mut fields = Vec::new();
    collect(schema, &answer, "", &mut fields)?;
    Ok(fields)
}

fn collect(schema: &Value, answer: &Value, name: &str, fields: &mut Vec<String>) -> Result<()> {
    match (answer, schema.get("properties"), schema.get("prefixItems")) {
        (Value::Object(parts), Some(properties), _) => {
            for (key, part) in parts {
                collect(&properties[key], part, key, fields)?;
            }
        }
        (Value::Array(texts), _, Some(places)) => {
            let names = AnswerForm::places().map(|place| place.map_or("reasons", Field::key));
            for ((index, text), name) in texts.iter().enumerate().zip(names) {
                collect(&places[index], text, name, fields)?;
            }
        }
        _ if allows(&Arc::new(schema.clone()), &answer.to_string())? => {}
        _ => fields.push(name.to_owned()),
    }
    Ok(())
}

/// The schema with what this answer needs besides: it allows both.
pub fn widened(schema: &Value, answer: &str) -> Result<Value> {
    let doing = "reading an answer that was just written";
    let answer: Value = serde_json::from_str(answer).context(ErrorKind::Internal, doing)?;
    let mut schema = schema.clone();
    widen(&mut schema, &answer);
    Ok(schema)
}

fn widen(schema: &mut Value, answer: &Value) {
    match answer {
        Value::Object(fields) => {
            let known = schema.get_mut("properties").into_iter();
            for properties in known.filter_map(Value::as_object_mut) {
                for (key, answer) in fields {
                    if let Some(schema) = properties.get_mut(key) {
                        widen(schema, answer);
                    }
                }
            }
        }
        Value::Array(values) => {
            if let Some(texts) = schema.get_mut("prefixItems").and_then(Value::as_array_mut) {
                for (schema, answer) in texts.iter_mut().zip(values) {
                    widen(schema, answer);
                }
                return;
            }
            let count = values.len() as u64;
            let bound = |schema: &Value, key: &str| schema.get(key).and_then(Value::as_u64);
            if bound(schema, "minItems").is_some_and(|least| least > count) {
                schema["minItems"] = json!(count);
            } else if bound(schema, "maxItems").is_some_and(|most| most < count) {
                schema["maxItems"] = json!(count);
            }
            if let Some(items) = schema.get_mut("items") {
                for value in values {
                    widen(items, value);
                }
            }
        }
        Value::String(text) => {
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                if !words.contains(answer) {
                    words.push(answer.clone());
                }
            } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
                schema["pattern"] = json!(format!("^(({pattern})|{})$", escaped(text)));
            }
        }
        Value::Null if schema.get("type").is_some_and(|kind| kind != "null") => {
            *schema = json!({"anyOf": [schema.take(), {"type": "null"}]});
        }
        // Whether it is uncertain: both are allowed.
        _ => {}
    }
}

/// A text as a regular expression for itself.
fn escaped(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| {
        let special = r"\.+*?()|[]{}^$".contains(c);
        special.then_some('\\').into_iter().chain([c])
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::schema;
    use crate::record::{Labels, Vocabulary};
    use crate::settings::Lang;

    #[test]
    fn what_another_program_wrote_is_allowed_in_either_form() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let name = "별빛 (모자)";
        let lawful = Labels::default()
            .with(Field::LabelKo, ["붉은 리본이 달린 별빛 (모자)"])
            .with(Field::TagsKo, ["모자", "별", "빨강", "리본", "천"])
            .with(Field::ItemTypeGuess, ["hat"])
            .with(
                Field::QueryVariantsKo,
                ["빨간 모자", "별 모자", "리본 모자"],
            );
        let odd = lawful
            .clone()
            .with(Field::LabelKo, [name])
            .with(Field::TagsKo, ["Hat!"])
            .with(Field::Colors, ["mauve-ish"])
            .with(Field::ItemTypeGuess, None::<String>);
        for form in [AnswerForm::Record, AnswerForm::Values] {
            let schema = schema(form, &vocabulary, Lang::Ko, Some(name), None, false);
            let schema = Arc::new(schema);
            assert!(allows(&schema, &form.write(&lawful)).unwrap(), "{form:?}");
            let text = form.write(&odd);
            assert!(!allows(&schema, &text).unwrap());
            assert!(beyond(&schema, &form.write(&lawful)).unwrap().is_empty());
            let mut fields = beyond(&schema, &text).unwrap();
            fields.sort();
            assert_eq!(fields, ["colors", "item_type_guess", "label_ko", "tags_ko"]);
            let wide = Arc::new(widened(&schema, &text).unwrap());
            assert!(allows(&wide, &text).unwrap(), "{text}");
            assert!(allows(&wide, &form.write(&lawful)).unwrap());
            assert!(!allows(&wide, &text.replace("Hat!", "Cap!")).unwrap());
        }
    }
}
