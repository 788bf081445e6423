//! Compares exported files of lines with what the journal would write.

use super::exporters::exporters;
use super::exports::read_lines;
use super::selection::{ExportIssues, ExportSelection, ExportView, LineImage};
use super::target::Target;
use crate::error::Result;
use crate::outdir::LABELS;
use crate::store::Journal;
use std::collections::HashMap;
use std::path::Path;

/// Differences between one file and what the journal would write. Lines are listed by image path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComparedFile {
    pub name: &'static str,
    /// Only the journal has these lines.
    pub missing: Vec<String>,
    /// Only the file has these lines.
    pub extra: Vec<String>,
    pub different: Vec<String>,
}

impl ComparedFile {
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.different.is_empty()
    }
}

/// Result of comparing all files of an outdir.
#[derive(Debug)]
pub struct Comparison {
    pub files: Vec<ComparedFile>,
    /// Records that are not exported as stored.
    pub issues: ExportIssues,
}

/// Compares the files of `outdir` with a copy of its journal. The expected files are written to the
/// copy's folder.
pub fn compare(copy: &Journal, outdir: &Path) -> Result<Comparison> {
    let selection = ExportSelection::of(copy, &outdir.join(LABELS))?;
    let view = ExportView {
        journal: copy,
        selection: &selection,
    };
    let with_lines = exporters().into_iter().filter(|of| of.has_lines());
    let compared = with_lines.map(|exporter| {
        let name = exporter.name();
        let target = Target::find(copy.outdir(), name)?;
        let mut sink = target.begin()?;
        exporter.write(&view, &mut sink)?;
        target.replace(sink.finish()?)?;
        let present = Target::find(outdir, name)?;
        let found = match present.path().exists() {
            true => lines_of(present.path())?,
            false => Vec::new(),
        };
        Ok(compare_lines(name, &lines_of(target.path())?, &found))
    });
    let files = compared.collect::<Result<_>>()?;
    Ok(Comparison {
        files,
        issues: selection.issues,
    })
}

/// Returns the nonblank lines of a file.
fn lines_of(path: &Path) -> Result<Vec<Vec<u8>>> {
    let mut lines = read_lines(path)?;
    lines.retain(|line| !line.trim_ascii().is_empty());
    Ok(lines)
}

fn compare_lines(name: &'static str, expected: &[Vec<u8>], found: &[Vec<u8>]) -> ComparedFile {
    let mut compared = ComparedFile {
        name,
        ..ComparedFile::default()
    };
    let mut left: HashMap<String, Vec<&[u8]>> = HashMap::new();
    for line in found {
        left.entry(line_name(line)).or_default().push(line);
    }
    for line in expected {
        let path = line_name(line);
        match left.get_mut(&path).filter(|lines| !lines.is_empty()) {
            None => compared.missing.push(path),
            Some(lines) => {
                let same = lines.iter().position(|other| other == line);
                lines.remove(same.unwrap_or_default());
                if same.is_none() {
                    compared.different.push(path);
                }
            }
        }
    }
    for line in found {
        let path = line_name(line);
        if let Some(lines) = left.get_mut(&path)
            && let Some(at) = lines.iter().position(|other| other == line)
        {
            lines.remove(at);
            compared.extra.push(path);
        }
    }
    compared
}

/// Returns how a line is listed: by its image path, or else by its first characters.
fn line_name(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let image = LineImage::of(text.trim_start_matches('\u{feff}'));
    match image.and_then(|image| image.image_path) {
        Some(path) => path,
        None => text.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_missing_extra_or_different() {
        let line = |path: &str, label: &str| {
            format!("{{\"image_path\": \"{path}\", \"label_ko\": \"{label}\"}}").into_bytes()
        };
        let expected = [line("a", "1"), line("b", "1"), line("c", "1")];
        let found = [
            line("c", "1"),
            line("b", "2"),
            line("b", "1"),
            line("d", "1"),
            b"half a li".to_vec(),
        ];
        let compared = compare_lines("x", &expected, &found);
        assert_eq!(compared.missing, ["a"]);
        assert_eq!(compared.extra, ["b", "d", "half a li"]);
        assert_eq!(compared.different, [""; 0]);
        let compared = compare_lines("x", &expected[..1], &[line("a", "2")]);
        assert_eq!(compared.different, ["a"]);
        assert!(compare_lines("x", &expected, &expected).is_same());
    }
}
