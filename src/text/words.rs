//! Texts word by word.

/// The words of a text: its runs of letters and digits, without the signs around them.
pub fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !is_of_word(c))
        .filter(|word| !word.is_empty())
}

/// The word that a text begins with, and the rest; an empty one where a sign comes first.
pub fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !is_of_word(c));
    text.split_at(end.unwrap_or(text.len()))
}

/// The library searches a table for each Korean letter.
fn is_of_word(c: char) -> bool {
    matches!(c, '가'..='힣') || c.is_alphanumeric()
}
