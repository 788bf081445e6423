//! Korean particles: strips them from a word, and picks the form that fits a word's last sound.

/// Forms of a particle after a final consonant and after a vowel.
const PAIRS: [(&str, &str); 12] = [
    ("은", "는"),
    ("이", "가"),
    ("을", "를"),
    ("과", "와"),
    ("으로", "로"),
    ("이나", "나"),
    ("이랑", "랑"),
    ("이며", "며"),
    ("이고", "고"),
    ("이란", "란"),
    ("이라는", "라는"),
    ("이라고", "라고"),
];
/// Particles and endings with one form.
const INVARIANT: [&str; 12] = [
    "의",
    "에",
    "에서",
    "도",
    "만",
    "인",
    "이다",
    "입니다",
    "하고",
    "처럼",
    "부터",
    "까지",
];

/// Whether `text` is a particle or a noun ending.
pub fn is_particle(text: &str) -> bool {
    INVARIANT.contains(&text) || PAIRS.iter().any(|(a, b)| *a == text || *b == text)
}

/// Strips a word's particle: `검은색과` and `검은색의` have the same stem. At least two characters
/// are left, so that `하나` stays unchanged, except before `으로`, which ends no noun.
pub fn stem(word: &str) -> &str {
    if let Some(noun) = word.strip_suffix("으로").filter(|noun| !noun.is_empty()) {
        return noun;
    }
    let begins = word.char_indices().skip(2).map(|(at, _)| at);
    let mut cuts = begins.filter(|at| is_particle(&word[*at..]));
    cuts.next().map_or(word, |at| &word[..at])
}

/// The form of a particle after `word`. Unchanged if the particle has only one form, or if the
/// word's pronunciation is unknown.
pub fn fitted<'a>(particle: &'a str, word: &str) -> &'a str {
    fitted_to(particle, last_sound(word))
}

fn fitted_to(particle: &str, sound: Option<Sound>) -> &str {
    let pair = PAIRS.iter().find(|(a, b)| *a == particle || *b == particle);
    let (Some((closed, open)), Some(sound)) = (pair, sound) else {
        return particle;
    };
    match sound {
        Sound::Vowel => open,
        Sound::Rieul if *open == "로" => open,
        Sound::Rieul | Sound::Consonant => closed,
    }
}

/// Appends the fitting form of a particle to a word.
pub fn with_particle(word: &str, particle: &str) -> String {
    format!("{word}{}", fitted(particle, word))
}

/// Particle placeholders for format strings such as `{name}{을}`. [`fit_particles`] replaces each
/// with the fitting form.
pub mod marks {
    pub const 은: &str = "\u{fdd0}은\u{fdd0}";
    pub const 이: &str = "\u{fdd0}이\u{fdd0}";
    pub const 을: &str = "\u{fdd0}을\u{fdd0}";
    pub const 과: &str = "\u{fdd0}과\u{fdd0}";
    pub const 이라는: &str = "\u{fdd0}이라는\u{fdd0}";
    pub const 으로: &str = "\u{fdd0}으로\u{fdd0}";
}

/// Replaces each of the [`marks`] in a text with the form that fits the word before it. The
/// pronunciation of a word in Latin letters is guessed.
pub fn fit_particles(text: &str) -> String {
    // A noncharacter, which no text contains.
    let mut parts = text.split('\u{fdd0}');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let (Some(particle), Some(rest)) = (parts.next(), parts.next()) {
        let sound = last_sound(&out).or_else(|| latin_sound(&out));
        out.push_str(fitted_to(particle, sound));
        out.push_str(rest);
    }
    out
}

/// The last sound of a word.
enum Sound {
    Vowel,
    /// ㄹ, after which `로` is used as after a vowel.
    Rieul,
    Consonant,
}

/// Determines the sound by the last Hangul syllable or digit; `None` for other scripts.
fn last_sound(word: &str) -> Option<Sound> {
    const RIEUL: u32 = 8;
    let last = word.chars().rev().find(|c| c.is_alphanumeric())?;
    if let Some(consonant) = final_consonant(last) {
        return Some(match consonant {
            0 => Sound::Vowel,
            RIEUL => Sound::Rieul,
            _ => Sound::Consonant,
        });
    }
    match last {
        '2' | '4' | '5' | '9' => Some(Sound::Vowel),
        '1' | '7' | '8' => Some(Sound::Rieul),
        '0' | '3' | '6' => Some(Sound::Consonant),
        _ => None,
    }
}

/// The number of a syllable's final consonant in Unicode's order, 0 if it has none.
fn final_consonant(syllable: char) -> Option<u32> {
    const FINALS: u32 = 28;
    let is_syllable = matches!(syllable, '가'..='힣');
    is_syllable.then(|| (u32::from(syllable) - u32::from('가')) % FINALS)
}

/// Whether a word may be a verb or an adjective in front of a noun (`박힌`, `둥근`). Some nouns end
/// like them (`리본`).
pub fn may_be_adnominal(word: &str) -> bool {
    const NIEUN: u32 = 4;
    let mut letters = word.chars().rev();
    letters.next().and_then(final_consonant) == Some(NIEUN) && letters.next().is_some()
}

/// Guesses the last sound of an English word read in Korean; capitals are read letter by letter.
fn latin_sound(text: &str) -> Option<Sound> {
    let end = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let word = end.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let start = word.rfind(|c: char| !c.is_ascii_alphabetic());
    let word = start.map_or(word, |at| &word[at..]);
    let last = word.chars().next_back().filter(char::is_ascii_alphabetic)?;
    let before = word.chars().rev().nth(1);
    let is_vowel = |c: char| "aeiou".contains(c.to_ascii_lowercase());
    let is_stop = "bckpt".contains(last) && before.is_some_and(|c| is_vowel(c) || c == 'c');
    Some(match last {
        'l' | 'L' | 'R' => Sound::Rieul,
        'm' | 'n' | 'M' | 'N' => Sound::Consonant,
        'g' if before == Some('n') => Sound::Consonant,
        _ if is_stop => Sound::Consonant,
        _ => Sound::Vowel,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_particle_is_stripped() {
        for (word, expected) in [
            ("검은색과", "검은색"),
            ("리본으로", "리본"),
            ("손으로", "손"),
            ("모자라는", "모자"),
            ("무늬", "무늬"),
            ("하나", "하나"),
            ("빛의", "빛의"),
        ] {
            assert_eq!(stem(word), expected);
        }
    }

    #[test]
    fn a_particle_fits_an_english_word() {
        use marks::*;
        for (word, object, with) in [
            ("fantasy", "를", "로"),
            ("red", "를", "로"),
            ("metal", "을", "로"),
            ("fabric", "을", "으로"),
            ("gold", "를", "로"),
            ("wing", "을", "으로"),
            ("view:LED", "를", "로"),
            ("`hat`", "을", "으로"),
        ] {
            assert_eq!(
                fit_particles(&format!("{word}{을} {word}{으로}")),
                format!("{word}{object} {word}{with}")
            );
        }
    }

    #[test]
    fn a_particle_fits_the_sound_before_it() {
        for (particle, word, expected) in [
            ("은", "모자", "는"),
            ("를", "우산", "을"),
            ("로", "우산", "으로"),
            ("으로", "활", "로"),
            ("가", "활", "이"),
            ("와", "검 (7일)", "과"),
            ("는", "모자 2", "는"),
            ("은", "UFO", "은"),
            ("의", "모자", "의"),
        ] {
            assert_eq!(fitted(particle, word), expected, "{word}");
        }
    }
}
