//! `show`: prints a built-in file as a starting point for a custom one.

use super::options::BuiltinFile;
use super::write_out;
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::builtin_prompts;
use crate::record::BUILTIN_VOCABULARY;
use crate::tui::BUILT_IN_THEMES;
use crate::tui::keymap::BUILT_IN;
use std::io::Write;

const SCHEMA: &str = include_str!("../../assets/record.schema.json");
const LICENSES: &str = concat!(
    include_str!("../../NOTICE"),
    "\n",
    include_str!("../../LICENSE-MIT"),
    "\n",
    // Written by `.ci/third_party.py`.
    include_str!("../../assets/THIRD-PARTY.txt"),
);

/// Writes the file to `out`.
///
/// # Errors
/// `ErrorKind::Usage` if no built-in file has the name.
pub fn run(file: &BuiltinFile, out: &mut dyn Write) -> Result<()> {
    let text = match file {
        BuiltinFile::Prompt(version) => named("prompt", version, &builtin_prompts()?)?,
        BuiltinFile::Keymap(name) => named("keymap", name, BUILT_IN)?,
        BuiltinFile::Theme(name) => named("theme", name, BUILT_IN_THEMES)?,
        BuiltinFile::Vocabulary => BUILTIN_VOCABULARY,
        BuiltinFile::Schema => SCHEMA,
        BuiltinFile::Licenses => LICENSES,
    };
    write_out(out, text.as_bytes())
}

fn named<'a, N: AsRef<str>>(kind: &str, name: &str, files: &[(N, &'a str)]) -> Result<&'a str> {
    let found = files.iter().find(|(known, _)| known.as_ref() == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_ref()).collect();
        let cause = format!("there is no built-in {kind} {name:?}");
        Error::new(ErrorKind::Usage, cause).with_hint(format!("one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Prompt;
    use crate::record::Vocabulary;

    fn shown(file: BuiltinFile) -> String {
        let mut out = Vec::new();
        run(&file, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn built_in_files_can_be_parsed() {
        let prompt = Prompt::parse(&shown(BuiltinFile::Prompt("v2".to_owned()))).unwrap();
        assert_eq!(prompt.version, "v2");
        Vocabulary::parse(&shown(BuiltinFile::Vocabulary)).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&shown(BuiltinFile::Schema)).unwrap();
        assert_eq!(schema["type"], "object");
        let keys: toml::Table = shown(BuiltinFile::Keymap("vim".to_owned()))
            .parse()
            .unwrap();
        assert!(!keys.is_empty());
        for name in ["dark", "light", "high-contrast", "color-blind"] {
            let theme: toml::Table = shown(BuiltinFile::Theme(name.to_owned())).parse().unwrap();
            assert!(!theme.is_empty());
        }
    }

    #[test]
    fn licenses_name_the_program_and_its_dependencies() {
        let shown = shown(BuiltinFile::Licenses);
        assert!(shown.starts_with("labeler-tui\nCopyright"));
        assert!(shown.contains("\ncandle-core "));
        assert!(shown.contains("Copyright (c) Microsoft Corporation"));
    }

    #[test]
    fn the_error_for_an_unknown_name_lists_the_known_names() {
        let error = run(&BuiltinFile::Prompt("v9".to_owned()), &mut Vec::new()).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert_eq!(error.hint.as_deref(), Some("one of v1, v2, v3, demo"));
    }
}
