//! Blind votes between two sets of records, kept in an append-only file.

use crate::commands::options::{BlindOptions, CompareOptions};
use crate::commands::write_out;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::outdir::{file_error, refuse_irregular};
use crate::record::{
    GroupId, ImageLocation, Labels, Record, Vote, VoteTally, pairs, shows_a_first, shuffle_key,
};
use crate::text::{for_line, hex, plural, utc};
use crate::tui::Exit;
use crate::tui::judging::{self, Ballot, Card, Choice, Deck, Outcome, Question};
use crate::wording::Words;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// A record with the location of its image, where that is known.
pub(super) struct Labeled {
    pub record: Record,
    pub picture: Option<ImageLocation>,
}

/// A line of the vote file. It identifies the two texts by their hashes, so that the vote is valid
/// only for them, whichever set is called A.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct VoteLine {
    at: String,
    image: String,
    a: String,
    b: String,
    /// `None` withdraws the newest vote on these texts.
    vote: Option<Vote>,
}

/// Two differing texts of one image.
struct BlindPair {
    image: String,
    /// Hashes of the texts.
    a: String,
    b: String,
    shows_a_first: bool,
    card: Card,
}

/// Collects a vote on every pair of texts and prints the result; with `--json` only prints it.
pub fn run(
    options: &CompareOptions,
    blind: &BlindOptions,
    a: &[Labeled],
    b: &[Labeled],
    out: &mut dyn Write,
) -> Result<Exit> {
    let matched = pairs(
        a.iter().map(|labeled| &labeled.record),
        b.iter().map(|labeled| &labeled.record),
    );
    let in_both = matched.len();
    let pairs = differing(matched, blind.seed, a, b);
    let VoteFile { votes, end } = match blind.votes.exists() {
        true => read(&blind.votes)?,
        false => VoteFile::default(),
    };
    let current = current_votes(&pairs, &votes);
    if options.json {
        return print_json(options, in_both, &pairs, &current, out);
    }
    if pairs.is_empty() {
        let cause = match in_both {
            0 => "no image is in both sets".to_owned(),
            n => format!("no text differs in the {} of both sets", plural(n, "image")),
        };
        return Err(Error::new(ErrorKind::Usage, cause));
    }
    let palette = judging::prepare(&blind.look)?;
    let cards = pairs.iter().map(|pair| pair.card.clone()).collect();
    let judged = current.iter().map(|(at, vote)| {
        let choice = match (vote, pairs[*at].shows_a_first) {
            (Vote::Equal, _) => Choice::Neither,
            (Vote::A, true) | (Vote::B, false) => Choice::One,
            (Vote::A, false) | (Vote::B, true) => Choice::Two,
        };
        (*at, choice)
    });
    let deck = Deck {
        question: Question::WhichIsBetter,
        cards,
        judged: judged.collect(),
        about: blind.votes.display().to_string(),
    };
    let mut ballot = VoteWriter {
        file: open(&blind.votes, &end)?,
        path: &blind.votes,
        pairs: &pairs,
        votes,
    };
    let exit = judging::judge(palette, &blind.look, deck, &mut ballot, None)?;
    let mut text = String::new();
    for line in Words::ENGLISH.vote_lines(&ballot.tally()) {
        text.push_str(&for_line(&line));
        text.push('\n');
    }
    text.push_str(&format!(
        "votes are in {}\n",
        for_line(&blind.votes.display().to_string())
    ));
    write_out(out, text.as_bytes())?;
    Ok(exit)
}

fn print_json(
    options: &CompareOptions,
    in_both: usize,
    pairs: &[BlindPair],
    votes: &[(usize, Vote)],
    out: &mut dyn Write,
) -> Result<Exit> {
    let tally = VoteTally::of(votes.iter().map(|(_, vote)| *vote));
    let json = json!({
        "a_is": options.a.display().to_string(),
        "b_is": options.b.display().to_string(),
        "both": in_both,
        "differing": pairs.len(),
        "votes": tally.total(),
        "a": tally.a,
        "b": tally.b,
        "equal": tally.equal,
        "b_wins": tally.b_wins,
        "winner": tally.winner(),
    });
    write_out(out, format!("{json}\n").as_bytes())?;
    Ok(Exit::ByOperator)
}

/// The pairs whose texts differ, in a shuffled order.
fn differing(
    matched: Vec<(usize, usize)>,
    seed: u64,
    a: &[Labeled],
    b: &[Labeled],
) -> Vec<BlindPair> {
    let mut numbered: Vec<(usize, (usize, usize))> = matched.into_iter().enumerate().collect();
    numbered.sort_by_key(|(number, _)| shuffle_key(seed, *number));
    let mut pairs = Vec::new();
    for (number, (in_a, in_b)) in numbered {
        let (a, b) = (&a[in_a], &b[in_b]);
        let (text_a, text_b) = (&a.record.labels, &b.record.labels);
        if text_a.differing(text_b).is_empty() {
            continue;
        }
        let shows_a_first = shows_a_first(seed, number);
        let (first, second) = match shows_a_first {
            true => (text_a, text_b),
            false => (text_b, text_a),
        };
        pairs.push(BlindPair {
            image: a.record.image(),
            a: text_hash(text_a),
            b: text_hash(text_b),
            shows_a_first,
            card: Card {
                group: GroupId(number as i64),
                picture: a.picture.clone().or_else(|| b.picture.clone()),
                name: a.record.item_name.clone(),
                about: None,
                first: first.clone(),
                second: Some(second.clone()),
            },
        });
    }
    pairs
}

/// Hashes the fields of a text.
fn text_hash(labels: &Labels) -> String {
    let mut hash = Sha256::new();
    for field in crate::record::Field::ALL {
        for value in labels.values(*field) {
            hash.update(value);
            // Never occurs in UTF-8.
            hash.update([0xff]);
        }
        hash.update([0xfe]);
    }
    hex(&hash.finalize()[..8])
}

/// The current vote of each pair that has one, oldest first.
fn current_votes(pairs: &[BlindPair], votes: &[VoteLine]) -> Vec<(usize, Vote)> {
    let pair_of_image = pairs.iter().enumerate();
    let pair_of_image: HashMap<&str, usize> = pair_of_image
        .map(|(at, pair)| (pair.image.as_str(), at))
        .collect();
    // The time and the vote of the newest line for each pair.
    let mut newest: HashMap<usize, (usize, Option<Vote>)> = HashMap::new();
    for (time, line) in votes.iter().enumerate() {
        let Some(&at) = pair_of_image.get(line.image.as_str()) else {
            continue;
        };
        let texts = (&pairs[at].a, &pairs[at].b);
        if texts == (&line.a, &line.b) {
            newest.insert(at, (time, line.vote));
        } else if texts == (&line.b, &line.a) {
            newest.insert(at, (time, line.vote.map(Vote::swapped)));
        }
    }
    let newest = newest.into_iter();
    let mut current: Vec<(usize, usize, Vote)> = newest
        .filter_map(|(at, (time, vote))| Some((time, at, vote?)))
        .collect();
    current.sort_unstable_by_key(|(time, ..)| *time);
    current
        .into_iter()
        .map(|(_, at, vote)| (at, vote))
        .collect()
}

/// The first bytes of every vote line.
const BEGIN: &str = "{\"at\":\"";

/// Whether this is the beginning of a vote line that was cut off when the program ended. The last
/// line of any other file must be left alone.
fn is_cut_off(line: &str) -> bool {
    line.starts_with(BEGIN) || BEGIN.starts_with(line)
}

/// The contents of a vote file.
#[derive(Default)]
struct VoteFile {
    votes: Vec<VoteLine>,
    end: BlindEnd,
}

/// How a vote file ends.
#[derive(Default)]
struct BlindEnd {
    bytes: u64,
    /// Length of a last line that was cut off when the program ended.
    cut_off: u64,
    /// The last line is complete but has no line end.
    lacks_line_end: bool,
}

/// Reads a vote file. A line that was cut off when the program ended does not count.
fn read(path: &Path) -> Result<VoteFile> {
    refuse_irregular(path).map_err(|error| error.with_hint("give --votes another name"))?;
    let bytes = std::fs::read(path).map_err(file_error("reading", path))?;
    let mut found = VoteFile::default();
    found.end.bytes = bytes.len() as u64;
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_ended = line.ends_with(b"\n");
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        match serde_json::from_str(text) {
            Ok(vote) => {
                found.votes.push(vote);
                found.end.lacks_line_end = !is_ended;
            }
            Err(_) if !is_ended && is_cut_off(text) => found.end.cut_off = line.len() as u64,
            Err(error) => {
                let what = format!("{} is not a vote file: line {}", path.display(), number + 1);
                return Err(error).context(ErrorKind::Usage, what);
            }
        }
    }
    Ok(found)
}

/// Opens the vote file to append, and removes a last line that was cut off when the program ended.
fn open(path: &Path, end: &BlindEnd) -> Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let mut votes = opened.map_err(file_error("opening", path))?;
    let bytes = votes.metadata().map_err(file_error("reading", path))?.len();
    if bytes != end.bytes {
        let cause = format!("{} was changed by another program", path.display());
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("vote in one terminal at a time, or give --votes another name"));
    }
    let repaired = match end.lacks_line_end {
        true => votes.write_all(b"\n"),
        false if end.cut_off > 0 => votes.set_len(bytes - end.cut_off),
        false => Ok(()),
    };
    repaired.map_err(file_error("writing", path))?;
    Ok(votes)
}

/// Appends votes to their file.
struct VoteWriter<'a> {
    file: File,
    path: &'a Path,
    pairs: &'a [BlindPair],
    votes: Vec<VoteLine>,
}

impl VoteWriter<'_> {
    fn tally(&self) -> VoteTally {
        let current = current_votes(self.pairs, &self.votes);
        VoteTally::of(current.into_iter().map(|(_, vote)| vote))
    }
}

impl Ballot for VoteWriter<'_> {
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()> {
        let pair = &self.pairs[card];
        let vote = choice.map(|choice| match (choice, pair.shows_a_first) {
            (Choice::One, true) | (Choice::Two, false) => Vote::A,
            (Choice::One, false) | (Choice::Two, true) => Vote::B,
            (Choice::Neither | Choice::Field(_), _) => Vote::Equal,
        });
        let line = VoteLine {
            at: utc(jiff::Timestamp::now()),
            image: pair.image.clone(),
            a: pair.a.clone(),
            b: pair.b.clone(),
            vote,
        };
        let text = serde_json::to_string(&line).context(ErrorKind::Internal, "writing a vote")?;
        self.file
            .write_all(format!("{text}\n").as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(file_error("writing", self.path))?;
        self.votes.push(line);
        Ok(())
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        Ok(Some(Outcome::Votes(self.tally())))
    }
}
