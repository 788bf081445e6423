//! Puts what the engine reports into words, for both front ends.

use crate::engine::{
    Blocked, Broken, Command, ModelInfo, ModelNotice, MovedPictures, Rescued, ServerNotice, Warning,
};
use crate::error::Error;
use crate::record::Alike;
use crate::text::gibibytes;

pub fn warning(warning: &Warning) -> String {
    match warning {
        Warning::Source(text) | Warning::Export(text) => text.clone(),
        Warning::Server(notice) => server_notice(notice),
        Warning::Model(notice) => model_notice(notice),
        Warning::NoModel => "no attempt can be made: there is no model".to_owned(),
        Warning::Refused(error) => error.cause.clone(),
        Warning::RunToRestore(path) => format!(
            "{0} holds what an earlier run did and the journal does not have; `labeler-tui journal \
             restore {0} --outdir {1}` brings it back",
            path.display(),
            path.parent().unwrap_or(path).display()
        ),
        Warning::JournalRewritten { set_aside: None } => "journal.sqlite was rewritten".to_owned(),
        Warning::JournalRewritten {
            set_aside: Some(path),
        } => format!(
            "journal.sqlite was rewritten; what was in its place is now {}",
            path.display()
        ),
    }
}

/// What has become of records and edits whose pictures are not where they were; nothing where all
/// are.
pub fn moved_pictures(pictures: &MovedPictures) -> Option<String> {
    let mut parts = Vec::new();
    match pictures.moved {
        0 => {}
        1 => parts.push("1 record followed its picture to another path".to_owned()),
        n => parts.push(format!(
            "{n} records followed their pictures to other paths"
        )),
    }
    let counted = |n: u64, noun: &str| match n {
        0 => None,
        1 => Some(format!("1 {noun}")),
        n => Some(format!("{n} {noun}s")),
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

/// What a score of uncertainty means: the share of such records that people change, and where
/// that is known from.
pub fn score(uncertainty: f32, alike: Option<Alike>) -> String {
    let percent = (uncertainty.clamp(0.0, 1.0) * 100.0).round();
    match alike {
        None => format!("{percent} %, estimated"),
        Some(Alike { changed, decided }) => {
            let were = if changed == 1 { "was" } else { "were" };
            format!("{percent} %: {changed} of {decided} like this {were} changed")
        }
    }
}

fn model_notice(notice: &ModelNotice) -> String {
    match notice {
        ModelNotice::NoAccelerator(error) => {
            format!("the CPU is used, although this build is for an accelerator: {error}")
        }
        ModelNotice::BatchCapped {
            wanted,
            fits,
            allowed,
            needed,
        } => format!(
            "{fits} icons are in flight instead of {wanted}: keys and values may take {}; for all \
             of them give --kv-memory {}",
            gibibytes(*allowed),
            size(*needed),
        ),
    }
}

/// What a model in this process takes; nothing where it is elsewhere.
pub fn model_memory(info: &ModelInfo) -> Option<String> {
    let memory = info.memory?;
    let free = match memory.free {
        Some(bytes) => format!(", {} free", gibibytes(bytes)),
        None => String::new(),
    };
    Some(format!(
        "weights {}, keys and values up to {}{free}",
        gibibytes(memory.weights),
        gibibytes(memory.caches)
    ))
}

/// Bytes as an option takes them, rounded up.
fn size(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{}MiB", bytes.div_ceil(1 << 20)),
        _ => format!(
            "{:.1}GiB",
            (bytes as f64 / (1u64 << 30) as f64 * 10.0).ceil() / 10.0
        ),
    }
}

pub fn server_notice(notice: &ServerNotice) -> String {
    match notice {
        ServerNotice::Proxy { url, proxy } => {
            format!("{url} is reached through the proxy {proxy}, as the environment says")
        }
        ServerNotice::Gone { url, why, others } => {
            let goes_on = match others {
                0 => "the run is paused until it is back".to_owned(),
                1 => "going on with one other server".to_owned(),
                others => format!("going on with {others} other servers"),
            };
            format!("{url} does not answer ({why}); {goes_on}")
        }
        ServerNotice::Back { url } => format!("{url} is back, going on"),
        ServerNotice::SchemaRefused { url, from, to } => {
            format!("{url} refuses {from}, going on with {to}")
        }
        ServerNotice::SchemaIgnored { url, from, to } => {
            format!("{url} accepts {from} but does not follow it, going on with {to}")
        }
        ServerNotice::NoProbabilities { url } => {
            format!("{url} gives no token probabilities; records have no confidence")
        }
    }
}

/// The error that says why nothing can be saved for now.
pub fn blocked(blocked: &Blocked) -> Error {
    with_run_log(blocked.error.clone(), blocked.run_log.as_ref())
}

/// The error that says why the engine could not go on, and where unsaved work is.
pub fn broken(broken: &Broken) -> Error {
    let error = broken.error.clone();
    match &broken.journal {
        Some(Rescued::To(path)) => {
            let cause = format!("{error}; all that it held is in {}", path.display());
            return Error::new(error.kind, cause).with_hint(format!(
                "`labeler-tui journal restore {} --outdir {}` goes on from it",
                path.display(),
                path.parent().unwrap_or(path).display()
            ));
        }
        Some(Rescued::Failed(other)) => {
            let context = format!("{error}, and it could not be saved elsewhere");
            return other.clone().context(context);
        }
        None => {}
    }
    let error = with_run_log(error, broken.run_log.as_ref());
    let unsaved: Vec<String> = broken.unsaved.iter().filter_map(decision).collect();
    if unsaved.is_empty() {
        return error;
    }
    Error {
        cause: format!("{}; not saved: {}", error.cause, unsaved.join(", ")),
        hint: Some("when it can be written again, start again and decide that again".to_owned()),
        ..error
    }
}

/// The name of a command that decides something.
fn decision(command: &Command) -> Option<String> {
    match command {
        Command::Apply { change, .. } => Some(change.name()),
        Command::Undo => Some("undo".to_owned()),
        Command::Redo => Some("redo".to_owned()),
        _ => None,
    }
}

fn with_run_log(error: Error, run_log: Option<&Rescued>) -> Error {
    let cause = match run_log {
        None => return error,
        Some(Rescued::To(path)) => {
            format!("{error}; what this run did is in {}", path.display())
        }
        Some(Rescued::Failed(other)) => {
            format!("{error}; what this run did could not be written down either: {other}")
        }
    };
    Error { cause, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cure;
    use crate::error::ErrorKind;
    use crate::record::{Change, GroupId};
    use std::path::PathBuf;

    fn damaged() -> Error {
        Error::new(ErrorKind::Store, "journal.sqlite was cut short").with_hint("look at the disk")
    }

    #[test]
    fn a_broken_run_says_what_is_not_saved_and_where_to_find_it() {
        let groups = vec![GroupId(1)];
        let change = Change::Accept;
        let told = broken(&Broken {
            unsaved: vec![Command::Apply { groups, change }, Command::Undo],
            run_log: Some(Rescued::To(PathBuf::from("out/run.jsonl"))),
            ..Broken::from(damaged())
        });
        assert_eq!(
            told.cause,
            "journal.sqlite was cut short; what this run did is in out/run.jsonl; \
             not saved: accept, undo"
        );
        assert!(told.hint.unwrap().contains("decide that again"));
        assert_eq!(broken(&damaged().into()), damaged());
    }

    #[test]
    fn a_journal_that_is_gone_is_named_where_it_was_saved() {
        let rescued = |journal| {
            broken(&Broken {
                journal: Some(journal),
                ..Broken::from(damaged())
            })
        };
        let saved = rescued(Rescued::To(PathBuf::from("out/rescued.sqlite")));
        assert!(
            saved
                .cause
                .ends_with("all that it held is in out/rescued.sqlite")
        );
        let hint = saved.hint.unwrap();
        assert!(hint.contains("journal restore out/rescued.sqlite --outdir out`"));
        let full = Error::new(ErrorKind::Store, "no space").with_hint("free some");
        let lost = rescued(Rescued::Failed(full));
        assert_eq!(
            lost.cause,
            "journal.sqlite was cut short, and it could not be saved elsewhere: no space"
        );
        assert_eq!(lost.hint.unwrap(), "free some");
    }

    #[test]
    fn what_moved_and_what_is_withheld_is_counted_and_named() {
        let words = |moved, withheld, withheld_edits, paths: &[&str]| {
            moved_pictures(&MovedPictures {
                moved,
                withheld,
                withheld_edits,
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            })
        };
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

    #[test]
    fn what_blocks_the_run_names_the_log_of_the_run() {
        let told = blocked(&Blocked {
            error: damaged(),
            cure: Cure::None,
            run_log: Some(Rescued::Failed(Error::new(ErrorKind::Store, "no space"))),
        });
        assert!(
            told.cause
                .ends_with("could not be written down either: no space")
        );
        assert_eq!(told.hint, damaged().hint);
    }
}
