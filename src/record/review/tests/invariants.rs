//! Invariants that hold after any sequence of events.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Operator(Change),
    Answer,
    Failure,
    Batch,
    Import,
    Undo,
    Redo,
}

fn any_event() -> impl Strategy<Value = Event> {
    let operator = prop_oneof![
        Just(edit()),
        (1..8_i64).prop_map(|version| Change::TakeVersion { version }),
        (1..8_i64).prop_map(|version| Change::TakeField {
            version,
            field: Field::LabelKo
        }),
        Just(Change::SetNote {
            note: Some("note".to_owned())
        }),
        Just(Change::Accept),
        Just(reject("no")),
        Just(Change::Reopen),
        Just(Change::Commit),
    ];
    prop_oneof![
        6 => operator.prop_map(Event::Operator),
        2 => Just(Event::Answer),
        1 => Just(Event::Failure),
        1 => Just(Event::Batch),
        1 => Just(Event::Import),
        2 => Just(Event::Undo),
        1 => Just(Event::Redo),
    ]
}

/// A simulated group: its state, the last ids used, and the undo and redo stacks.
#[derive(Default)]
struct Simulation {
    current: CurrentState,
    last: i64,
    records: i64,
    done: Vec<ReviewStep>,
    undone: Vec<ReviewStep>,
}

impl Simulation {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    fn store_line(&mut self) {
        if let Some(line) = &mut self.current.review.line
            && line.record.is_none()
        {
            self.records += 1;
            line.record = Some(self.records);
        }
    }

    fn operator(&mut self, change: &Change) {
        if let Change::TakeVersion { version } | Change::TakeField { version, .. } = change
            && *version > self.last
        {
            return;
        }
        let text = self.next();
        let before = self.current.review.clone();
        self.current.review = self.current.apply(change, Some(text));
        self.store_line();
        if before != self.current.review {
            self.done.push(ReviewStep {
                before,
                after: self.current.review.clone(),
                answer: self.current.answer,
            });
            self.undone.clear();
        }
    }

    fn batch(&mut self) {
        if let Some(version) = self.current.uncommitted() {
            self.current.review.line = Some(Line {
                record: None,
                version,
                by: CommittedBy::Batch,
            });
            self.store_line();
        }
    }

    /// Imports a line that another program wrote. Returns its version.
    fn import(&mut self) -> i64 {
        let version = self.next();
        self.records += 1;
        let by = CommittedBy::Import;
        self.current.imported(version, self.records, by);
        version
    }
}

/// Whether the draft must not be replaced by an answer: it was committed, edited or decided.
fn is_protected(review: &ReviewState, answer: Option<i64>) -> bool {
    let Some(draft) = review.draft else {
        return false;
    };
    let committed = matches!(review.line, Some(line) if line.version == draft);
    committed || review.edited || review.decision != Decision::Open || answer != Some(draft)
}

/// Whether the draft must be replaced by an imported line: nobody chose another text.
fn follows_imports(review: &ReviewState, answer: Option<i64>) -> bool {
    !is_protected(review, answer) || review.is_line() && review.decision == Decision::Open
}

proptest! {
    #[test]
    fn any_events_keep_the_invariants(events in prop::collection::vec(any_event(), 1..40)) {
        let mut simulation = Simulation::default();
        for event in events {
            let before = simulation.current.clone();
            match &event {
                Event::Operator(change) => simulation.operator(change),
                Event::Answer => {
                    let version = simulation.next();
                    let shown = simulation.current.answered(version);
                    let protected = is_protected(&before.review, before.answer);
                    prop_assert_eq!(shown, !protected);
                    prop_assert_eq!(simulation.current.offer(), protected.then_some(version));
                    let mut same = simulation.current.review.clone();
                    same.draft = before.review.draft;
                    prop_assert_eq!(&same, &before.review);
                }
                Event::Failure => {
                    simulation.current.failure = Some(1);
                    prop_assert_eq!(&simulation.current.review, &before.review);
                }
                Event::Batch => {
                    simulation.batch();
                    if before.review.line.is_some() {
                        prop_assert_eq!(&simulation.current, &before);
                    }
                }
                Event::Import => {
                    let version = simulation.import();
                    let follows = follows_imports(&before.review, before.answer);
                    let draft = if follows { Some(version) } else { before.review.draft };
                    prop_assert_eq!(simulation.current.review.draft, draft);
                    prop_assert_eq!(simulation.current.review.line.unwrap().version, version);
                }
                Event::Undo => {
                    let Some(step) = simulation.done.pop() else { continue };
                    let to = step.before.clone();
                    simulation.current.review = step.clone().restored(&before, Direction::Undo);
                    let now = &simulation.current.review;
                    // The earlier state, except for later lines and answers.
                    let is_new_line = before.review.line != step.after.line;
                    let is_new_answer = before.answer != step.answer;
                    let line = before.review.line.filter(|_| is_new_line);
                    let draft = match line {
                        Some(line) if follows_imports(&to, step.answer) => Some(line.version),
                        _ if is_new_answer && !is_protected(&to, step.answer) => before.answer,
                        _ => to.draft,
                    };
                    prop_assert_eq!(now.draft, draft);
                    prop_assert_eq!(now.line, if is_new_line { before.review.line } else { to.line });
                    let rest = |review: &ReviewState| (
                        review.edited, review.decision.clone(), review.note.clone(), review.seen);
                    prop_assert_eq!(rest(now), rest(&to));
                    simulation.undone.push(step);
                }
                Event::Redo => {
                    let Some(step) = simulation.undone.pop() else { continue };
                    let answered = before.answer != step.answer;
                    simulation.current.review = step.clone().restored(&before, Direction::Redo);
                    if !answered && before.review.line == step.before.line {
                        prop_assert_eq!(&simulation.current.review, &step.after);
                    }
                    simulation.done.push(step);
                }
            }
            // Only a commit, or undo and redo of one, changes a line.
            let may = matches!(
                event,
                Event::Operator(Change::Commit)
                    | Event::Batch
                    | Event::Import
                    | Event::Undo
                    | Event::Redo
            );
            prop_assert!(may || simulation.current.review.line == before.review.line);
            // A confirmed line is always shown as committed.
            if simulation.current.review.is_confirmed() {
                prop_assert_eq!(simulation.current.state(true), GroupState::Committed);
                prop_assert_eq!(simulation.current.review.next_commit(), NextCommit::Nothing);
            }
        }
    }
}
