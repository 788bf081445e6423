//! Applies an operator's actions, and checks that they change only what they may.

use super::*;

impl Scenario {
    pub(crate) fn apply(&mut self, event: &TestEvent) {
        match event {
            TestEvent::Act(action, item) => {
                let (keys, may) = ACTIONS[action % ACTIONS.len()];
                self.act(keys, may, *item);
            }
            TestEvent::Undo => self.undo_or_redo("u"),
            TestEvent::Redo => self.undo_or_redo("U"),
            TestEvent::WriteWhileOpen(form, item) => self.write(*form, *item, false),
            TestEvent::Reopen(outside) => self.reopen(outside),
        }
        self.check();
    }

    /// Performs an action and checks that it changes only what it may.
    pub(crate) fn act(&mut self, keys: &str, may: &[&'static str], item: usize) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.commands.clear();
        operator.steps.clear();
        operator.run_step(keys, item % NAMES.len());
        let commands = std::mem::take(&mut operator.commands);
        let steps = std::mem::take(&mut operator.steps);
        let may: BTreeSet<&str> = may.iter().copied().collect();
        let mut all = Allowed::new();
        let mut changes = Vec::new();
        for command in commands {
            let (groups, names) = match command {
                Command::Apply { groups, change } => {
                    let names = allowed_aspects(&change);
                    assert!(names.is_subset(&may), "{keys}: {change:?}");
                    changes.push((change, groups.clone()));
                    (groups, names)
                }
                Command::Retry { groups, .. } => {
                    let mut groups = groups;
                    groups.retain(|group| !is_protected(&before[group]));
                    let names = ALL_LABELS.iter().copied();
                    (groups, names.filter(|name| *name != DECISION).collect())
                }
                _ => continue,
            };
            assert!(
                !keys.starts_with('~') || groups.len() <= 1,
                "{keys}: {groups:?}"
            );
            for group in groups {
                all.entry(group).or_default().extend(names.iter().copied());
            }
        }
        let after = self.details();
        self.compare(keys, &before, &after, &all);
        for step in steps {
            let Step::Done(report) = step else {
                panic!("{step:?}");
            };
            let at = changes
                .iter()
                .position(|(change, _)| *change == report.change);
            let (change, groups) = changes.remove(at.unwrap());
            if report.records > 0 {
                let names = allowed_aspects(&change);
                let named = groups.into_iter().map(|group| (group, names.clone()));
                let allowed: Allowed = named.collect();
                self.note_lines(&allowed);
                self.undo.push(UndoableStep {
                    allowed,
                    before: drafts(&before),
                    after: drafts(&after),
                });
                self.redo.clear();
            }
        }
    }

    pub(crate) fn note_lines(&mut self, step: &Allowed) {
        let of_lines = step.iter().filter(|(_, names)| names.contains(LINE));
        self.recommitted.extend(of_lines.map(|(group, _)| *group));
    }

    pub(crate) fn undo_or_redo(&mut self, key: &str) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.steps.clear();
        operator.press_keys(key);
        let steps = std::mem::take(&mut operator.steps);
        let after = self.details();
        let step = match (steps.first(), key) {
            (None | Some(Step::NothingToUndo | Step::NothingToRedo), _) => {
                return self.compare(key, &before, &after, &Allowed::new());
            }
            (Some(_), "u") => self.undo.pop().unwrap(),
            (Some(_), _) => self.redo.pop().unwrap(),
        };
        self.note_lines(&step.allowed);
        let mut allowed = step.allowed.clone();
        for (group, names) in &mut allowed {
            // Undoing a decision also restores its text; without the step, the latest answer or a
            // line written since would have become the draft.
            let current = &after[group].current;
            let drafts = if key == "u" {
                &step.before
            } else {
                &step.after
            };
            let is_of_step = current.review.draft == drafts[group];
            let is_newest = current.review.draft == current.answer;
            let is_line = current.review.is_committed();
            if names.contains(DECISION) && (is_of_step || is_newest || is_line) {
                names.extend(ALL_LABELS);
            }
        }
        self.compare(key, &before, &after, &allowed);
        match key {
            "u" => self.redo.push(step),
            _ => self.undo.push(step),
        }
    }

    pub(crate) fn compare(
        &self,
        what: &str,
        before: &BTreeMap<GroupId, GroupDetail>,
        after: &BTreeMap<GroupId, GroupDetail>,
        may: &Allowed,
    ) {
        let nothing = BTreeSet::new();
        for (id, was) in before {
            let differing = differing(was, &after[id]);
            let may = may.get(id).unwrap_or(&nothing);
            assert!(
                differing.is_subset(may),
                "{what}: {differing:?} of {} changed, not only {may:?}\n{}\n{}",
                was.summary.name,
                description(was),
                description(&after[id])
            );
            assert!(
                after[id].versions.len() >= was.versions.len(),
                "{what}: a version is gone"
            );
            for (old, new) in was.versions.iter().zip(&after[id].versions) {
                assert_eq!(old.number, new.number, "{what}");
                assert_eq!(old.text.labels, new.text.labels, "{what}");
            }
        }
    }
}
