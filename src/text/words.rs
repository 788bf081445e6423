//! Splits text into words.

/// Iterates over the words of a text: its runs of letters and digits.
pub fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !is_word_char(c))
        .filter(|word| !word.is_empty())
}

/// Splits off the word that a text starts with; it is empty if the text starts with anything else.
pub fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !is_word_char(c));
    text.split_at(end.unwrap_or(text.len()))
}

/// Checks Hangul syllables first: the standard library searches a table for each of them.
fn is_word_char(c: char) -> bool {
    matches!(c, '가'..='힣') || c.is_alphanumeric()
}
