//! Macros for the tables of texts.

/// Defines one method of [`Words`](super::Words) per text. Arguments are declared in parentheses
/// after the name and used in braces inside the text. A Korean particle in braces takes the form
/// that fits the word before it.
///
/// ```text
/// words! {
///     nothing_left: "Nothing is left." / "남은 것이 없습니다.",
///     retrying(name): "retrying {name}" / "{name}{을} 다시 물었습니다",
/// }
/// ```
macro_rules! words {
    ($($name:ident $(($($arg:ident),+))?: $english:literal / $korean:literal),+ $(,)?) => {
        impl $crate::wording::Words {
            $(words! { @method $name $(($($arg),+))? $english $korean })+
        }

        #[cfg(test)]
        mod table {
            #[test]
            fn all_languages_use_the_same_arguments() {
                $($crate::wording::table::check(stringify!($name), $english, $korean);)+
            }
        }
    };
    (@method $name:ident $english:literal $korean:literal) => {
        pub fn $name(self) -> &'static str {
            self.phrase($crate::text::Phrase::new($english, $korean))
        }
    };
    (@method $name:ident ($($arg:ident),+) $english:literal $korean:literal) => {
        pub fn $name(self, $($arg: impl std::fmt::Display),+) -> String {
            match self.language() {
                $crate::text::Language::English => format!($english),
                $crate::text::Language::Korean => {
                    #[allow(unused_imports, reason = "a text may need no particle")]
                    use $crate::text::particles::marks::*;
                    $crate::text::particles::fit_particles(&format!($korean))
                }
            }
        }
    };
}

/// Defines methods for counted nouns, from the English noun and the Korean phrase for `n`.
macro_rules! counted {
    ($($name:ident: $noun:literal / $korean:literal),+ $(,)?) => {
        impl $crate::wording::Words {
            $(pub fn $name(self, n: usize) -> String {
                match self.language() {
                    $crate::text::Language::English => $crate::text::plural(n, $noun),
                    $crate::text::Language::Korean => {
                        format!($korean, n = $crate::text::count(n as u64))
                    }
                }
            })+
        }
    };
}

#[cfg(test)]
pub fn check(name: &str, english: &str, korean: &str) {
    let hangul = |c: char| ('가'..='힣').contains(&c);
    let arg = |text: &str| -> std::collections::BTreeSet<String> {
        let parts = text.split('{').skip(1);
        let names = parts.filter_map(|part| part.split(['}', ':']).next());
        let names = names.filter(|name| !name.chars().any(hangul));
        names.map(str::to_owned).collect()
    };
    assert_eq!(arg(english), arg(korean), "{name}");
    assert!(!english.chars().any(hangul), "{name}: {english}");
    // A text without letters may be the same in both languages.
    let letters = |text: &str| text.split(['{', '}']).step_by(2).collect::<String>();
    let says = letters(english).chars().any(char::is_alphabetic);
    assert!(!says || korean != english, "{name}: {korean}");
    assert_eq!(english.trim(), english, "{name}");
    assert_eq!(korean.trim(), korean, "{name}");
}
