//! Records in every state for tests of the screens.

use crate::record::FailureDetail;
use crate::record::fixes::offered;
use crate::record::testing::{VOCABULARY, summary};
use crate::record::*;

pub fn labels(name: &str, color: &str, tags: &[&str]) -> Labels {
    Labels::default()
        .with(
            Field::LabelKo,
            [format!("붉은 보석이 박힌 {name}, 둥근 테두리가 있다")],
        )
        .with(Field::TagsKo, tags.iter().copied())
        .with(Field::Colors, [color])
        .with(Field::Theme, ["fantasy"])
        .with(Field::Material, ["metal"])
        .with(Field::ItemTypeGuess, ["hat"])
        .with(
            Field::QueryVariantsKo,
            [
                format!("{color} {name}"),
                format!("보석 {name}"),
                format!("{name} 아이콘"),
            ],
        )
}

pub fn attempt(id: i64, labels: Labels, reasons: &[Reason]) -> Attempt {
    Attempt {
        id,
        at: "2026-01-10T00:00:00Z".to_owned(),
        model: "scripted".to_owned(),
        prompt_version: "v2".to_owned(),
        retry_of: None,
        opinion_of: None,
        settings: AttemptSettings {
            strict: id % 2 == 0,
            ..crate::record::testing::settings()
        },
        settings_hash: "5e77".to_owned(),
        request_text: None,
        raw_text: String::new(),
        labels: Some(labels),
        reasons: reasons.to_vec(),
        confidence: vec![FieldConfidence {
            field: Field::TagsKo,
            mean: 0.8,
            weakest: 0.2,
            weak_words: vec!["보석".to_owned()],
        }],
        truncated: false,
        timings: Timings::default(),
        tokens: TokenCounts::default(),
        failure: None,
    }
}

/// A version with the text and number of an attempt.
pub fn version(attempt: &Attempt) -> Version {
    Version {
        number: attempt.id,
        text: Draft {
            labels: attempt.labels.clone().unwrap(),
            reasons: attempt.reasons.clone(),
            about: Vec::new(),
            item_name: String::new(),
            origin: Origin::Attempt(attempt.id),
            model: "scripted".to_owned(),
            prompt_version: "v2".to_owned(),
            generated_at: "2026-01-10T00:00:00Z".to_owned(),
            confidence: attempt.confidence.clone(),
        },
        committed: None,
        undone: false,
    }
}

/// Marks the text that a step wrote as undone, or as redone.
pub fn mark_undone(detail: &mut GroupDetail, step: &ReviewStep, direction: Direction) {
    let written = step
        .after
        .draft
        .filter(|_| step.after.draft != step.before.draft);
    let mut versions = detail.versions.iter_mut();
    let edit =
        versions.find(|have| Some(have.number) == written && have.text.origin == Origin::Edit);
    if let Some(edit) = edit {
        edit.undone = direction == Direction::Undo;
    }
}

pub fn detail(id: i64, name: &str, state: GroupState, reasons: &[Reason]) -> GroupDetail {
    let mut summary = summary(id, name, state);
    summary.reasons = reasons.to_vec();
    summary.uncertainty = (reasons.len() as f32 * 0.3 + 0.01 * id as f32).min(1.0);
    // A fixed path, because snapshots show it and must not depend on this checkout.
    let file = std::path::PathBuf::from("/home/op/lab/no/such/icon.png");
    let mut detail = GroupDetail {
        item: Item {
            image_path: summary.image_path.clone(),
            file: Some(file.into()),
            claimed_sha256: None,
            source_type: summary.source_type,
            item_name: name.to_owned(),
            item_description: Some("먼 나라의 장인이 만들었다.".to_owned()),
            item_part: summary.part.clone(),
            image_url: None,
            ocid: None,
            ranking: None,
        },
        image_sha256: None,
        other_names: vec![format!("빛나는 {name}")],
        rows: 3,
        colors: None,
        current: CurrentState::default(),
        draft: None,
        derived_from: None,
        fixes: Vec::new(),
        versions: Vec::new(),
        attempts: Vec::new(),
        failure: None,
        committed: None,
        neighbors: Vec::new(),
        confused: None,
        summary,
    };
    match state {
        GroupState::Waiting | GroupState::Running => {}
        GroupState::Failed => {
            let mut failed = attempt(id * 10 + 1, Labels::default(), &[]);
            failed.labels = None;
            failed.failure = Some(Failure {
                code: FailureCode::ImageLoadFailed,
                detail: FailureDetail::BrokenImage {
                    format: "PNG".to_owned(),
                    why: "CRC".to_owned(),
                },
            });
            detail.failure.clone_from(&failed.failure);
            detail.current.failure = Some(failed.id);
            detail.attempts.push(failed);
        }
        _ => {
            let first = attempt(
                id * 10 + 1,
                labels(name, "red", &["모자", "보석", "빨강", "왕관"]),
                reasons,
            );
            let second = attempt(
                id * 10 + 2,
                labels(name, "gold", &["모자", "보석", "왕관", "귀족", "황금"]),
                reasons,
            );
            // The first answer is the draft, and the operator has seen the second.
            detail.versions = [&first, &second].map(version).into();
            detail.draft = Some(detail.versions[0].text.clone());
            let line = Line {
                record: Some(first.id),
                version: first.id,
                by: CommittedBy::Operator,
            };
            detail.current = CurrentState {
                review: ReviewState {
                    draft: Some(first.id),
                    line: (state == GroupState::Committed).then_some(line),
                    seen: Some(second.id),
                    ..ReviewState::default()
                },
                answer: Some(second.id),
                failure: None,
            };
            assert_eq!(detail.current.state(!reasons.is_empty()), state);
            summarize(&mut detail);
            detail.attempts = vec![first, second];
        }
    }
    detail
}

pub fn context(item: &Item) -> RecordContext<'_> {
    RecordContext {
        part: item.item_part.as_deref(),
        ..RecordContext::new(&VOCABULARY, &item.item_name)
    }
}

/// Updates the summary and the fixes from the draft.
pub fn summarize(detail: &mut GroupDetail) {
    if let Some(draft) = &detail.draft {
        detail.fixes = offered(&draft.reasons, &draft.labels, &context(&detail.item));
        detail.summary.labels = draft.labels.clone();
    }
    let line = detail.current.review.line.map(|line| line.version);
    for version in &mut detail.versions {
        if line == Some(version.number) {
            version.committed = Some("2026-01-11T00:00:00Z".to_owned());
        }
    }
    detail.summary.offered = detail.current.offer().is_some();
}
