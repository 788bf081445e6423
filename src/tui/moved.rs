//! Tells what has become of records and edits whose pictures are not where they were.

use super::app::App;
use crate::engine::MovedPictures;
use std::path::Path;

impl App {
    pub(super) fn tell_moved(&mut self, pictures: &MovedPictures) {
        let Some(text) = moved_words(pictures) else {
            return;
        };
        if pictures.withheld + pictures.withheld_edits > 0 {
            self.log_error(text.clone());
            self.warn(text);
        } else {
            self.say(text);
        }
    }
}

fn moved_words(pictures: &MovedPictures) -> Option<String> {
    let mut parts = Vec::new();
    if pictures.moved > 0 {
        parts.push(match pictures.moved {
            1 => "1 record followed its picture to another path".to_owned(),
            n => format!("{n} records followed their pictures to other paths"),
        });
    }
    let counted = |n, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let withheld = [
        counted(pictures.withheld, "record"),
        counted(pictures.withheld_edits, "edit"),
    ];
    let withheld: Vec<String> = withheld.into_iter().flatten().collect();
    if !withheld.is_empty() {
        let all = pictures.withheld + pictures.withheld_edits;
        let more = match all > pictures.paths.len() as u64 {
            true => ", ...",
            false => "",
        };
        parts.push(format!(
            "{} withheld, another picture is there now: {}{more} (text in labels_kept.jsonl)",
            withheld.join(" and "),
            pictures.paths.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A file of an earlier run whose journal was lost.
pub(super) fn rescued_words(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{name} holds what an earlier run did and the journal does not have: leave, and bring it \
         back with `labeler-tui journal restore`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(moved: u64, withheld: u64, edits: u64, paths: &[&str]) -> Option<String> {
        moved_words(&MovedPictures {
            moved,
            withheld,
            withheld_edits: edits,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        })
    }

    #[test]
    fn what_moved_and_what_is_withheld_is_counted_and_named() {
        assert_eq!(words(0, 0, 0, &[]), None);
        assert_eq!(
            words(1, 0, 0, &[]).unwrap(),
            "1 record followed its picture to another path"
        );
        assert_eq!(
            words(2, 1, 3, &["a.png", "b.png", "c.png"]).unwrap(),
            "2 records followed their pictures to other paths; 1 record and 3 edits withheld, \
             another picture is there now: a.png, b.png, c.png, ... (text in labels_kept.jsonl)"
        );
    }
}
