//! The implementations of each kind of fix, grouped by topic.

mod attributes;
mod colors;
mod confirmed;
mod describe;
mod join;
mod lists;
mod name;
mod scripts;

pub use colors::has_suspect_colors;
pub use name::has_suspect_kind;

use crate::record::{FixKind, Labels, RecordContext};

/// Applies a kind of fix, without checking the result against the rules.
pub fn try_fix(kind: FixKind, labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let apply = match kind {
        FixKind::UpdateName => name::update,
        FixKind::CorrectName => name::correct,
        FixKind::InsertName => name::insert,
        FixKind::Describe => describe::describe,
        FixKind::ReplaceColors => colors::replace,
        FixKind::RemoveColors => colors::remove,
        FixKind::NameMainColor => colors::name_main,
        FixKind::ListMainColor => colors::list_main,
        FixKind::SetColors => attributes::set_colors,
        FixKind::SetType => attributes::set_type,
        FixKind::FillAttributes => attributes::fill,
        FixKind::AddTags => lists::add_tags,
        FixKind::AddQueries => lists::add_queries,
        FixKind::DropRepetition => lists::drop_repetition,
        FixKind::TranslateWords => scripts::translate,
        FixKind::DropWords => scripts::drop,
        FixKind::JoinList => join::join,
        FixKind::TellApart => describe::tell_apart,
        FixKind::KeepConfirmed => confirmed::keep_confirmed,
    };
    apply(labels, context)
}
