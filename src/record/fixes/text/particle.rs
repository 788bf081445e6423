//! Korean particles: which of two forms stands behind a word.

use unicode_normalization::UnicodeNormalization;

/// Each particle's form after a consonant and after a vowel.
const FORMS: [(&str, &str); 10] = [
    ("은", "는"),
    ("이", "가"),
    ("을", "를"),
    ("과", "와"),
    ("으로", "로"),
    ("이나", "나"),
    ("이며", "며"),
    ("이고", "고"),
    ("이랑", "랑"),
    ("이다", "다"),
];

/// How a word ends to the ear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Vowel,
    /// A consonant like any other to all particles but `으로`.
    Rieul,
    Consonant,
}

/// The word with the particle behind it, in the form that the word's last sound asks for; any
/// other text is put behind it as it is.
pub fn with_particle(word: &str, particle: &str) -> String {
    let forms = FORMS
        .iter()
        .find(|(consonant, vowel)| [*consonant, *vowel].contains(&particle));
    let Some((consonant, vowel)) = forms else {
        return format!("{word}{particle}");
    };
    let form = match ending(word) {
        Ending::Vowel => vowel,
        Ending::Rieul if *vowel == "로" => vowel,
        Ending::Rieul | Ending::Consonant => consonant,
    };
    format!("{word}{form}")
}

/// By the last letter or digit; signs behind it are silent.
fn ending(word: &str) -> Ending {
    let last = word.nfc().filter(|c| c.is_alphanumeric()).last();
    match last.map(|c| c.to_ascii_lowercase()) {
        Some(c @ '가'..='힣') => match (c as u32 - '가' as u32) % 28 {
            0 => Ending::Vowel,
            8 => Ending::Rieul,
            _ => Ending::Consonant,
        },
        // As they are read: 일, 칠, 팔, and 영, 삼, 육.
        Some('1' | '7' | '8' | 'l') => Ending::Rieul,
        Some('0' | '3' | '6' | 'b' | 'k' | 'm' | 'n' | 'p' | 't') => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_particle_takes_the_form_that_the_word_asks_for() {
        for (word, particle, whole) in [
            ("흰색", "와", "흰색과"),
            ("화이트", "과", "화이트와"),
            ("빨강", "가", "빨강이"),
            ("모자", "은", "모자는"),
            ("리본", "를", "리본을"),
            ("반지", "으로", "반지로"),
            ("구슬", "으로", "구슬로"),
            ("흰색", "로", "흰색으로"),
            ("♣훈장♣", "는", "♣훈장♣은"),
            ("토끼 2", "을", "토끼 2를"),
            ("토끼 3", "를", "토끼 3을"),
            ("흰색", "의", "흰색의"),
            ("흰색", "", "흰색"),
        ] {
            assert_eq!(with_particle(word, particle), whole);
        }
    }
}
