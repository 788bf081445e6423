//! Dialogs that change many records in one step, after a preview.

mod action;
mod choices;
mod form;
mod pending;
mod replace;
mod scope;
mod translate;

pub use action::BulkAction;
pub use form::BulkForm;
pub use pending::{PendingPreview, RecordEffect};
pub use replace::ReplaceForm;
pub use scope::Scope;
pub use translate::TranslateForm;
