//! What rules and fixes read of labels: several times what a record may hold, so that an imported
//! text of any length costs them no more than that.

use crate::record::{Field, Labels};
use std::borrow::Cow;

/// Times what a record may hold.
const TIMES: usize = 4;

/// The labels with what lies behind that left out.
pub(super) fn excerpt(labels: &Labels) -> Cow<'_, Labels> {
    if is_readable(labels) {
        return Cow::Borrowed(labels);
    }
    let mut excerpt = labels.clone();
    for &field in Field::ALL {
        let values = labels.values(field).iter().take(most_values(field));
        excerpt.set(field, values.map(|text| beginning(text, most_chars(field))));
    }
    Cow::Owned(excerpt)
}

/// Whether rules and fixes read all of the labels.
pub(in crate::record) fn is_readable(labels: &Labels) -> bool {
    let mut fields = Field::ALL.iter().copied();
    fields.all(|field| {
        let values = labels.values(field);
        let is_whole = |text: &String| beginning(text, most_chars(field)).len() == text.len();
        values.len() <= most_values(field) && values.iter().all(is_whole)
    })
}

/// Whether they read all of an item's name: as much as of a label.
pub(in crate::record) fn is_readable_name(name: &str) -> bool {
    beginning_of_name(name).len() == name.len()
}

pub(super) fn beginning_of_name(name: &str) -> &str {
    beginning(name, most_chars(Field::LabelKo))
}

fn most_values(field: Field) -> usize {
    field.spec().most * TIMES
}

fn most_chars(field: Field) -> usize {
    field.most_chars() * TIMES
}

fn beginning(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most);
    end.map_or(text, |(at, _)| &text[..at])
}
