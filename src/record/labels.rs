//! The labels that a model or an operator writes for an icon, and the exported record.

use super::{Field, Reason, SourceType};
use crate::text::sha256_in;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

const MODEL_REASONS: &str = "model_reasons";

/// The part of a record that a model writes and an operator edits: values by [`Field`]. Its JSON
/// form has the keys of a record plus `model_reasons`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    values: [Vec<String>; Field::COUNT],
    /// Reasons that the model reported. The rules find more.
    pub model_reasons: Vec<Reason>,
}

impl Labels {
    /// The values of a list field, or at most one value for any other field.
    pub fn values(&self, field: Field) -> &[String] {
        &self.values[field as usize]
    }

    /// The first value of a field.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.values(field).first().map(String::as_str)
    }

    /// The Korean label; empty if there is none.
    pub fn label_ko(&self) -> &str {
        self.text(Field::LabelKo).unwrap_or_default()
    }

    /// Sets the values of a field without normalizing them. A field that is not a list keeps only
    /// the first.
    pub fn set<T: Into<String>>(&mut self, field: Field, values: impl IntoIterator<Item = T>) {
        let max = if field.is_list() { usize::MAX } else { 1 };
        let values = values.into_iter().map(Into::into).take(max);
        // For a required field, an empty text means that there is none.
        let values = values.filter(|text: &String| !field.is_required() || !text.is_empty());
        self.values[field as usize] = values.collect();
    }

    /// These labels with the field set.
    pub fn with<T: Into<String>>(
        mut self,
        field: Field,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.set(field, values);
        self
    }

    /// The fields in which these labels differ from `other`.
    pub fn differing(&self, other: &Labels) -> Vec<Field> {
        let fields = Field::ALL.iter().copied();
        fields
            .filter(|field| self.values(*field) != other.values(*field))
            .collect()
    }

    /// Serializes the fields under the keys of a record, in record order.
    pub(super) fn serialize_fields<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        self.write_fields(&mut map)?;
        map.end()
    }

    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (object, fields) in Field::by_object() {
            match object {
                Some(name) => map.serialize_entry(name, &Object(self, fields))?,
                None => {
                    for &field in fields {
                        map.serialize_entry(field.key(), &Values(self, field))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        self.write_fields(&mut map)?;
        map.serialize_entry(MODEL_REASONS, &self.model_reasons)?;
        map.end()
    }
}

/// The fields of a nested object of a record.
struct Object<'a>(&'a Labels, &'a [Field]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(labels, fields) = *self;
        to.collect_map(
            fields
                .iter()
                .map(|&field| (field.key(), Values(labels, field))),
        )
    }
}

/// The JSON value of one field.
struct Values<'a>(&'a Labels, Field);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(labels, field) = *self;
        if field.is_list() {
            return labels.values(field).serialize(to);
        }
        match labels.text(field) {
            None if field.is_required() => to.serialize_str(""),
            text => text.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Labels {
    /// A missing field is empty, since older versions did not have it. Only the Korean label is
    /// required.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut labels = Labels::default();
        let mut reader = ReadFields {
            labels: &mut labels,
            object: None,
            has_label: false,
        };
        (&mut reader).deserialize(from)?;
        match reader.has_label {
            true => Ok(labels),
            false => Err(D::Error::missing_field(Field::LabelKo.key())),
        }
    }
}

/// Reads the fields of a record or of a nested object.
struct ReadFields<'a> {
    labels: &'a mut Labels,
    object: Option<&'static str>,
    has_label: bool,
}

impl ReadFields<'_> {
    /// The nested object at this key.
    fn inner(&self, key: &str) -> Option<&'static str> {
        let mut objects = Field::by_object().filter_map(|(object, _)| object);
        objects.find(|object| self.object.is_none() && *object == key)
    }
}

impl<'de> DeserializeSeed<'de> for &mut ReadFields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut ReadFields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the fields of a record")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match Field::at(self.object, &key) {
                Some(field) if field.is_list() => {
                    self.labels.set(field, map.next_value::<Vec<String>>()?);
                }
                Some(field) if field.is_required() => {
                    self.has_label = true;
                    self.labels.set(field, [map.next_value::<String>()?]);
                }
                Some(field) => self.labels.set(field, map.next_value::<Option<String>>()?),
                None if self.object.is_none() && key == MODEL_REASONS => {
                    self.labels.model_reasons = map.next_value()?;
                }
                None => match self.inner(&key) {
                    Some(object) => map.next_value_seed(&mut ReadFields {
                        labels: &mut *self.labels,
                        object: Some(object),
                        has_label: false,
                    })?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityFlags {
    pub is_uncertain: bool,
    pub reasons: Vec<Reason>,
}

/// One line of `labels.jsonl`: exactly these keys, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub image_path: String,
    #[serde(default, deserialize_with = "read_sha256")]
    pub image_sha256: Option<String>,
    pub source_type: SourceType,
    pub item_name: String,
    pub item_description: Option<String>,
    /// Without `model_reasons`, which are among the quality flags.
    #[serde(flatten, serialize_with = "Labels::serialize_fields")]
    pub labels: Labels,
    pub quality_flags: QualityFlags,
    pub model: String,
    pub prompt_version: String,
    /// RFC 3339, UTC.
    pub generated_at: String,
}

/// Reads the hash of a record in lower case. Other texts count as missing.
pub fn read_sha256<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| sha256_in(&text)))
}

impl Record {
    /// Key that identifies the image across runs: its hash, or its path if there is no hash.
    pub fn image(&self) -> String {
        match &self.image_sha256 {
            Some(hash) => hash.clone(),
            None => format!("path {}", self.image_path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;

    const LABELS: &str = r#"{"label_ko":"붉은 천에 흰 리본이 달린 모자","label_en":null,"tags_ko":["모자","빨간색","리본","겨울","눈꽃"],"attributes":{"colors":["red"],"theme":["winter"],"material":["fabric"],"vibe":["cute"],"item_type_guess":"hat"},"query_variants_ko":["빨간 모자","리본 모자","겨울 모자"],"model_reasons":[]}"#;

    #[test]
    fn labels_are_stored_with_the_keys_of_a_record() {
        let stored = serde_json::to_string(&labels("모자")).unwrap();
        assert_eq!(stored, LABELS);
        assert_eq!(
            serde_json::from_str::<Labels>(LABELS).unwrap(),
            labels("모자")
        );
        let empty = serde_json::to_string(&Labels::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Labels>(&empty).unwrap(),
            Labels::default()
        );
    }

    #[test]
    fn a_record_has_exactly_its_keys_in_order() {
        let line = format!(
            "{}{},{}",
            r#"{"image_path":"a.png","image_sha256":null,"source_type":"cash","item_name":"모자","item_description":null,"#,
            LABELS[1..].split_once(",\"model_reasons").unwrap().0,
            r#""quality_flags":{"is_uncertain":false,"reasons":[]},"model":"m","prompt_version":"v2","generated_at":"2026-01-10T00:00:00Z"}"#,
        );
        let record: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(record.labels, labels("모자"));
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }

    #[test]
    fn labels_without_a_newer_field_are_read_and_damaged_ones_are_rejected() {
        let before = LABELS.replace("\"vibe\":[\"cute\"],", "");
        let read: Labels = serde_json::from_str(&before).unwrap();
        let none: [&str; 0] = [];
        assert_eq!(read, labels("모자").with(Field::Vibe, none));
        for damaged in [
            LABELS.replace("[\"red\"]", "\"red\""),
            LABELS.replace("\"hat\"", "7"),
            LABELS
                .replace("{\"colors", "[{\"colors")
                .replace("\"hat\"}", "\"hat\"}]"),
            LABELS.replace("\"label_ko\"", "\"label\""),
            "[]".to_owned(),
        ] {
            assert!(
                serde_json::from_str::<Labels>(&damaged).is_err(),
                "{damaged}"
            );
        }
    }
}
