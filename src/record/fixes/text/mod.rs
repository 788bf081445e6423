//! Korean text: color words, phrases and item types.

mod color_words;
mod phrase;
mod words;

pub use color_words::{ColorUse, Shape, in_shape};
pub use phrase::TokenizedText;
pub use words::{
    ItemKind, NO_TYPES, is_answer, is_kind, item_kind, kind_at_end, kind_of, kind_of_label,
    kinds_of_part, known_words, stems,
};
