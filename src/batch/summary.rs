//! The summary of a run, as text and as JSON.

use crate::engine::{RemoteCounts, RetryCounts, Summary};
use crate::record::FailureCode;
use crate::text::{duration, for_line, plural, shortened};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Failures of each code that the summary lists as examples. Each was reported when it happened,
/// and the file of failures has them all.
const EXAMPLES: usize = 3;
/// Longest example in characters.
const MAX_EXAMPLE_CHARS: usize = 500;

#[derive(Debug, Default)]
pub struct Failures(BTreeMap<FailureCode, Vec<String>>);

impl Failures {
    pub fn push(&mut self, code: FailureCode, example: &str) {
        let examples = self.0.entry(code).or_default();
        if examples.len() < EXAMPLES {
            examples.push(shortened(example, MAX_EXAMPLE_CHARS).into_owned());
        }
    }
}

pub fn lines(summary: &Summary, failures: &Failures) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(nothing_done(summary));
    let rows = match summary.rows {
        0 => String::new(),
        rows => format!(" in {}", plural(rows as usize, "row")),
    };
    lines.push(format!(
        "{} ({} new) of {}{rows}, {}",
        plural(summary.records as usize, "record"),
        summary.new_records,
        plural(summary.groups as usize, "image"),
        duration(summary.seconds)
    ));
    if summary.refused > 0 {
        let rows = plural(summary.refused as usize, "row");
        lines.push(format!("refused: {rows} (the warnings say why)"));
    }
    let reasons = summary.by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, n)| format!("{} {n}", reason.code()))
        .collect();
    if !reasons.is_empty() {
        lines.push(format!(
            "uncertain: {} of {} ({})",
            summary.uncertain,
            summary.committed,
            reasons.join(", ")
        ));
    }
    if summary.unmarked > 0 {
        lines.push(format!(
            "not flagged in the files: {} of the uncertain (a line changes only when it is committed again)",
            summary.unmarked
        ));
    }
    let pictures = &summary.pictures;
    lines.extend(count_line(
        "moved",
        pictures.moved,
        "the line has the new path of its image",
    ));
    lines.extend(count_line(
        "withheld",
        pictures.withheld,
        "the image of the record is no longer at its path",
    ));
    lines.extend(count_line(
        "withheld edits",
        pictures.withheld_edits,
        "the image of the edited text is no longer at its path",
    ));
    let paths = pictures.paths.iter();
    lines.extend(paths.map(|path| format!("  {path}")));
    lines.extend(count_line(
        "damaged",
        summary.damaged,
        "the record in the journal differs from what was committed",
    ));
    lines.extend(count_line(
        "derived",
        summary.derived,
        "from the record of another color of the same icon",
    ));
    lines.extend(count_line(
        "new answers",
        summary.offered,
        "they differ from the drafts and wait in the workstation",
    ));
    lines.extend(count_line(
        "no new answer",
        summary.unanswered,
        "the requests failed; the records stay as they are",
    ));
    if summary.retries.made > 0 {
        lines.push(retry_line(summary.retries));
    }
    for (code, n) in &summary.failures {
        lines.push(format!("failed: {n} {}", code.code()));
        let examples = failures.0.get(code).into_iter().flatten();
        lines.extend(examples.map(|example| format!("  {example}")));
    }
    if !summary.open.is_empty() {
        lines.push(format!(
            "no record: {} (edited by an operator and not committed; commit them in the workstation)",
            summary.open.len()
        ));
        let examples = summary.open.iter().take(EXAMPLES);
        lines.extend(examples.map(|path| format!("  {}", shortened(path, MAX_EXAMPLE_CHARS))));
    }
    lines.extend(count_line(
        "rejected",
        summary.rejected,
        "by an operator; they have no record",
    ));
    let why = "changed by an operator; their records stay until the change is committed in the \
               workstation";
    lines.extend(count_line("not committed", summary.uncommitted, why));
    if summary.waiting > 0 {
        lines.push(format!("not labeled: {}", summary.waiting));
    }
    lines.extend(stage_line(summary));
    if let Some(counts) = &summary.remote {
        lines.push(remote_line(counts));
    }
    let files = summary.files.iter();
    lines.extend(files.map(|file| format!("{}: {}", file.title, file.path.display())));
    // Names, paths and server messages are untrusted.
    lines.iter().map(|line| for_line(line)).collect()
}

/// The line for a count, with what it means; `None` for 0.
fn count_line(what: &str, n: u64, why: &str) -> Option<String> {
    (n > 0).then(|| format!("{what}: {n} ({why})"))
}

/// Explains why a run labeled and committed nothing.
fn nothing_done(summary: &Summary) -> Option<String> {
    if summary.requests > 0 || summary.new_records > 0 || summary.waiting > 0 || summary.interrupted
    {
        return None;
    }
    let failed: u64 = summary.failures.iter().map(|(_, n)| n).sum();
    let open = summary.open.len();
    let has_record = match summary.rejected {
        0 => "has a record",
        _ => "has a record or is rejected",
    };
    Some(match (open, failed) {
        _ if summary.groups == 0 && summary.refused > 0 => return None,
        _ if summary.groups == 0 => "nothing to do: the source has no items".to_owned(),
        (0, 0) => format!("nothing to do: every image {has_record}"),
        (0, _) => {
            format!("nothing to do: every image {has_record}, except {failed} that still fail")
        }
        _ => format!("nothing to do: images without a record wait in the workstation ({open})"),
    })
}

/// Seconds per answer in each stage. Answers in flight share the time, so it does not give the
/// icons per minute.
fn stage_line(summary: &Summary) -> Option<String> {
    let answers = summary.requests.max(1) as f64;
    let stages: Vec<String> = STAGES
        .iter()
        .zip(summary.stage_seconds)
        .filter(|(_, seconds)| *seconds > 0.0)
        .map(|(name, seconds)| match seconds / answers {
            each if each < 1.0 => format!("{name} {:.0} ms", each * 1e3),
            each => format!("{name} {}", duration(each)),
        })
        .collect();
    (!stages.is_empty()).then(|| format!("time per answer: {}", stages.join(", ")))
}

fn retry_line(retries: RetryCounts) -> String {
    format!(
        "quality retries: {}, of which {} gave a better record, {} without a reason",
        retries.made, retries.better, retries.without_reason
    )
}

fn remote_line(counts: &RemoteCounts) -> String {
    format!(
        "server: requests {}, retries {}, bytes sent {}, bytes received {}, prompt tokens {}, new tokens {}",
        counts.requests,
        counts.retries,
        counts.bytes_sent,
        counts.bytes_received,
        counts.prompt_tokens,
        counts.new_tokens
    )
}

const STAGES: [&str; 4] = ["preprocess", "vision", "prefill", "decode"];

pub fn json(summary: &Summary) -> Value {
    let reasons = summary.by_reason.iter();
    let by_reason: Map<_, _> = reasons
        .map(|(reason, n)| (reason.code().to_owned(), json!(n)))
        .collect();
    let failures = summary.failures.iter();
    let failures: Map<_, _> = failures
        .map(|(code, n)| (code.code().to_owned(), json!(n)))
        .collect();
    let stages: Map<_, _> = STAGES
        .iter()
        .zip(summary.stage_seconds)
        .map(|(name, seconds)| ((*name).to_owned(), json!(seconds)))
        .collect();
    let retries = summary.retries;
    let mut value = json!({
        "event": "summary", "rows": summary.rows, "refused": summary.refused, "groups": summary.groups,
        "records": summary.records, "new_records": summary.new_records, "requests": summary.requests, "derived": summary.derived,
        "moved": summary.pictures.moved, "withheld": summary.pictures.withheld,
        "withheld_edits": summary.pictures.withheld_edits,
        "withheld_paths": summary.pictures.paths, "damaged": summary.damaged,
        "uncertain": summary.uncertain, "unmarked": summary.unmarked, "by_reason": by_reason, "failures": failures,
        "quality_retries": {
            "made": retries.made, "better": retries.better,
            "without_reason": retries.without_reason,
        },
        "offered": summary.offered, "unanswered": summary.unanswered, "waiting": summary.waiting, "open": summary.open.len(),
        "open_paths": summary.open, "rejected": summary.rejected,
        "uncommitted": summary.uncommitted, "committed": summary.committed,
        "interrupted": summary.interrupted, "seconds": summary.seconds,
        "stage_seconds": stages,
    });
    add_remote(&mut value, summary.remote);
    value
}

/// Adds the traffic with the servers to an event, where the run uses servers.
pub fn add_remote(event: &mut Value, counts: Option<RemoteCounts>) {
    if let Some(counts) = counts {
        event["remote"] = json!({
            "requests": counts.requests, "retries": counts.retries,
            "bytes_sent": counts.bytes_sent, "bytes_received": counts.bytes_received,
            "prompt_tokens": counts.prompt_tokens, "new_tokens": counts.new_tokens,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MovedPictures;
    use crate::record::Reason;

    fn text(summary: &Summary) -> Vec<String> {
        let mut failures = Failures::default();
        for n in 0..EXAMPLES + 2 {
            failures.push(FailureCode::ModelError, &format!("\u{1b}[2J모자 {n}"));
        }
        lines(summary, &failures)
    }

    #[test]
    fn every_count_has_a_line() {
        let summary = Summary {
            rows: 90,
            refused: 12,
            groups: 40,
            records: 35,
            new_records: 30,
            pictures: MovedPictures {
                moved: 4,
                withheld: 2,
                withheld_edits: 1,
                paths: vec!["icons/\u{1b}a.png".into()],
            },
            damaged: 1,
            requests: 34,
            committed: 50,
            uncertain: 3,
            unmarked: 2,
            by_reason: vec![(Reason::FewTags, 2), (Reason::ColorMismatch, 1)],
            failures: vec![(FailureCode::MissingImage, 3), (FailureCode::ModelError, 5)],
            offered: 2,
            unanswered: 1,
            open: vec!["icons/모자.png".into()],
            rejected: 3,
            uncommitted: 4,
            retries: RetryCounts {
                made: 4,
                better: 3,
                without_reason: 1,
            },
            seconds: 75.0,
            stage_seconds: [0.5, 0.0, 2.0, 60.04],
            ..Summary::default()
        };
        assert_eq!(
            text(&summary),
            [
                "35 records (30 new) of 40 images in 90 rows, 1 min 15 s",
                "refused: 12 rows (the warnings say why)",
                "uncertain: 3 of 50 (few_tags 2, color_mismatch 1)",
                "not flagged in the files: 2 of the uncertain (a line changes only when it is committed again)",
                "moved: 4 (the line has the new path of its image)",
                "withheld: 2 (the image of the record is no longer at its path)",
                "withheld edits: 1 (the image of the edited text is no longer at its path)",
                "  icons/\u{fffd}a.png",
                "damaged: 1 (the record in the journal differs from what was committed)",
                "new answers: 2 (they differ from the drafts and wait in the workstation)",
                "no new answer: 1 (the requests failed; the records stay as they are)",
                "quality retries: 4, of which 3 gave a better record, 1 without a reason",
                "failed: 3 missing_image",
                "failed: 5 model_error",
                "  \u{fffd}[2J모자 0",
                "  \u{fffd}[2J모자 1",
                "  \u{fffd}[2J모자 2",
                "no record: 1 (edited by an operator and not committed; commit them in the workstation)",
                "  icons/모자.png",
                "rejected: 3 (by an operator; they have no record)",
                "not committed: 4 (changed by an operator; their records stay until the change is \
                 committed in the workstation)",
                "time per answer: preprocess 15 ms, prefill 59 ms, decode 1.8 s"
            ]
        );
    }

    #[test]
    fn a_run_without_work_says_why() {
        let first_line = |open, failed| {
            let summary = Summary {
                groups: 10,
                open: vec![String::new(); open],
                failures: vec![(FailureCode::MissingImage, failed)],
                ..Summary::default()
            };
            text(&summary).swap_remove(0)
        };
        assert_eq!(first_line(0, 0), "nothing to do: every image has a record");
        assert!(first_line(0, 2).ends_with("except 2 that still fail"));
        assert!(first_line(1, 2).contains("in the workstation (1)"));
        let rejected = Summary {
            groups: 1,
            rejected: 1,
            ..Summary::default()
        };
        assert!(text(&rejected)[0].ends_with("every image has a record or is rejected"));
        let interrupted = Summary {
            waiting: 1,
            ..Summary::default()
        };
        assert!(!text(&interrupted)[0].contains("nothing to do"));
        let interrupted_early = Summary {
            interrupted: true,
            ..Summary::default()
        };
        let lines = text(&interrupted_early);
        assert!(!lines[0].contains("nothing to do"), "{lines:?}");
    }

    #[test]
    fn one_of_anything_is_singular() {
        let summary = Summary {
            rows: 1,
            refused: 1,
            groups: 1,
            records: 1,
            new_records: 1,
            ..Summary::default()
        };
        assert_eq!(
            text(&summary),
            [
                "1 record (1 new) of 1 image in 1 row, 0.0 s",
                "refused: 1 row (the warnings say why)",
            ]
        );
    }
}
