//! The parts of the long help and the manual pages that are not generated from the options.

use crate::export;
use crate::outdir::{JOURNAL, KEPT, LOG, UNREAD};
use std::fmt::Write as _;

/// A heading and its entries, each a term with its meaning.
pub(super) type Section<'a> = (&'a str, &'a [(&'a str, &'a str)]);

pub(super) const EXAMPLES: Section = (
    "Examples",
    &[
        (
            "labeler-tui --demo",
            "try it: built-in items and model, no download",
        ),
        (
            "labeler-tui --db db.sqlite --outdir labels",
            "label and review in the workstation",
        ),
        (
            "labeler-tui --batch --input items.jsonl --outdir labels --parquet",
            "label unattended",
        ),
        (
            "labeler-tui --batch --resume --db db.sqlite --outdir labels",
            "continue after an interruption",
        ),
        (
            "labeler-tui --db db.sqlite --outdir labels --no-model",
            "review only",
        ),
        (
            "labeler-tui --db db.sqlite --endpoint http://localhost:8000/v1",
            "label through a server",
        ),
        (
            "labeler-tui doctor --db db.sqlite --outdir labels",
            "check everything first",
        ),
    ],
);

/// The files in an outdir and in the user's folders, each with its purpose.
pub(super) fn files() -> Vec<(&'static str, &'static str)> {
    let others = [
        (
            UNREAD,
            "lines of an earlier labels.jsonl that cannot be read, byte for byte",
        ),
        (
            KEPT,
            "lines that another line or record replaced, byte for byte",
        ),
        (
            JOURNAL,
            "every attempt, edit and decision; the other files are exports of it",
        ),
        (LOG, "the log of the last runs"),
        (
            "~/.config/labeler-tui/keys.toml",
            "key bindings, unless --keymap is given",
        ),
        (
            "~/.cache/labeler-tui/quantized",
            "cached weights; can be deleted at any time",
        ),
        (
            "~/.cache/huggingface/hub",
            "downloaded models, shared with other programs",
        ),
    ];
    export::files().chain(others).collect()
}

pub(super) const ENVIRONMENT: Section = (
    "Environment",
    &[
        (
            "LABELER_NAME",
            "any option, as LABELER_BATCH_SIZE for --batch-size; flags win",
        ),
        (
            "LABELER_API_KEY",
            "sent to --endpoint as a bearer token, and to no other host",
        ),
        (
            "HF_TOKEN",
            "for private and gated models on the Hugging Face hub",
        ),
        ("HF_HOME, HF_HUB_CACHE", "where the shared model cache is"),
        ("HF_HUB_OFFLINE", "1 does the same as --offline"),
        (
            "http_proxy, https_proxy, no_proxy",
            "proxies, never for addresses on this machine",
        ),
        ("NO_COLOR", "any value: no colors"),
        (
            "RAYON_NUM_THREADS",
            "threads that the model uses; one per core by default",
        ),
    ],
);

pub(super) const EXIT_STATUS: Section = (
    "Exit status",
    &[
        ("0", "every item has a record or is rejected"),
        ("1", "could not continue, or no row of the source is usable"),
        ("2", "wrong usage or configuration"),
        ("3", "finished, but some items failed or rows were refused"),
        ("130", "interrupted; everything finished is saved"),
    ],
);

/// The text after the options in `--help`.
pub fn after_long_help() -> String {
    let mut text = String::new();
    for (heading, entries) in [EXAMPLES, ENVIRONMENT, EXIT_STATUS] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{heading}:");
        let widest = entries
            .iter()
            .map(|(term, _)| term.len())
            .max()
            .unwrap_or(0);
        for (term, what) in entries {
            // Long terms, such as commands, take a line of their own.
            let _ = match widest > 36 {
                true => writeln!(text, "  {term}\n      {what}"),
                false => writeln!(text, "  {term:widest$}  {what}"),
            };
        }
        text.push('\n');
    }
    text.push_str("See docs/ for more; `labeler-tui man` prints the manual page.");
    text
}

/// The text after the options in `-h`.
pub fn after_help() -> String {
    "See --help for details, examples, environment and exit status.".to_owned()
}
