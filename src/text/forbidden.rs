//! Table of characters that never reach a terminal or a log unchanged.

/// Why a character is forbidden: what it would do to the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// C0, C1 and DEL: a terminal may interpret it.
    Control,
    /// Changes the text direction, or breaks the line without a line feed.
    Direction,
    /// Displays nothing and means nothing in a name.
    Invisible,
    /// Displays nothing, but names may contain it: joiners of some scripts, Hangul fillers, the
    /// tags of flags.
    Filler,
}

/// Why `c` is forbidden, or `None` if it is allowed. The zero-width joiner of emoji and the variation
/// selectors are allowed.
pub fn forbidden(c: char) -> Option<Forbidden> {
    match c {
        ' '..='~' => None,
        c if c.is_control() => Some(Forbidden::Control),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(Forbidden::Direction)
        }
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => {
            Some(Forbidden::Invisible)
        }
        '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200c}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e007f}' => Some(Forbidden::Filler),
        _ => None,
    }
}

pub fn is_forbidden(c: char) -> bool {
    forbidden(c).is_some()
}

/// Whether `c` displays something by itself.
pub fn is_visible(c: char) -> bool {
    let is_blank = matches!(c, '\u{200d}' | '\u{2800}' | '\u{fe00}'..='\u{fe0f}');
    !is_blank && !c.is_whitespace() && !is_forbidden(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_marks_and_invisible_characters_are_forbidden() {
        let (c0, c1) = ('\0'..='\u{1f}', '\u{7f}'..='\u{9f}');
        for c in c0.chain(c1) {
            assert_eq!(forbidden(c), Some(Forbidden::Control), "{c:?}");
        }
        let embeddings = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
        for c in embeddings.chain(marks) {
            assert_eq!(forbidden(c), Some(Forbidden::Direction), "{c:?}");
        }
        for c in ['\u{ad}', '\u{200b}', '\u{2060}', '\u{2064}', '\u{feff}'] {
            assert_eq!(forbidden(c), Some(Forbidden::Invisible), "{c:?}");
        }
        for c in ['\u{200c}', '\u{3164}', '\u{ffa0}', '\u{e0067}'] {
            assert_eq!(forbidden(c), Some(Forbidden::Filler), "{c:?}");
        }
    }

    #[test]
    fn fillers_and_blanks_are_not_visible() {
        for c in [
            '\u{3164}',
            '\u{180e}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{2800}',
            '\u{3000}',
            ' ',
        ] {
            assert!(!is_visible(c), "{c:?}");
        }
        assert!("a가龍👩".chars().all(is_visible));
    }

    #[test]
    fn ordinary_text_is_allowed() {
        let text = "a~ é\u{a0}가ᄀ\u{1161}\u{301}\u{3000}龍 👩\u{200d}🚀 ❤\u{fe0f} 🇰🇷 عربى\u{fffd}";
        assert!(!text.chars().any(is_forbidden));
    }
}
