//! Reads and writes rows of the journal's tables, inside the caller's transaction.

pub mod answers;
pub mod computed;
pub mod drafts;
pub mod groups;
pub mod judgments;
pub mod meta;
pub mod records;
pub mod states;
pub mod steps;

use super::errors::unreadable;
use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable("writing a value", error))
}

pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable("reading a value", error))
}

/// Serializes a value as a statement parameter; the statement reports a serialization error.
pub fn json_value<T: Serialize>(value: &T) -> Json {
    Json(serde_json::to_string(value))
}

pub struct Json(serde_json::Result<String>);

impl rusqlite::ToSql for Json {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match &self.0 {
            Ok(text) => text.to_sql(),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(
                error.to_string().into(),
            )),
        }
    }
}
