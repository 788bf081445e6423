//! Blind votes between two sets of records, kept in a file that only grows.

use crate::commands::write_out;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::outdir::{file, refuse_irregular};
use crate::record::{
    GroupId, ImageLocation, Labels, Record, Vote, VoteTally, pairs, shows_a_first, shuffle_key,
};
use crate::settings::{BlindOptions, CompareOptions};
use crate::text::{for_line, hex, utc};
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

/// A record, with the place of its image where that is known.
pub(super) struct Labeled {
    pub record: Record,
    pub picture: Option<ImageLocation>,
}

/// A line of the file of votes. Texts are named by their hashes, so that a vote is about these two
/// texts and no others, whichever set is called A.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct VoteLine {
    at: String,
    image: String,
    a: String,
    b: String,
    /// `None` takes the newest vote on these texts back.
    vote: Option<Vote>,
}

/// Two texts of one image that differ.
struct Pair {
    image: String,
    /// Hashes of the texts.
    a: String,
    b: String,
    shows_a_first: bool,
    card: Card,
}

/// Has every pair of texts voted on, and prints what came of it; with `--json` only prints it.
pub fn run(
    options: &CompareOptions,
    blind: &BlindOptions,
    a: &[Labeled],
    b: &[Labeled],
    out: &mut dyn Write,
) -> Result<Exit> {
    let found = pairs(a.iter().map(|of| &of.record), b.iter().map(|of| &of.record));
    let in_both = found.len();
    let pairs = differing(found, blind.seed, a, b);
    let VotesSoFar { votes, end } = match blind.votes.exists() {
        true => read(&blind.votes)?,
        false => VotesSoFar::default(),
    };
    let standing = standing(&pairs, &votes);
    if options.json {
        return print_json(options, in_both, &pairs, &standing, out);
    }
    let palette = judging::prepare(&blind.look)?;
    let cards = pairs.iter().map(|pair| pair.card.clone()).collect();
    let judged = standing.iter().map(|(at, vote)| {
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
    let mut ballot = Votes {
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
    pairs: &[Pair],
    standing: &[(usize, Vote)],
    out: &mut dyn Write,
) -> Result<Exit> {
    let tally = VoteTally::of(standing.iter().map(|(_, vote)| *vote));
    let json = json!({
        "a_is": options.a.display().to_string(),
        "b_is": options.b.display().to_string(),
        "both": in_both,
        "differing": pairs.len(),
        "votes": tally.all(),
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
fn differing(found: Vec<(usize, usize)>, seed: u64, a: &[Labeled], b: &[Labeled]) -> Vec<Pair> {
    let mut numbered: Vec<(usize, (usize, usize))> = found.into_iter().enumerate().collect();
    numbered.sort_by_key(|(number, _)| shuffle_key(seed, *number));
    let mut pairs = Vec::new();
    for (number, (of_a, of_b)) in numbered {
        let (a, b) = (&a[of_a], &b[of_b]);
        let (text_a, text_b) = (&a.record.labels, &b.record.labels);
        if text_a.differing(text_b).is_empty() {
            continue;
        }
        let shows_a_first = shows_a_first(seed, number);
        let (first, second) = match shows_a_first {
            true => (text_a, text_b),
            false => (text_b, text_a),
        };
        pairs.push(Pair {
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

/// Names a text: the same fields give the same name.
fn text_hash(labels: &Labels) -> String {
    let mut hash = Sha256::new();
    for field in crate::record::Field::ALL {
        for value in labels.values(*field) {
            hash.update(value);
            // No byte of UTF-8.
            hash.update([0xff]);
        }
        hash.update([0xfe]);
    }
    hex(&hash.finalize()[..8])
}

/// The pairs that have a vote, in the order of time.
fn standing(pairs: &[Pair], votes: &[VoteLine]) -> Vec<(usize, Vote)> {
    let places = pairs.iter().enumerate();
    let places: HashMap<&str, usize> = places.map(|(at, pair)| (pair.image.as_str(), at)).collect();
    // When each was voted on last, and how.
    let mut newest: HashMap<usize, (usize, Option<Vote>)> = HashMap::new();
    for (time, line) in votes.iter().enumerate() {
        let Some(&at) = places.get(line.image.as_str()) else {
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
    let mut standing: Vec<(usize, usize, Vote)> = newest
        .filter_map(|(at, (time, vote))| Some((time, at, vote?)))
        .collect();
    standing.sort_unstable_by_key(|(time, ..)| *time);
    standing
        .into_iter()
        .map(|(_, at, vote)| (at, vote))
        .collect()
}

/// How every vote begins.
const BEGIN: &str = "{\"at\":\"";

/// Whether this is the beginning of a vote that was cut off when the program ended; the last line
/// of any other file is left alone.
fn is_cut_off(line: &str) -> bool {
    line.starts_with(BEGIN) || BEGIN.starts_with(line)
}

/// What a file of votes holds.
#[derive(Default)]
struct VotesSoFar {
    votes: Vec<VoteLine>,
    end: End,
}

/// How a file of votes ends.
#[derive(Default)]
struct End {
    bytes: u64,
    /// So many of them are a line that was cut off when the program ended.
    cut_off: u64,
    /// The last line is whole and nothing ends it.
    is_open: bool,
}

/// The votes of a file. A line that was cut off when the program ended is none.
fn read(path: &Path) -> Result<VotesSoFar> {
    refuse_irregular(path).map_err(|error| error.with_hint("give --votes another name"))?;
    let bytes = std::fs::read(path).map_err(file("reading", path))?;
    let mut found = VotesSoFar::default();
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
                found.end.is_open = !is_ended;
            }
            Err(_) if !is_ended && is_cut_off(text) => found.end.cut_off = line.len() as u64,
            Err(error) => {
                let what = format!(
                    "{} is no file of votes: line {}",
                    path.display(),
                    number + 1
                );
                return Err(error).context(ErrorKind::Usage, what);
            }
        }
    }
    Ok(found)
}

/// Opened to add votes to what was read, without a line that was cut off when the program ended.
fn open(path: &Path, end: &End) -> Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let mut votes = opened.map_err(file("opening", path))?;
    let bytes = votes.metadata().map_err(file("reading", path))?.len();
    if bytes != end.bytes {
        let cause = format!("{} was changed meanwhile", path.display());
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("vote in one terminal at a time, or give --votes another name"));
    }
    let ended = match end.is_open {
        true => votes.write_all(b"\n"),
        false if end.cut_off > 0 => votes.set_len(bytes - end.cut_off),
        false => Ok(()),
    };
    ended.map_err(file("writing", path))?;
    Ok(votes)
}

/// Where votes go.
struct Votes<'a> {
    file: File,
    path: &'a Path,
    pairs: &'a [Pair],
    votes: Vec<VoteLine>,
}

impl Votes<'_> {
    fn tally(&self) -> VoteTally {
        let standing = standing(self.pairs, &self.votes);
        VoteTally::of(standing.into_iter().map(|(_, vote)| vote))
    }
}

impl Ballot for Votes<'_> {
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
            .map_err(file("writing", self.path))?;
        self.votes.push(line);
        Ok(())
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        Ok(Some(Outcome::Votes(self.tally())))
    }
}
