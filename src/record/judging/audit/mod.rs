//! Audits: people judge a random sample of the committed records without a reason, which yields an
//! estimate of how many such records are wrong.

use super::proportion::interval;
use super::{Candidate, Rate, Stratum};
use crate::record::{Field, GroupId, Item, Labels};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Prior for planning the sample size: as if one of this many judged records had been wrong.
const PRIOR_JUDGMENTS: f64 = 20.0;
/// The minimum number of judgments above an uncertainty threshold.
const MIN_ABOVE: u64 = 5;
/// Candidate uncertainty thresholds, in twentieths.
const THRESHOLDS: std::ops::Range<u8> = 1..20;

/// The names of all verdicts.
pub const VERDICTS: [&str; 3] = ["right", "wrong", "unsure"];

/// A person's verdict on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Right,
    /// Wrong in this field.
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

/// A verdict on one version of a record that has not been withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgment {
    pub group: GroupId,
    /// The version that was judged. The verdict does not apply to others.
    pub version: i64,
    pub verdict: Verdict,
}

/// The number of records that an audit draws by default.
pub const DEFAULT_SAMPLE_SIZE: usize = 200;

/// A record in an audit's sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledRecord {
    pub group: GroupId,
    /// The committed version.
    pub version: i64,
    pub item: Item,
    pub labels: Labels,
    /// The current judgment, and its index in chronological order.
    pub judged: Option<(usize, Judgment)>,
}

/// The results of an audit so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEstimate {
    pub seed: u64,
    /// Committed records without a reason, from which the sample is drawn.
    pub records: u64,
    /// Records with a current judgment: right, wrong or unsure.
    pub judged: u64,
    pub right: u64,
    pub wrong: u64,
    pub unsure: u64,
    /// Judgments that no longer count, since the committed text has changed or has a reason.
    pub outdated: u64,
    /// Share of wrong records among those judged right or wrong.
    pub error: Rate,
    /// The error rate if every unsure record is counted as wrong.
    pub error_with_unsure: Option<Rate>,
    /// The error rate by the first judgment of each record, if wrong records were changed since.
    /// This one applies to the records that nobody has judged.
    pub error_before_changes: Option<Rate>,
    pub wrong_fields: Vec<FieldCount>,
    /// Largest first.
    pub strata: Vec<StratumEstimate>,
    pub uncertainty: Vec<Band>,
    /// The uncertainty above which records are wrong more often; `None` if there is no evidence
    /// for one.
    pub threshold: Option<Threshold>,
    /// The wanted width of the interval.
    pub width: f64,
    /// The number of further judgments needed for that width if the rate stays the same. At most
    /// all remaining records, after which the rate is known exactly, apart from the unsure ones.
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

/// The records within a tenth of the uncertainty range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// Lower bound of the uncertainty, in tenths.
    pub tenth: u8,
    pub records: u64,
    pub error: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    pub uncertainty: f32,
    /// Number of records with at least this uncertainty.
    pub records: u64,
    pub above: Rate,
    pub below: Rate,
    /// Estimated share of all wrong records that are among those.
    pub found: f64,
}

impl AuditEstimate {
    /// Default width of the interval.
    pub const WIDTH: f64 = 0.05;

    /// The number of records without a judgment.
    pub fn left(&self) -> u64 {
        self.records.saturating_sub(self.judged)
    }

    /// Computes the results. `judgments` are in chronological order.
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
        let (records, judged) = (population.len() as u64, right + wrong + unsure);
        AuditEstimate {
            seed,
            records,
            judged,
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
            more: more(&error, width, records - judged),
        }
    }
}

/// The current judgments.
struct Counted {
    /// Indexes into the population, with the verdicts.
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

    /// The error rate over the candidates whose index passes.
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

/// The uncertainty that best separates wrong records from right ones: above it, significantly
/// more are wrong than below.
fn threshold(population: &[Candidate], counted: &Counted) -> Option<Threshold> {
    let candidates = THRESHOLDS.filter_map(|twentieth| {
        let uncertainty = f32::from(twentieth) / 20.0;
        let is_above = |place: usize| population[place].uncertainty >= uncertainty;
        let (wrong_above, above) = counted.count(is_above);
        let (wrong_below, below) = counted.count(|place| !is_above(place));
        if above < MIN_ABOVE || wrong_above * below <= wrong_below * above {
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

/// The number of further judgments, at most `left`, that narrow the interval to `width`.
fn more(error: &Rate, width: f64, left: u64) -> u64 {
    if error.of > 0 && error.width() <= width {
        return 0;
    }
    let (hits, of) = (error.hits as f64, error.of as f64);
    let rate = (hits + 1.0) / (of + PRIOR_JUDGMENTS);
    let is_enough = |more: u64| {
        let more = more as f64;
        let (low, high) = interval(hits + rate * more, of + more);
        high - low <= width
    };
    let (mut few, mut enough) = (0, left);
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

/// The latest judgment of each group, as an index into the list, if it is about the committed
/// version.
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
