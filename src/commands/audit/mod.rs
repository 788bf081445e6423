//! `labeler-tui audit`: a person judges a random sample of the committed records blind.

use super::{check_images_folder, find_image, load_vocabulary, lock_journal, write_out};
use crate::commands::options::AuditOptions;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::record::{AuditEstimate, GroupId, Item, SampledRecord};
use crate::store::{Journal, copy_to_read};
use crate::text::{count, for_line, pad};
use crate::tui::Exit;
use crate::tui::judging::{self, Ballot, Choice, Deck, Outcome};
use crate::wording::Words;
use std::io::Write;

/// How many strata the table lists.
const MAX_STRATA: usize = 12;

/// Shows the sample for judging and prints the estimate for all records; with `--json` only prints
/// it.
pub fn run(options: &AuditOptions, out: &mut dyn Write) -> Result<Exit> {
    check_images_folder(options.images.as_deref())?;
    let vocabulary = load_vocabulary(&options.outdir, options.vocabulary.as_deref())?;
    if options.json {
        let copy = copy_to_read(&options.outdir, vocabulary)?;
        let seed = seed(options, &copy.journal)?;
        let estimate = copy.journal.audit(Some(seed), options.width)?;
        let json = serde_json::to_string(&estimate);
        let json = json.context(ErrorKind::Internal, "writing the estimate")?;
        write_out(out, format!("{json}\n").as_bytes())?;
        return Ok(Exit::ByOperator);
    }
    // Reports a bad theme or a missing terminal before anything is opened.
    let palette = judging::prepare(&options.look)?;
    let mut journal = lock_journal(&options.outdir, &vocabulary)?;
    let seed = seed(options, &journal)?;
    let sample = journal.audit_sample(seed, options.sample)?;
    if sample.is_empty() {
        let cause = format!(
            "there is no committed record without a reason in {}",
            options.outdir.display()
        );
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("an audit judges committed records; commit some first"));
    }
    let images = options.images.as_deref();
    let picture = |item: &Item| {
        let known = item.file.clone().filter(|_| images.is_none());
        known.or_else(|| find_image(&item.image_path, images, &options.outdir))
    };
    let deck = Deck::audit(&sample, options.outdir.display().to_string(), picture);
    let mut audit = Audit {
        journal: &mut journal,
        sample: &sample,
        seed,
        width: options.width,
    };
    let exit = judging::judge(palette, &options.look, deck, &mut audit, None)?;
    if let Some(estimate) = journal.audit(Some(seed), options.width)? {
        write_out(out, table(&estimate).as_bytes())?;
    }
    Ok(exit)
}

/// The given seed, else that of the newest audit, else 0.
fn seed(options: &AuditOptions, journal: &Journal) -> Result<u64> {
    Ok(match options.seed {
        Some(seed) => seed,
        None => journal.newest_audit()?.unwrap_or_default(),
    })
}

/// Stores the judgments of an audit in the journal.
struct Audit<'a> {
    journal: &'a mut Journal,
    sample: &'a [SampledRecord],
    seed: u64,
    width: f64,
}

impl Ballot for Audit<'_> {
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()> {
        let verdict = choice.map(Choice::verdict);
        let (group, version): (GroupId, i64) = (self.sample[card].group, self.sample[card].version);
        self.journal.judge(self.seed, group, version, verdict)
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        let estimate = self.journal.audit(Some(self.seed), self.width)?;
        Ok(estimate.map(|estimate| Outcome::Audit(Box::new(estimate))))
    }
}

/// Formats the estimate and its strata.
fn table(estimate: &AuditEstimate) -> String {
    let mut text = String::new();
    for line in Words::ENGLISH.audit_lines(estimate) {
        text.push_str(&for_line(&line));
        text.push('\n');
    }
    let judged = estimate
        .strata
        .iter()
        .filter(|stratum| stratum.error.of > 0);
    let judged: Vec<_> = judged.take(MAX_STRATA).collect();
    if judged.is_empty() {
        return text;
    }
    text.push_str("\nsource           type             records  judged  wrong\n");
    for counts in judged {
        let item_type = counts.stratum.item_type.as_deref().unwrap_or("-");
        text.push_str(&format!(
            "{} {} {:>7} {:>7}  {:>5}  {}\n",
            pad(counts.stratum.source_type.as_str(), 16),
            pad(&for_line(item_type), 16),
            count(counts.records),
            counts.error.of,
            counts.error.hits,
            counts.error
        ));
    }
    text
}
