//! JSON of other programs: non-standard numbers, and errors in lines.

/// Replaces non-finite numbers in JSON with `null`: the NaN and infinity of Python and pandas, and
/// numbers beyond the range of `f64`. `None` if there are none.
pub fn without_non_finite(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut found = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !in_string && let Some(length) = non_finite(rest) {
            out.push_str("null");
            found = true;
            rest = &rest[length..];
            continue;
        }
        let mut length = c.len_utf8();
        match c {
            '"' => in_string = !in_string,
            '\\' if in_string => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            // Skips the number, so that its tail is not parsed as another one.
            '0'..='9' | '-' if !in_string => length = number_length(rest),
            _ => {}
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    found.then_some(out)
}

/// Length of the non-finite number that `text` starts with, if any.
fn non_finite(text: &str) -> Option<usize> {
    let words = ["-Infinity", "Infinity", "NaN"];
    if let Some(word) = words.into_iter().find(|word| text.starts_with(word)) {
        return Some(word.len());
    }
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    let length = number_length(text);
    let value: f64 = text[..length].parse().ok()?;
    (!value.is_finite()).then_some(length)
}

/// Length of the number at the start of `text`, at least 1.
fn number_length(text: &str) -> usize {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
    end.unwrap_or(text.len()).max(1)
}

/// Formats a JSON error without serde's line number, which is wrong because lines are parsed
/// separately.
pub fn json_line_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) if error.column() > 0 => format!("{what} (column {})", error.column()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::without_non_finite;

    #[test]
    fn non_finite_numbers_outside_strings_become_null() {
        for (text, expected) in [
            (
                r#"{"a": NaN, "b": [-Infinity,Infinity], "c": "NaN \" NaN"}"#,
                Some(r#"{"a": null, "b": [null,null], "c": "NaN \" NaN"}"#),
            ),
            (
                r#"{"NaN": Infinity, "b": -1, "c": -1e999, "d": 12.5e-3}"#,
                Some(r#"{"NaN": null, "b": -1, "c": null, "d": 12.5e-3}"#),
            ),
            (r#"{"a": "NaN\\"}"#, None),
            (r#"{"a": "NaN \" 1e999"}"#, None),
            (r#"{"a": "NaN"#, None),
            ("\"\\", None),
            ("[1, -2.5]", None),
        ] {
            assert_eq!(without_non_finite(text).as_deref(), expected, "{text}");
        }
    }
}
