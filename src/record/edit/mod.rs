//! Applies a [`Change`] to labels. Pure; the journal keeps the history.

mod canonical;
mod facts;
mod replace;
mod values;

pub use canonical::{VocabularyPreview, WordChange};
pub use facts::EditFacts;
pub use replace::replaced_text;

use super::{Change, Field, Labels, Names, Vocabulary};
use crate::error::Result;
use crate::text::said;
use canonical::canonical_values;
use replace::replace;
use std::collections::HashSet;
use values::{
    check_length, field_names, folded, list_values, no_version, parse_added, removable_values,
    replace_matching, set_values, usage_error, values_named, without,
};

/// Returns the labels after `change`. Only new values are normalized. Other fields, and other
/// values of the same list, stay as they are, even if they are outside the vocabulary or the list
/// is too long.
///
/// # Errors
/// Of kind `Usage` for a change that cannot be made (a color outside the vocabulary, a full list),
/// so that no input of the operator is dropped silently.
pub fn apply(labels: &Labels, change: &Change, facts: &EditFacts) -> Result<Labels> {
    let EditFacts {
        vocabulary, taken, ..
    } = *facts;
    let mut edited = labels.clone();
    match change {
        Change::Set { field, values } => {
            edited.set(*field, set_values(labels, *field, values, vocabulary)?);
        }
        Change::Add { field, value } => {
            let mut values = list_values(labels, *field)?.to_vec();
            let mut present: HashSet<String> = values.iter().map(|value| folded(value)).collect();
            for entry in parse_added(*field, value, vocabulary)? {
                if present.insert(folded(&entry)) {
                    check_length(*field, values.len() + 1, 0)?;
                    values.push(entry);
                }
            }
            edited.set(*field, values);
        }
        Change::Remove { field, value } => {
            let values = removable_values(labels, *field)?.to_vec();
            let named = values_named(&values, *field, value, vocabulary);
            edited.set(*field, without(values, &named));
        }
        Change::Rename { field, from, to } | Change::Synonym { field, from, to } => {
            let values = removable_values(labels, *field)?.to_vec();
            let entries = parse_added(*field, to, vocabulary)?;
            let named = values_named(&values, *field, from, vocabulary);
            let mut renamed = values.iter().zip(&named).filter(|(_, named)| **named);
            if let [entry] = &entries[..]
                && entry != to
                && renamed.any(|(value, _)| value == entry)
            {
                return Err(usage_error(said!(
                    "the vocabulary writes {to} as {entry}",
                    "어휘집은 {to}{을} {entry}{으로} 적습니다"
                )));
            }
            edited.set(
                *field,
                replace_matching(*field, values, &named, |_| entries.clone())?,
            );
        }
        Change::Replace(what) => replace(&mut edited, what, facts)?,
        Change::Canonicalize { drop_unknown } => {
            for &field in Field::ALL {
                let values = canonical_values(&edited, field, *drop_unknown, vocabulary);
                check_length(field, values.len(), labels.values(field).len())?;
                edited.set(field, values);
            }
        }
        Change::TakeVersion { version } => {
            edited = taken.ok_or_else(|| no_version(*version))?.clone();
        }
        // The caller passes no labels if the fix does not apply.
        Change::Fix { .. } => edited = taken.unwrap_or(labels).clone(),
        Change::TakeField { version, field } => {
            let taken = taken.ok_or_else(|| no_version(*version))?;
            edited.set(*field, taken.values(*field).iter().cloned());
        }
        Change::UpdateName => edited = taken.unwrap_or(labels).clone(),
        Change::SetNote { .. }
        | Change::Accept
        | Change::Reject { .. }
        | Change::Reopen
        | Change::Commit => {}
    }
    for &field in Field::ALL.iter().filter(|field| field.is_required()) {
        if edited.values(field).is_empty() && !labels.values(field).is_empty() {
            let (name, korean) = field_names(field);
            return Err(usage_error(said!(
                "{name} cannot be empty",
                "{korean}{을} 비울 수 없습니다"
            ))
            .with_said_hint(said!("reject the item instead", "대신 아이템을 거절하세요")));
        }
    }
    Ok(edited)
}

/// The result of an edit: the labels, and the item name that they use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub labels: Labels,
    pub item_name: String,
}

/// Applies `change`, which may switch the labels to the item's current name. `None` if it changes
/// nothing.
///
/// # Errors
/// Those of [`apply`].
pub fn edit(
    labels: &Labels,
    names: Names<'_>,
    change: &Change,
    taken: Option<&Labels>,
    vocabulary: &Vocabulary,
) -> Result<Option<Edited>> {
    let renames = matches!(change, Change::UpdateName) && names.is_mismatch(labels);
    let renamed = renames.then(|| names.updated(labels, vocabulary));
    let facts = EditFacts {
        vocabulary,
        item_name: names.current,
        taken: renamed.as_ref().or(taken),
    };
    let edited = apply(labels, change, &facts)?;
    if !renames && edited == *labels {
        return Ok(None);
    }
    let item_name = match renames {
        true => names.current,
        false => names.of_text(&edited),
    };
    Ok(Some(Edited {
        item_name: item_name.to_owned(),
        labels: edited,
    }))
}

#[cfg(test)]
mod tests;
