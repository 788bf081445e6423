//! Text handling: the table of forbidden characters, cleaning for each purpose, widths in terminal
//! cells, languages, number formats, times and encodings.

mod cells;
mod clean;
pub mod encoding;
mod file;
mod forbidden;
mod json;
mod language;
mod numbers;
pub mod particles;
mod time;
mod words;

pub use cells::{fit, pad, plain_emoji, width, wrap, wrap_offsets};
pub use clean::{
    clean_text, for_input, for_json, for_line, for_lines, for_log, for_screen, for_stream,
    is_plain, paragraphs, shortened, with_short_quotes,
};
pub use file::{percent_encoded, read_text, read_text_if_exists, read_text_up_to};
pub use forbidden::{Forbidden, forbidden, is_forbidden, is_visible};
pub use json::{json_line_error, without_non_finite};
pub(crate) use language::said;
pub use language::{Language, Phrase, Said};
pub use numbers::{
    count, duration, gibibytes, gigabytes, hex, megabytes, percent, plural, sha256_in,
};
pub use time::{file_stamp, utc};
pub use words::{is_word_char, split_word, without, words};
