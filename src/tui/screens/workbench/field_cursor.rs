//! The position of the record pane's cursor.

use crate::record::Field;

/// A value of the record: a field, and an index into its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldCursor {
    pub field: Field,
    pub index: usize,
}

impl FieldCursor {
    pub const START: Self = Self {
        field: Field::LabelKo,
        index: 0,
    };

    /// The last value of a field.
    pub fn last_of(field: Field) -> Self {
        Self {
            field,
            index: usize::MAX,
        }
    }
}
