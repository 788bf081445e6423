//! Dialogs that change many records in one step, after a preview.

mod form;
mod pending;
mod replace;
mod scope;
mod translate;

pub use form::{BulkAction, BulkForm};
pub use replace::ReplaceForm;
pub use scope::Scope;
pub use translate::TranslateForm;
