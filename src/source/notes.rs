//! Summarizes problems with rows: the number of each kind, and where the first ones are.

use super::reading::Note;
use crate::text::{Said, count, plural, said};
use std::fmt::Write as _;
use std::path::Path;

/// Places shown per kind.
const MAX_PLACES: usize = 3;
/// Longest place in characters.
const MAX_PLACE_CHARS: usize = 200;
/// Kinds listed separately; the rest are counted together.
const MAX_KINDS: usize = 20;

#[derive(Debug, Default)]
pub struct Notes {
    kinds: Vec<NoteKind>,
    /// Rows of all other kinds: used and refused.
    others: [u64; 2],
}

#[derive(Debug)]
struct NoteKind {
    is_refused: bool,
    what: Said,
    rows: u64,
    first: Vec<Note>,
}

impl Notes {
    /// Counts a problem. `is_refused` means that the row is not used at all.
    pub fn add(&mut self, note: Note, is_refused: bool) {
        let known = |kind: &&mut NoteKind| kind.is_refused == is_refused && kind.what == note.what;
        if let Some(kind) = self.kinds.iter_mut().find(known) {
            kind.rows += 1;
            if kind.first.len() < MAX_PLACES {
                kind.first.push(note);
            }
        } else if self.kinds.len() < MAX_KINDS {
            self.kinds.push(NoteKind {
                is_refused,
                what: note.what.clone(),
                rows: 1,
                first: vec![note],
            });
        } else {
            self.others[usize::from(is_refused)] += 1;
        }
    }

    /// Number of refused rows.
    pub fn refused(&self) -> u64 {
        let refused = self.kinds.iter().filter(|kind| kind.is_refused);
        refused.map(|kind| kind.rows).sum::<u64>() + self.others[1]
    }

    /// One summary line per kind.
    pub fn lines(&self) -> Vec<Said> {
        let mut lines: Vec<Said> = self.kinds.iter().map(NoteKind::line).collect();
        let [used, refused] = self.others;
        if used > 0 {
            let (more, n) = (plural(used as usize, "more row"), count(used));
            lines.push(said!(
                "{more} for other reasons",
                "그 밖의 까닭으로 {n}행 더"
            ));
        }
        if refused > 0 {
            let (more, n) = (plural(refused as usize, "more row"), count(refused));
            lines.push(said!(
                "{more} refused for other reasons",
                "그 밖의 까닭으로 {n}행을 더 쓰지 않습니다"
            ));
        }
        lines
    }
}

impl NoteKind {
    fn line(&self) -> Said {
        let (rows, n) = (plural(self.rows as usize, "row"), count(self.rows));
        let places = self.places();
        let Said { english, korean } = &self.what;
        match self.is_refused {
            true => said!(
                "{rows} refused: {english} ({places})",
                "{n}행을 쓰지 않습니다: {korean} ({places})"
            ),
            false => said!("{rows}: {english} ({places})", "{n}행: {korean} ({places})"),
        }
    }

    fn places(&self) -> String {
        let mut line = String::new();
        let mut file: Option<&Path> = None;
        for (at, note) in self.first.iter().enumerate() {
            if at > 0 {
                line.push_str(", ");
            }
            if file != Some(&note.file) && note.file != Path::new("") {
                // Writing to a `String` cannot fail.
                let _ = write!(line, "{} ", note.file.display());
            }
            file = Some(&note.file);
            let place = note.place.char_indices().nth(MAX_PLACE_CHARS);
            line.push_str(&note.place[..place.map_or(note.place.len(), |(end, _)| end)]);
        }
        if self.rows > self.first.len() as u64 {
            line.push_str(", ...");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(file: &str, place: u64, what: &str) -> Note {
        Note {
            file: file.into(),
            place: format!("line {place}"),
            what: Said {
                english: what.to_owned(),
                korean: what.to_owned(),
            },
        }
    }

    #[test]
    fn a_line_counts_a_kind_and_names_its_first_places() {
        let mut notes = Notes::default();
        for line in 1..=8000 {
            notes.add(note("a.jsonl", line, "item_name is missing"), true);
        }
        notes.add(note("a.jsonl", 3, "ranking is a list"), false);
        notes.add(note("b.jsonl", 1, "ranking is a list"), false);
        assert_eq!(notes.refused(), 8000);
        let english = |said: Said| said.english;
        let lines: Vec<String> = notes.lines().into_iter().map(english).collect();
        assert_eq!(
            lines,
            [
                format!(
                    "{} refused: item_name is missing (a.jsonl line 1, line 2, line 3, ...)",
                    plural(8000, "row")
                ),
                "2 rows: ranking is a list (a.jsonl line 3, b.jsonl line 1)".to_owned(),
            ]
        );
    }

    #[test]
    fn further_kinds_are_counted_together() {
        let mut notes = Notes::default();
        for line in 0..100 {
            notes.add(note("a", line, &format!("wrong {line}")), true);
        }
        assert_eq!(notes.refused(), 100);
        assert_eq!(notes.lines().len(), MAX_KINDS + 1);
        let last = &notes.lines()[MAX_KINDS];
        assert_eq!(last.english, "80 more rows refused for other reasons");
        assert_eq!(last.korean, "그 밖의 까닭으로 80행을 더 쓰지 않습니다");
    }
}
