use super::*;
use crate::record::SourceType;
use crate::record::judging::draw_order;
use std::collections::HashSet;

/// Item type, source, number of records, and N where one of N is wrong.
const KINDS: [(&str, SourceType, u64, u64); 5] = [
    ("hat", SourceType::Cash, 900, 50),
    ("hat", SourceType::EquipmentShape, 500, 20),
    ("weapon", SourceType::EquipmentShape, 400, 8),
    ("ring", SourceType::Cash, 150, 3),
    ("pet", SourceType::Cash, 50, 2),
];

struct Scenario {
    population: Vec<Candidate>,
    wrong: HashSet<GroupId>,
}

fn scenario() -> Scenario {
    let mut scenario = Scenario {
        population: Vec::new(),
        wrong: HashSet::new(),
    };
    for (item_type, source_type, records, one_of) in KINDS {
        for number in 0..records {
            let group = GroupId(scenario.population.len() as i64 + 1);
            let is_wrong = number % one_of == 0;
            if is_wrong {
                scenario.wrong.insert(group);
            }
            // Most wrong records are more uncertain.
            let uncertainty = match (is_wrong, number % 7) {
                (true, _) => 0.35,
                (false, 0) => 0.4,
                (false, n) => 0.02 * n as f32,
            };
            scenario.population.push(Candidate {
                group,
                version: group.0 * 10,
                stratum: Stratum {
                    source_type,
                    item_type: Some(item_type.to_owned()),
                },
                uncertainty,
            });
        }
    }
    scenario
}

impl Scenario {
    /// Correct judgments of the first records of the sample.
    fn judge(&self, seed: u64, sample: usize) -> Vec<Judgment> {
        let order = draw_order(&self.population, seed).into_iter().take(sample);
        let judgment = |place: usize| {
            let candidate = &self.population[place];
            Judgment {
                group: candidate.group,
                version: candidate.version,
                verdict: match self.wrong.contains(&candidate.group) {
                    true => Verdict::Wrong(Field::Colors),
                    false => Verdict::Right,
                },
            }
        };
        order.map(judgment).collect()
    }

    fn truth(&self) -> f64 {
        self.wrong.len() as f64 / self.population.len() as f64
    }
}

/// Only the error rate of an estimate.
fn error(scenario: &Scenario, judgments: &[Judgment]) -> Rate {
    Counted::of(&scenario.population, judgments).rate(|_| true)
}

#[test]
fn the_interval_covers_the_truth_in_94_of_100_audits() {
    let scenario = scenario();
    let truth = scenario.truth();
    let mut covered = [0; 2];
    for seed in 0..1000 {
        let judgments = scenario.judge(seed, 200);
        for (covered, sample) in covered.iter_mut().zip([50, 200]) {
            let error = error(&scenario, &judgments[..sample]);
            *covered += u32::from((error.low..=error.high).contains(&truth));
        }
    }
    assert!(covered.iter().all(|covered| *covered >= 940), "{covered:?}");
}

#[test]
fn an_audit_that_stops_when_the_interval_is_narrow_covers_the_truth_too() {
    let scenario = scenario();
    let truth = scenario.truth();
    let mut covered = 0;
    let mut judged = 0;
    for seed in 0..200 {
        let judgments = scenario.judge(seed, 600);
        // The operator judges as many as the estimate asks for, then checks again.
        let mut so_far = 0;
        let found = loop {
            let error = error(&scenario, &judgments[..so_far]);
            match more(&error, 0.08, 600) {
                0 => break error,
                more => so_far += more as usize,
            }
        };
        covered += u32::from((found.low..=found.high).contains(&truth));
        judged += so_far;
    }
    assert!(covered >= 188, "{covered} of 200");
    assert!((16_000..70_000).contains(&judged), "{judged}");
}

#[test]
fn an_estimate_counts_by_stratum_field_and_uncertainty() {
    let scenario = scenario();
    let estimate = AuditEstimate::new(&scenario.population, &scenario.judge(1, 400), 1, 0.05);
    assert_eq!((estimate.records, estimate.judged), (2000, 400));
    assert_eq!(estimate.right + estimate.wrong, 400);
    let field = FieldCount {
        field: Field::Colors,
        records: estimate.wrong,
    };
    assert_eq!(estimate.wrong_fields, [field]);
    assert_eq!(estimate.strata.len(), KINDS.len());
    assert_eq!(estimate.strata[0].records, 900);
    let judged: u64 = estimate.strata.iter().map(|of| of.error.of).sum();
    assert_eq!(judged, 400);
    let tenths: Vec<u8> = estimate.uncertainty.iter().map(|of| of.tenth).collect();
    assert_eq!(tenths, [0, 1, 3, 4]);
    let threshold = estimate.threshold.unwrap();
    assert_eq!(threshold.uncertainty, 0.35);
    assert_eq!((threshold.below.hits, threshold.found), (0, 1.0));
    assert!(threshold.above.low > 0.1, "{threshold:?}");
}

#[test]
fn there_is_no_threshold_if_uncertainty_is_unrelated_to_errors() {
    let mut scenario = scenario();
    for (at, candidate) in scenario.population.iter_mut().enumerate() {
        candidate.uncertainty = (at % 10) as f32 / 10.0;
    }
    let estimate = AuditEstimate::new(&scenario.population, &scenario.judge(1, 200), 1, 0.05);
    assert_eq!(estimate.threshold, None);
}

#[test]
fn judgments_of_changed_records_are_outdated_and_reported() {
    let mut scenario = scenario();
    let judgments = scenario.judge(3, 200);
    let before = AuditEstimate::new(&scenario.population, &judgments, 3, 0.05);
    assert_eq!((before.outdated, before.error_before_changes), (0, None));
    // The operator fixes exactly the records judged wrong.
    for judgment in &judgments {
        if matches!(judgment.verdict, Verdict::Wrong(_)) {
            let place = judgment.group.0 as usize - 1;
            scenario.population[place].version += 1;
        }
    }
    let after = AuditEstimate::new(&scenario.population, &judgments, 3, 0.05);
    assert_eq!((after.wrong, after.outdated), (0, before.wrong));
    assert_eq!(after.judged, 200 - before.wrong);
    // The estimate for records that nobody has judged is unchanged.
    assert_eq!(after.error_before_changes, Some(before.error));
    let counting = current_judgments(&scenario.population, &judgments);
    assert_eq!(counting.len() as u64, after.judged);
}

#[test]
fn a_later_judgment_replaces_the_earlier_one_and_unsure_is_neither() {
    let scenario = scenario();
    let first = &scenario.population[0];
    let says = |verdict| Judgment {
        group: first.group,
        version: first.version,
        verdict,
    };
    let of = |judgments: &[Judgment]| AuditEstimate::new(&scenario.population, judgments, 0, 0.05);
    let both = of(&[says(Verdict::Wrong(Field::TagsKo)), says(Verdict::Right)]);
    assert_eq!((both.judged, both.right, both.wrong), (1, 1, 0));
    let unsure = of(&[says(Verdict::Unsure)]);
    assert_eq!((unsure.judged, unsure.unsure), (1, 1));
    assert_eq!(unsure.left(), unsure.records - 1);
    assert_eq!((unsure.error.of, unsure.error.rate), (0, None));
    assert_eq!(unsure.error_with_unsure.unwrap().hits, 1);
}

#[test]
fn further_judgments_needed_for_a_width() {
    let of = |hits, judged, width| more(&Rate::new(hits, judged), width, 8000 - judged);
    // With no judgments, the prior rate of one in twenty applies.
    let first = of(0, 0, 0.06);
    assert!((200..300).contains(&first), "{first}");
    assert!(of(0, 0, 0.03) > of(0, 0, 0.06));
    assert!(of(10, 200, 0.05) < of(0, 0, 0.05));
    assert_eq!(of(2, 1000, 0.05), 0);
    // All remaining records.
    assert_eq!(more(&Rate::new(5, 10), 0.05, 290), 290);
    // That many judgments at that rate give the width.
    let needed = of(10, 200, 0.05);
    let hits = 10.0 + needed as f64 * 11.0 / 220.0;
    assert!(Rate::new(hits.round() as u64, 200 + needed).width() <= 0.052);
}

#[test]
fn a_verdict_is_read_as_it_is_written() {
    for verdict in [
        Verdict::Right,
        Verdict::Unsure,
        Verdict::Wrong(Field::Colors),
    ] {
        let field = verdict.field().map(Field::key);
        assert_eq!(Verdict::parse(verdict.name(), field), Some(verdict));
    }
    assert_eq!(Verdict::parse("wrong", None), None);
    assert_eq!(Verdict::parse("taken_back", None), None);
}
