//! Fixes: concrete changes that clear a reason, computed from the record, its item and its icon.
//! Pure; applying one is a step like any other.

mod context;
mod facts;
mod kinds;
mod offer;
mod preview;
mod safe;
#[cfg(test)]
mod tests;
mod text;

pub use context::FixContext;
pub use facts::FixFacts;
pub use offer::{Fix, fix};
pub use preview::{FixExample, FixPreview, FixableRecord};
pub use safe::{SAFE_FIXES, SafeFix, safe_fixes};
pub use text::NO_TYPES;
pub(super) use text::{TokenizedText, kind_of};
