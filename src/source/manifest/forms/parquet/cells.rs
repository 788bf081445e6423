//! Converts values of Arrow columns to cells.

use crate::source::checks::{MAX_ROW, TOO_LONG};
use crate::source::manifest::row::Cell;
use crate::text::Phrase;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

pub fn is_scalar(kind: &DataType) -> bool {
    use DataType::{Binary, Boolean, Null, Utf8};
    kind.is_integer()
        || matches!(kind, DataType::Float32 | DataType::Float64)
        || matches!(kind, Utf8 | Binary | Boolean | Null)
}

/// Converts the value at `index`.
pub fn cell_at(column: &ArrayRef, index: usize) -> Cell {
    macro_rules! number {
        ($kind:ty) => {
            Cell::Text(column.as_primitive::<$kind>().value(index).to_string())
        };
    }
    if column.is_null(index) {
        return Cell::Nothing;
    }
    match column.data_type() {
        DataType::Utf8View => text(column.as_string_view().value(index).as_bytes()),
        DataType::BinaryView => text(column.as_binary_view().value(index)),
        DataType::Boolean => Cell::Text(column.as_boolean().value(index).to_string()),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number(column.as_primitive::<Float32Type>().value(index).into()),
        DataType::Float64 => number(column.as_primitive::<Float64Type>().value(index)),
        // Unreachable: `is_scalar` allows no other type.
        _ => Cell::Nothing,
    }
}

fn text(bytes: &[u8]) -> Cell {
    if bytes.len() > MAX_ROW {
        return Cell::Odd(TOO_LONG);
    }
    match str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.to_owned()),
        Err(_) => Cell::Odd(Phrase::new("is not UTF-8", "UTF-8이 아닙니다")),
    }
}

/// NaN counts as no value: writers use it for the nulls of an empty text column.
fn number(value: f64) -> Cell {
    match value.is_finite() {
        true => Cell::Text(value.to_string()),
        false => Cell::Nothing,
    }
}
