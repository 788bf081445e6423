//! Korean particles: taken off a word, and fitted to the sound that another word ends in.

/// Particles that follow a final consonant, and a vowel.
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
/// Particles and endings that are the same after every sound.
const PLAIN: [&str; 12] = [
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

/// Whether this is a particle, or an ending that a noun takes.
pub fn is_particle(text: &str) -> bool {
    PLAIN.contains(&text) || PAIRS.iter().any(|(a, b)| *a == text || *b == text)
}

/// The word without its particle: `검은색과` and `검은색의` are one word. At least two characters
/// are left, so that `하나` stays whole.
pub fn stem(word: &str) -> &str {
    let begins = word.char_indices().skip(2).map(|(at, _)| at);
    let mut cuts = begins.filter(|at| is_particle(&word[*at..]));
    cuts.next().map_or(word, |at| &word[..at])
}

/// The particle in the form that it has behind `word`; as it is where it has one form, or where
/// nobody can tell how the word is read.
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

/// The word with the particle behind it, in its fitting form.
pub fn with_particle(word: &str, particle: &str) -> String {
    format!("{word}{}", fitted(particle, word))
}

/// Particles as they stand in a format, `{name}{을}`: [`fit_particles`] puts the fitting form there.
pub mod marks {
    pub const 은: &str = "\u{fdd0}은\u{fdd0}";
    pub const 이: &str = "\u{fdd0}이\u{fdd0}";
    pub const 을: &str = "\u{fdd0}을\u{fdd0}";
    pub const 과: &str = "\u{fdd0}과\u{fdd0}";
    pub const 이라는: &str = "\u{fdd0}이라는\u{fdd0}";
    pub const 으로: &str = "\u{fdd0}으로\u{fdd0}";
}

/// The text with each of the [`marks`] in the form that fits what stands before it, as far as one
/// can guess how a word in Latin letters is read.
pub fn fit_particles(text: &str) -> String {
    // A code point that no text holds.
    let mut parts = text.split('\u{fdd0}');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let (Some(particle), Some(rest)) = (parts.next(), parts.next()) {
        let sound = last_sound(&out).or_else(|| latin_sound(&out));
        out.push_str(fitted_to(particle, sound));
        out.push_str(rest);
    }
    out
}

/// What a word ends in when it is read aloud.
enum Sound {
    Vowel,
    /// ㄹ, after which `로` stands as after a vowel.
    Rieul,
    Consonant,
}

/// By the last letter or digit; `None` where it is one of another script.
fn last_sound(word: &str) -> Option<Sound> {
    const FINALS: u32 = 28;
    const RIEUL: u32 = 8;
    let last = word.chars().rev().find(|c| c.is_alphanumeric())?;
    match last {
        '가'..='힣' => Some(match (u32::from(last) - u32::from('가')) % FINALS {
            0 => Sound::Vowel,
            RIEUL => Sound::Rieul,
            _ => Sound::Consonant,
        }),
        '2' | '4' | '5' | '9' => Some(Sound::Vowel),
        '1' | '7' | '8' => Some(Sound::Rieul),
        '0' | '3' | '6' => Some(Sound::Consonant),
        _ => None,
    }
}

/// How an English word probably ends when it is read in Korean; capitals are read one by one.
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
    fn a_stem_has_no_particle() {
        for (word, expected) in [
            ("검은색과", "검은색"),
            ("리본으로", "리본"),
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
