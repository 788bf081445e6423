//! The form of the table.

/// A chapter of the table: methods of [`Words`](super::Words) by the name of each text. What is put
/// into a text is named in parentheses behind its name and in braces within it; a Korean particle
/// in braces takes the form that fits the word before it.
///
/// ```text
/// words! {
///     nothing_left: "Nothing is left." / "남은 것이 없습니다.",
///     asked_again(name): "asked {name} again" / "{name}{을} 다시 물었습니다",
/// }
/// ```
macro_rules! words {
    ($($name:ident $(($($put:ident),+))?: $english:literal / $korean:literal),+ $(,)?) => {
        impl $crate::wording::Words {
            $(words! { @method $name $(($($put),+))? $english $korean })+
        }

        #[cfg(test)]
        mod table {
            #[test]
            fn every_text_puts_in_the_same_in_each_language() {
                $($crate::wording::table::check(stringify!($name), $english, $korean);)+
            }
        }
    };
    (@method $name:ident $english:literal $korean:literal) => {
        pub fn $name(self) -> &'static str {
            self.phrase($crate::text::Phrase::new($english, $korean))
        }
    };
    (@method $name:ident ($($put:ident),+) $english:literal $korean:literal) => {
        pub fn $name(self, $($put: impl std::fmt::Display),+) -> String {
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

/// Numbers of things: a method by the name of each, with its English noun and the Korean for `n`.
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
    let put = |text: &str| -> std::collections::BTreeSet<String> {
        let parts = text.split('{').skip(1);
        let names = parts.filter_map(|part| part.split(['}', ':']).next());
        let names = names.filter(|name| !name.chars().any(hangul));
        names.map(str::to_owned).collect()
    };
    assert_eq!(put(english), put(korean), "{name}");
    assert!(!english.chars().any(hangul), "{name}: {english}");
    // Of few words nothing is left to say in another language.
    let letters = |text: &str| text.split(['{', '}']).step_by(2).collect::<String>();
    let says = letters(english).chars().any(char::is_alphabetic);
    assert!(!says || korean != english, "{name}: {korean}");
    assert_eq!(english.trim(), english, "{name}");
    assert_eq!(korean.trim(), korean, "{name}");
}
