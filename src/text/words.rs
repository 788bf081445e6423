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

/// Replaces every occurrence of `part` with a blank. An empty part occurs nowhere.
pub fn without(text: &str, part: &str) -> String {
    match part.is_empty() {
        true => text.to_owned(),
        false => text.replace(part, " "),
    }
}

/// Whether a character is a letter or digit. Checks Hangul first: the standard library searches a
/// table for each of its letters.
pub fn is_word_char(c: char) -> bool {
    matches!(c, '가'..='힣' | '\u{1100}'..='\u{11ff}') || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_check_of_hangul_changes_nothing() {
        assert!((char::MIN..=char::MAX).all(|c| is_word_char(c) == c.is_alphanumeric()));
    }
}
