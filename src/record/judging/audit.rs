//! An audit: people judge a random sample of the committed records that have no reason, and that
//! says how many of all of them are wrong.

use super::rate::interval;
use super::{Candidate, Rate, Stratum};
use crate::record::{Field, GroupId, Item, Labels};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What a sample is planned by while little is judged: as if one of so many had been wrong.
const PLANNED: f64 = 20.0;
/// A threshold of uncertainty rests on at least so many judgments above it.
const LEAST_ABOVE: u64 = 5;
/// The thresholds of uncertainty that are looked at, in twentieths.
const THRESHOLDS: std::ops::Range<u8> = 1..20;

/// The names of all verdicts.
pub const VERDICTS: [&str; 3] = ["right", "wrong", "unsure"];

/// What a person says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Right,
    /// With the field that is wrong.
    Wrong(Field),
    Unsure,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong(_) => "wrong",
            Self::Unsure => "unsure",
        }
    }

    pub fn field(self) -> Option<Field> {
        match self {
            Self::Wrong(field) => Some(field),
            Self::Right | Self::Unsure => None,
        }
    }

    pub fn parse(name: &str, field: Option<&str>) -> Option<Self> {
        match name {
            "right" => Some(Self::Right),
            "unsure" => Some(Self::Unsure),
            "wrong" => {
                let field = Field::ALL.iter().find(|of| Some(of.key()) == field);
                field.copied().map(Self::Wrong)
            }
            _ => None,
        }
    }
}

/// A judgment that nobody has taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgment {
    pub group: GroupId,
    /// The version of the text that was judged: of another one it says nothing.
    pub version: i64,
    pub verdict: Verdict,
}

/// How many records an audit draws if nobody says otherwise.
pub const DEFAULT_SAMPLE_SIZE: usize = 200;

/// A record of the sample of an audit.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledRecord {
    pub group: GroupId,
    /// The version of its text that is committed.
    pub version: i64,
    pub item: Item,
    pub labels: Labels,
    /// The judgment that counts, and its place in the order of time.
    pub judged: Option<(usize, Judgment)>,
}

/// What an audit has found so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEstimate {
    pub seed: u64,
    /// Committed records without a reason, of which the sample is drawn.
    pub records: u64,
    /// Those of them that are judged: right, wrong or unsure.
    pub judged: u64,
    pub right: u64,
    pub wrong: u64,
    pub unsure: u64,
    /// Judgments that do not count any more: the committed text is another one, or has a reason.
    pub outdated: u64,
    /// Wrong ones of those that were judged right or wrong.
    pub error: Rate,
    /// The same with every unsure one taken for wrong.
    pub error_with_unsure: Option<Rate>,
    /// The same by the first judgment of each record, where wrong ones were changed since: records
    /// that nobody has judged are as those were.
    pub error_before_changes: Option<Rate>,
    pub wrong_fields: Vec<FieldCount>,
    /// The largest first.
    pub strata: Vec<StratumEstimate>,
    pub uncertainty: Vec<Band>,
    /// From which uncertainty on records are wrong more often; `None` where that does not show.
    pub threshold: Option<Threshold>,
    /// How wide the interval is to be, and how many more judgments that takes if the rate stays;
    /// at most all records that are left, after which the rate is known.
    pub width: f64,
    pub more: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FieldCount {
    pub field: Field,
    pub records: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StratumEstimate {
    #[serde(flatten)]
    pub stratum: Stratum,
    pub records: u64,
    pub error: Rate,
}

/// Records of an uncertainty from one tenth to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// In tenths.
    pub tenth: u8,
    pub records: u64,
    pub error: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    pub uncertainty: f32,
    /// Records from this uncertainty on.
    pub records: u64,
    pub above: Rate,
    pub below: Rate,
    /// The part of all wrong records that is among those, as far as the judgments tell.
    pub found: f64,
}

impl AuditEstimate {
    /// How wide the interval is to be where nobody says.
    pub const WIDTH: f64 = 0.05;

    /// How many records are not judged right or wrong.
    pub fn left(&self) -> u64 {
        self.records.saturating_sub(self.error.of)
    }

    /// `judgments` are in the order of time.
    pub fn new(
        population: &[Candidate],
        judgments: &[Judgment],
        seed: u64,
        width: f64,
    ) -> AuditEstimate {
        let counted = Counted::of(population, judgments);
        let all = || counted.judged.iter().map(|(_, verdict)| *verdict);
        let number = |name: &str| all().filter(|verdict| verdict.name() == name).count() as u64;
        let (right, wrong, unsure) = (number("right"), number("wrong"), number("unsure"));
        let error = Rate::new(wrong, right + wrong);
        let mut fields: BTreeMap<Field, u64> = BTreeMap::new();
        for field in all().filter_map(Verdict::field) {
            *fields.entry(field).or_default() += 1;
        }
        AuditEstimate {
            seed,
            records: population.len() as u64,
            judged: right + wrong + unsure,
            right,
            wrong,
            unsure,
            outdated: counted.outdated,
            error,
            error_with_unsure: (unsure > 0)
                .then(|| Rate::new(wrong + unsure, right + wrong + unsure)),
            error_before_changes: counted.before_changes,
            wrong_fields: fields
                .into_iter()
                .map(|(field, records)| FieldCount { field, records })
                .collect(),
            strata: strata(population, &counted),
            uncertainty: bands(population, &counted),
            threshold: threshold(population, &counted),
            width,
            more: more(&error, width, population.len() as u64),
        }
    }
}

/// The judgments that count.
struct Counted {
    /// Places in the population.
    judged: Vec<(usize, Verdict)>,
    outdated: u64,
    before_changes: Option<Rate>,
}

impl Counted {
    fn of(population: &[Candidate], judgments: &[Judgment]) -> Self {
        let places: HashMap<GroupId, usize> = population
            .iter()
            .enumerate()
            .map(|(place, candidate)| (candidate.group, place))
            .collect();
        let is_present = |judgment: &Judgment| {
            let place = places.get(&judgment.group)?;
            (population[*place].version == judgment.version).then_some(*place)
        };
        let counting = current_judgments(population, judgments);
        let mut first: BTreeMap<GroupId, &Judgment> = BTreeMap::new();
        for judgment in judgments {
            first.entry(judgment.group).or_insert(judgment);
        }
        let outdated = (first.len() - counting.len()) as u64;
        let counting = counting.into_iter();
        let judged = counting.map(|(group, at)| (places[&group], judgments[at].verdict));
        let is_wrong = |judgment: &&&Judgment| matches!(judgment.verdict, Verdict::Wrong(_));
        let mut wrong = first.values().filter(is_wrong);
        let fixed = wrong.any(|judgment| is_present(judgment).is_none());
        let before_changes = fixed.then(|| {
            let wrong = first.values().filter(is_wrong).count();
            let sure = first.values();
            let sure = sure.filter(|judgment| judgment.verdict != Verdict::Unsure);
            Rate::new(wrong as u64, sure.count() as u64)
        });
        Self {
            judged: judged.collect(),
            outdated,
            before_changes,
        }
    }

    /// The rate of the places that pass.
    fn rate(&self, passes: impl Fn(usize) -> bool) -> Rate {
        let (wrong, sure) = self.count(passes);
        Rate::new(wrong, sure)
    }

    fn count(&self, passes: impl Fn(usize) -> bool) -> (u64, u64) {
        let (mut wrong, mut sure) = (0, 0);
        for (place, verdict) in &self.judged {
            if passes(*place) && *verdict != Verdict::Unsure {
                sure += 1;
                wrong += u64::from(verdict.field().is_some());
            }
        }
        (wrong, sure)
    }
}

fn strata(population: &[Candidate], counted: &Counted) -> Vec<StratumEstimate> {
    let mut records: BTreeMap<&Stratum, u64> = BTreeMap::new();
    for candidate in population {
        *records.entry(&candidate.stratum).or_default() += 1;
    }
    let mut strata: Vec<StratumEstimate> = records
        .into_iter()
        .map(|(stratum, records)| StratumEstimate {
            stratum: stratum.clone(),
            records,
            error: counted.rate(|place| population[place].stratum == *stratum),
        })
        .collect();
    strata.sort_by_key(|stratum| std::cmp::Reverse(stratum.records));
    strata
}

fn tenth(candidate: &Candidate) -> u8 {
    ((candidate.uncertainty * 10.0) as u8).min(9)
}

fn bands(population: &[Candidate], counted: &Counted) -> Vec<Band> {
    let band = |tenth_of: u8| {
        let members = population.iter().filter(|of| tenth(of) == tenth_of);
        Band {
            tenth: tenth_of,
            records: members.count() as u64,
            error: counted.rate(|place| tenth(&population[place]) == tenth_of),
        }
    };
    let bands = (0..10).map(band);
    bands.filter(|band| band.records > 0).collect()
}

/// The uncertainty that parts the wrong ones from the right ones best: above it they are wrong
/// more often than below, beyond what chance does.
fn threshold(population: &[Candidate], counted: &Counted) -> Option<Threshold> {
    let candidates = THRESHOLDS.filter_map(|twentieth| {
        let uncertainty = f32::from(twentieth) / 20.0;
        let is_above = |place: usize| population[place].uncertainty >= uncertainty;
        let (wrong_above, above) = counted.count(is_above);
        let (wrong_below, below) = counted.count(|place| !is_above(place));
        if above < LEAST_ABOVE || wrong_above * below <= wrong_below * above {
            return None;
        }
        let (above, below) = (Rate::new(wrong_above, above), Rate::new(wrong_below, below));
        let (rate, rate_below) = (above.rate?, below.rate?);
        if above.low <= rate_below {
            return None;
        }
        let records = (0..population.len())
            .filter(|place| is_above(*place))
            .count() as f64;
        let expected = rate * records;
        let left = rate_below * (population.len() as f64 - records);
        Some(Threshold {
            uncertainty,
            records: records as u64,
            above,
            below,
            found: expected / (expected + left),
        })
    });
    let gap = |of: &Threshold| of.above.rate.unwrap_or(0.0) - of.below.rate.unwrap_or(0.0);
    candidates.max_by(|a, b| gap(a).total_cmp(&gap(b)))
}

/// How many more judgments make the interval as narrow as `width`.
fn more(error: &Rate, width: f64, records: u64) -> u64 {
    if error.of > 0 && error.width() <= width {
        return 0;
    }
    let (hits, of) = (error.hits as f64, error.of as f64);
    let rate = (hits + 1.0) / (of + PLANNED);
    let is_enough = |more: u64| {
        let more = more as f64;
        let (low, high) = interval(hits + rate * more, of + more);
        high - low <= width
    };
    let (mut few, mut enough) = (0, records.saturating_sub(error.of));
    if !is_enough(enough) {
        return enough;
    }
    while enough - few > 1 {
        let middle = u64::midpoint(few, enough);
        match is_enough(middle) {
            true => enough = middle,
            false => few = middle,
        }
    }
    enough
}

/// The judgments that count, as places in the list: of each group the newest one, where it is about
/// the committed text.
pub fn current_judgments(
    population: &[Candidate],
    judgments: &[Judgment],
) -> HashMap<GroupId, usize> {
    let versions: HashMap<GroupId, i64> = population
        .iter()
        .map(|candidate| (candidate.group, candidate.version))
        .collect();
    let mut newest: HashMap<GroupId, usize> = HashMap::new();
    for (at, judgment) in judgments.iter().enumerate() {
        newest.insert(judgment.group, at);
    }
    newest.retain(|group, at| versions.get(group) == Some(&judgments[*at].version));
    newest
}

#[cfg(test)]
mod tests;
