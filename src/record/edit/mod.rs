//! What a [`Change`] makes of labels. Pure; the journal keeps the history.

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
    added, exchanged, fits, folded, list, named, names, no_version, refused, replaced, without,
    words,
};

/// The labels after `change`. Only what the change brings in is put into a record's form; other
/// fields, and other values of the same list, stay as they are, words outside the vocabulary and
/// lists that are too long included.
///
/// # Errors
/// Of kind `Usage` for a change that cannot be made (a color outside the vocabulary, a full list),
/// so that nothing an operator types is lost without a word.
pub fn apply(labels: &Labels, change: &Change, facts: &EditFacts) -> Result<Labels> {
    let EditFacts {
        vocabulary, taken, ..
    } = *facts;
    let mut edited = labels.clone();
    match change {
        Change::Set { field, values } => {
            edited.set(*field, replaced(labels, *field, values, vocabulary)?);
        }
        Change::Add { field, value } => {
            let mut values = list(labels, *field)?.to_vec();
            let mut held: HashSet<String> = values.iter().map(|value| folded(value)).collect();
            for entry in added(*field, value, vocabulary)? {
                if held.insert(folded(&entry)) {
                    fits(*field, values.len() + 1, 0)?;
                    values.push(entry);
                }
            }
            edited.set(*field, values);
        }
        Change::Remove { field, value } => {
            let values = words(labels, *field)?.to_vec();
            let named = named(&values, *field, value, vocabulary);
            edited.set(*field, without(values, &named));
        }
        Change::Rename { field, from, to } | Change::Synonym { field, from, to } => {
            let values = words(labels, *field)?.to_vec();
            let entries = added(*field, to, vocabulary)?;
            let named = named(&values, *field, from, vocabulary);
            edited.set(
                *field,
                exchanged(*field, values, &named, |_| entries.clone())?,
            );
        }
        Change::Replace(what) => replace(&mut edited, what, facts)?,
        Change::Canonicalize { drop_unknown } => {
            for &field in Field::ALL {
                let values = canonical_values(&edited, field, *drop_unknown, vocabulary);
                fits(field, values.len(), labels.values(field).len())?;
                edited.set(field, values);
            }
        }
        Change::TakeVersion { version } => {
            edited = taken.ok_or_else(|| no_version(*version))?.clone();
        }
        // A fix that does nothing here gives nothing.
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
            let (key, name) = names(field);
            return Err(refused(said!(
                "{key} cannot be empty",
                "{name}{을} 비울 수 없습니다"
            ))
            .with_said_hint(said!("reject the item instead", "대신 아이템을 거절하세요")));
        }
    }
    Ok(edited)
}

/// A text after an edit: the labels, and the name of the item that they were made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub labels: Labels,
    pub item_name: String,
}

/// The text after `change`, which may bring it over to the item's current name; `None` where the
/// change finds nothing to do.
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
