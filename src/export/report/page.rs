//! The template of the page, and the escaping of text from records.

use std::sync::LazyLock;

pub const STYLE: &str = include_str!("../../../assets/report/style.css");
pub const SCRIPT: &str = include_str!("../../../assets/report/app.js");
const PAGE: &str = include_str!("../../../assets/report/page.html");

/// The template before and after the records.
static PARTS: LazyLock<(&str, &str)> =
    LazyLock::new(|| PAGE.split_once("{{data}}").unwrap_or((PAGE, "")));
pub static PAGE_BEFORE: LazyLock<&str> = LazyLock::new(|| PARTS.0);
pub static PAGE_AFTER: LazyLock<&str> = LazyLock::new(|| PARTS.1);

/// Fills the slots (`{{name}}`) of a template. Slots in the inserted text are not filled.
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

/// Escapes a text for HTML.
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

/// Escapes JSON so that it cannot close the script element around it.
pub fn script_safe(json: &str) -> String {
    crate::text::for_json(json)
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
