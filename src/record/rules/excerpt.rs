//! Limits the text that rules and fixes read to a multiple of what a record may hold, so that the
//! cost of an imported text is bounded.

use crate::record::{Field, Labels};
use std::borrow::Cow;

/// Multiple of the limits of a record.
const LIMIT_FACTOR: usize = 4;

/// The labels, truncated to the limits.
pub(super) fn excerpt(labels: &Labels) -> Cow<'_, Labels> {
    if is_readable(labels) {
        return Cow::Borrowed(labels);
    }
    let mut excerpt = labels.clone();
    for &field in Field::ALL {
        let values = labels.values(field).iter().take(max_values(field));
        excerpt.set(field, values.map(|text| beginning(text, max_chars(field))));
    }
    Cow::Owned(excerpt)
}

/// Whether the labels are within the limits.
pub(in crate::record) fn is_readable(labels: &Labels) -> bool {
    let mut fields = Field::ALL.iter().copied();
    fields.all(|field| {
        let values = labels.values(field);
        let is_whole = |text: &String| beginning(text, max_chars(field)).len() == text.len();
        values.len() <= max_values(field) && values.iter().all(is_whole)
    })
}

/// Whether an item's name is within the limit, which is that of a label.
pub(in crate::record) fn is_readable_name(name: &str) -> bool {
    beginning_of_name(name).len() == name.len()
}

/// The beginning of an item's name, which is limited like a label.
pub(super) fn beginning_of_name(name: &str) -> &str {
    beginning_of_label(name)
}

pub(super) fn beginning_of_label(label: &str) -> &str {
    beginning(label, max_chars(Field::LabelKo))
}

fn max_values(field: Field) -> usize {
    field.spec().max * LIMIT_FACTOR
}

fn max_chars(field: Field) -> usize {
    field.max_chars() * LIMIT_FACTOR
}

fn beginning(text: &str, max: usize) -> &str {
    let end = text.char_indices().nth(max);
    end.map_or(text, |(at, _)| &text[..at])
}
