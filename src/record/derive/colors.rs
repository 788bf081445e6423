//! Exchanges the color words of a text, all at once, each for another in its own form.

use crate::record::rules::color_of;
use crate::record::{Vocabulary, Word};
use crate::text::particles::{fitted, is_particle};

/// Particles that join two nouns.
const JOINS: [&str; 5] = ["과", "와", "하고", "랑", "이랑"];
/// After colors: beginnings of words that need two of them.
const MIXES: [&str; 10] = [
    "섞",
    "조합",
    "조화",
    "어우",
    "이루",
    "구성",
    "혼합",
    "대비",
    "배색",
    "투톤",
];

/// A color's adjective, noun and loanword, besides the preferred word of the vocabulary, which
/// ends in `색`; an empty one is that one.
const FORMS: [(&str, [&str; 3]); 22] = [
    ("red", ["빨간", "빨강", "레드"]),
    ("wine", ["", "", ""]),
    ("orange", ["", "주황", "오렌지"]),
    ("yellow", ["노란", "노랑", "옐로"]),
    ("gold", ["", "", "골드"]),
    ("beige", ["", "", "베이지"]),
    ("brown", ["", "", "브라운"]),
    ("khaki", ["", "", "카키"]),
    ("lime", ["", "연두", "라임"]),
    ("green", ["", "초록", "그린"]),
    ("mint", ["", "", "민트"]),
    ("teal", ["", "청록", ""]),
    ("sky blue", ["", "", "스카이블루"]),
    ("blue", ["파란", "파랑", "블루"]),
    ("navy", ["", "", "네이비"]),
    ("purple", ["", "보라", "퍼플"]),
    ("lavender", ["", "연보라", "라벤더"]),
    ("pink", ["", "분홍", "핑크"]),
    ("white", ["하얀", "하양", "화이트"]),
    ("silver", ["", "", "실버"]),
    ("gray", ["", "", "그레이"]),
    ("black", ["검은", "검정", "블랙"]),
];
/// Adjectives besides those of the table.
const ADJECTIVES: [&str; 3] = ["붉은", "푸른", "흰"];
/// Loanwords besides those of the table.
const LOANS: [&str; 11] = [
    "옐로우",
    "골든",
    "버건디",
    "마룬",
    "코랄",
    "아이보리",
    "올리브",
    "시안",
    "틸",
    "바이올렛",
    "마젠타",
];

/// How a color word stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `빨간 모자`
    Adjective = 0,
    /// `빨강과 파랑`
    Noun = 1,
    /// `레드 모자`
    Loan = 2,
    /// `빨간색 모자`, `붉은빛의`
    Shade,
    /// `red hat`
    English,
}

impl Form {
    /// Of a color word with what stands between it and its particle.
    fn of(stem: &str, noun: &str) -> Self {
        let is_in = |form: Form| FORMS.iter().any(|(_, forms)| forms[form as usize] == stem);
        if stem.is_ascii() {
            Self::English
        } else if !noun.is_empty() || stem.ends_with(['색', '빛']) {
            Self::Shade
        } else if ADJECTIVES.contains(&stem) || is_in(Self::Adjective) {
            Self::Adjective
        } else if LOANS.contains(&stem) || is_in(Self::Loan) {
            Self::Loan
        } else {
            Self::Noun
        }
    }

    fn word(self, color: &Word) -> &str {
        let forms = FORMS.iter().find(|(word, _)| *word == color.word);
        let own = match self {
            Self::English => color.word.as_str(),
            Self::Shade => "",
            _ => forms.map_or("", |(_, forms)| forms[self as usize]),
        };
        match own {
            "" => color.ko.first().unwrap_or(&color.word),
            own => own,
        }
    }
}

/// A word of a text with what stands before it.
struct Token<'t> {
    before: &'t str,
    word: String,
    /// The color that it names now, and its particle.
    color: Option<(&'t Word, &'t str)>,
}

/// The text with each color word of `plan` exchanged for the one beside it. The item's name is
/// left as it is, and so are color words that it holds. Of two in a row that become one color,
/// one goes.
pub fn recolored<'t>(
    text: &'t str,
    name: &str,
    plan: &[(&Word, &'t Word)],
    vocabulary: &'t Vocabulary,
) -> String {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut end_of_last = 0;
    while let Some(begin) = text[at..].find(char::is_alphanumeric).map(|n| at + n) {
        let name_end = (!name.is_empty() && text[at..].starts_with(name)).then(|| at + name.len());
        if let Some(end) = name_end {
            tokens.push(Token {
                before: &text[end_of_last..at],
                word: name.to_owned(),
                color: None,
            });
            (at, end_of_last) = (end, end);
            continue;
        }
        // A name may begin with a sign.
        if !name.is_empty()
            && let Some(sign) = text[at..begin].char_indices().nth(1)
        {
            at += sign.0;
            continue;
        }
        if at < begin {
            at = begin;
            continue;
        }
        let length = text[begin..].find(|c: char| !c.is_alphanumeric());
        let end = length.map_or(text.len(), |length| begin + length);
        let word = &text[begin..end];
        let (word, color) = exchanged(word, name, plan, vocabulary);
        tokens.push(Token {
            before: &text[end_of_last..begin],
            word,
            color,
        });
        (at, end_of_last) = (end, end);
    }
    let rest = &text[end_of_last..];
    let mut out = String::with_capacity(text.len());
    let mut is_gone = false;
    for (at, token) in tokens.iter().enumerate() {
        // What stands behind a word that goes, goes with it.
        if !is_gone {
            out.push_str(token.before);
        }
        is_gone = is_said_again(&tokens, at);
        if !is_gone {
            out.push_str(&token.word);
        }
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word of the text as it is now, and the color that it names.
fn exchanged<'t>(
    token: &'t str,
    name: &str,
    plan: &[(&Word, &'t Word)],
    vocabulary: &'t Vocabulary,
) -> (String, Option<(&'t Word, &'t str)>) {
    let Some(found) = color_of(token, vocabulary) else {
        return (token.to_owned(), None);
    };
    let (from, stem) = (found.0, found.1);
    if name.contains(stem.strip_suffix('색').unwrap_or(stem)) {
        return (token.to_owned(), None);
    }
    let rest = &token[stem.len()..];
    let mut ends = rest.char_indices().map(|(at, _)| at);
    let begin = ends.find(|at| is_particle(&rest[*at..]));
    let (noun, particle) = rest.split_at(begin.unwrap_or(rest.len()));
    let to = plan.iter().find(|(planned, _)| *planned == from);
    let to = to.map_or(from, |(_, to)| *to);
    if to == from {
        return (token.to_owned(), Some((from, particle)));
    }
    let word = Form::of(stem, noun).word(to);
    let word = format!("{word}{}", fitted(particle, word));
    (word, Some((to, particle)))
}

/// Whether the next word names the same color, in one row with this one, and what follows does
/// not need both.
fn is_said_again(tokens: &[Token], at: usize) -> bool {
    let [here, next] = [at, at + 1].map(|at| tokens.get(at));
    let (Some(here), Some(next)) = (here.and_then(|t| t.color), next) else {
        return false;
    };
    let joins = JOINS.contains(&here.1) || next.before.contains([',', '/', '·', '&', '+']);
    let mixes = tokens.get(at + 2).is_some_and(|after| {
        let begins = |mix: &&str| after.word.starts_with(*mix);
        MIXES.iter().any(begins)
    });
    joins && !mixes && next.color.is_some_and(|color| color.0 == here.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    #[test]
    fn the_forms_are_words_of_the_vocabulary() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (word, forms) in FORMS {
            for form in forms.iter().filter(|form| !form.is_empty()) {
                let found = vocabulary.find_exact(Field::Colors, form).unwrap();
                assert_eq!(found.word, word, "{form}");
            }
        }
    }

    #[test]
    fn all_colors_are_exchanged_at_once_in_their_own_forms() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let word = |word: &str| vocabulary.find_exact(Field::Colors, word).unwrap();
        let plan = [
            ("red", "blue"),
            ("blue", "red"),
            ("white", "blue"),
            ("black", "navy"),
        ];
        let plan = plan.map(|(from, to)| (word(from), word(to)));
        for (before, after) in [
            (
                "빨간 리본과 파란 끈이 달린 모자",
                "파란 리본과 빨간 끈이 달린 모자",
            ),
            ("레드와 블루의 망토", "블루와 레드의 망토"),
            ("검은색과 금색의 망토", "남색과 금색의 망토"),
            ("검은빛으로 빛나는 붉은 망토", "남색으로 빛나는 파란 망토"),
            ("빨강이 섞인 망토", "파랑이 섞인 망토"),
            ("빨간색과 하얀색의 망토", "파란색의 망토"),
            ("빨간색과 하얀색이 섞인 망토", "파란색과 파란색이 섞인 망토"),
            ("빨간색, 하얀색", "파란색"),
            ("a red hat", "a blue hat"),
            ("초록 망토", "초록 망토"),
            // The name is nobody's claim.
            ("빨간 ♥화이트♥ 하얀 모자", "파란 ♥화이트♥ 파란 모자"),
        ] {
            let recolored = recolored(before, "♥화이트♥", &plan, &vocabulary);
            assert_eq!(recolored, after);
        }
    }
}
