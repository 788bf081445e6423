//! Checks the output of a run: validates every line of `labels.jsonl` against the record's schema and
//! compares the lines with `labels.parquet`.
//!
//!     cargo run --example check_labels -- OUTDIR

#![allow(clippy::print_stdout)]

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::error::Error;
use std::fs::File;
use std::path::Path;

const SCHEMA: &str = include_str!("../assets/record.schema.json");

fn main() -> Result<(), Box<dyn Error>> {
    let outdir = std::env::args_os().nth(1).ok_or("give the outdir")?;
    let outdir = Path::new(&outdir);
    let records = lines(&outdir.join("labels.jsonl"))?;
    let from_parquet = rows(&outdir.join("labels.parquet"))?;
    if records != from_parquet {
        return Err("labels.parquet and labels.jsonl differ".into());
    }
    println!("{} records, valid and equal in both files", records.len());
    Ok(())
}

/// Reads the records of `labels.jsonl`. Each must be valid, with its keys in the schema's order and the
/// item's name in its label; no image may occur twice.
fn lines(file: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let schema: Value = serde_json::from_str(SCHEMA)?;
    let validator = jsonschema::validator_for(&schema)?;
    let mut images = HashSet::new();
    let mut records = Vec::new();
    let text = std::fs::read_to_string(file).map_err(|error| named(file, error))?;
    for (number, line) in text.lines().enumerate() {
        let at = |what: String| format!("{}:{}: {what}", file.display(), number + 1);
        let record: Value = serde_json::from_str(line)?;
        if let Some(error) = validator.iter_errors(&record).next() {
            return Err(at(format!("{} {error}", error.instance_path)).into());
        }
        for part in ["", "/attributes", "/quality_flags"] {
            let described = format!("{}/properties", part.replace('/', "/properties/"));
            if keys(record.pointer(part)) != keys(schema.pointer(&described)) {
                return Err(at(format!("the keys of {part:?} are in another order")).into());
            }
        }
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        if !text("label_ko").contains(text("item_name")) {
            return Err(at("the label does not hold the item's name".into()).into());
        }
        if !images.insert(record["image_path"].clone()) {
            return Err(at("the image has a line already".into()).into());
        }
        records.push(record);
    }
    Ok(records)
}

fn named(file: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", file.display())
}

fn keys(object: Option<&Value>) -> Option<Vec<&String>> {
    Some(object?.as_object()?.keys().collect())
}

fn rows(file: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let open = File::open(file).map_err(|error| named(file, error))?;
    let reader = SerializedFileReader::new(open).map_err(|error| named(file, error))?;
    reader
        .get_row_iter(None)?
        .map(|row| object(&row?))
        .collect()
}

fn object(row: &Row) -> Result<Value, Box<dyn Error>> {
    let mut object = Map::new();
    for (name, field) in row.get_column_iter() {
        object.insert(name.clone(), value(field)?);
    }
    Ok(Value::Object(object))
}

fn value(field: &Field) -> Result<Value, Box<dyn Error>> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => (*truth).into(),
        Field::Str(text) => text.clone().into(),
        Field::Group(row) => object(row)?,
        Field::ListInternal(list) => list
            .elements()
            .iter()
            .map(value)
            .collect::<Result<_, _>>()?,
        other => return Err(format!("a record has no {other}").into()),
    })
}
