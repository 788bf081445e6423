//! Fixes: concrete changes that clear a reason, computed from the record, its item and its icon.
//! Pure; applying one is a step like any other.

mod kinds;
mod offer;
mod preview;
mod safe;
#[cfg(test)]
mod tests;
mod text;

pub use offer::{Fix, fix, offered, reasons_fixed};
pub use preview::{FixExample, FixPreview};
pub use safe::{SAFE_FIXES, SafeFix, safe_fixes};
pub use text::NO_TYPES;
pub(super) use text::{TokenizedText, kind_of};
