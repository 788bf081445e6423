//! The page around the records, and what keeps texts from outside from becoming a part of it.

use std::sync::LazyLock;

pub const STYLE: &str = include_str!("../../../assets/report/style.css");
pub const SCRIPT: &str = include_str!("../../../assets/report/app.js");
const PAGE: &str = include_str!("../../../assets/report/page.html");

/// The page up to where the records stand, and behind that.
static PARTS: LazyLock<(&str, &str)> =
    LazyLock::new(|| PAGE.split_once("{{data}}").unwrap_or((PAGE, "")));
pub static PAGE_BEFORE: LazyLock<&str> = LazyLock::new(|| PARTS.0);
pub static PAGE_AFTER: LazyLock<&str> = LazyLock::new(|| PARTS.1);

/// A page with its slots (`{{name}}`) filled, each once; what fills one is not looked through for
/// others.
pub fn filled(page: &str, slots: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = behind.split_once("}}") else {
            out.push_str("{{");
            rest = behind;
            continue;
        };
        let text = slots.iter().find(|(slot, _)| *slot == name);
        out.push_str(text.map_or("", |(_, text)| text));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A text as it stands in a page.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if crate::text::is_forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON that cannot end the script that it stands in: outside of its texts there is no `<`.
pub fn script_safe(json: &str) -> String {
    crate::text::for_json(json)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
