//! Replaces the `image_path` of a line and leaves every other byte unchanged.

use std::ops::Range;

/// Replaces `image_path` in `line`, a JSON object. `None` if it has no such string.
pub(super) fn with_image_path(line: &str, path: &str) -> Option<String> {
    let value = find_string(line, "image_path")?;
    let quoted = serde_json::to_string(path).ok()?;
    let mut out = String::with_capacity(line.len() + quoted.len());
    out.push_str(&line[..value.start]);
    out.push_str(&quoted);
    out.push_str(&line[value.end..]);
    Some(out)
}

/// Finds the string value of a key in the outermost object, with its quotes. The last of duplicate
/// keys wins, as in most parsers.
fn find_string(line: &str, key: &str) -> Option<Range<usize>> {
    let bytes = line.as_bytes();
    let mut depth = 0_u32;
    let mut at = 0;
    let mut found = None;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let end = end_of_string(bytes, at)?;
                let name = &line[at..end];
                at = end;
                let colon = skip_whitespace(bytes, end);
                if depth != 1 || bytes.get(colon) != Some(&b':') {
                    continue;
                }
                let value = skip_whitespace(bytes, colon + 1);
                at = value;
                let is_sought = serde_json::from_str::<String>(name).is_ok_and(|name| name == key);
                if bytes.get(value) == Some(&b'"') {
                    at = end_of_string(bytes, value)?;
                    if is_sought {
                        found = Some(value..at);
                    }
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns the index after the closing quote of the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn skip_whitespace(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_value_of_the_outermost_path_changes() {
        for (line, expected) in [
            (
                r#"{"image_path": "a.png", "n": 1}"#,
                r#"{"image_path": "새/b.png", "n": 1}"#,
            ),
            (
                "\u{feff}{ \"x\" : {\"image_path\":\"in\"}, \"image_path\"\t:\"\\uac00\\\"\\\\\" }\r",
                "\u{feff}{ \"x\" : {\"image_path\":\"in\"}, \"image_path\"\t:\"새/b.png\" }\r",
            ),
            (
                r#"{"t": ["image_path", ":"], "v": "image_path\":", "image\u005fpath":"a"}"#,
                r#"{"t": ["image_path", ":"], "v": "image_path\":", "image\u005fpath":"새/b.png"}"#,
            ),
        ] {
            let moved = with_image_path(line, "새/b.png");
            assert_eq!(moved.as_deref(), Some(expected));
        }
        for line in ["{}", r#"{"image_path": 3}"#, r#"{"image_path": "a"#, "]"] {
            assert_eq!(with_image_path(line, "b.png"), None, "{line}");
        }
    }
}
