//! What an operator does, and that it changes what it names.

use super::*;

impl World {
    pub(crate) fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Does(deed, item) => {
                let (keys, may) = DEEDS[deed % DEEDS.len()];
                self.run_step(keys, may, *item);
            }
            Happening::Undoes => self.goes_back("u"),
            Happening::Redoes => self.goes_back("U"),
            Happening::Meanwhile(odd, item) => self.write(*odd, *item, false),
            Happening::Returns(outside) => self.returns(outside),
        }
        self.check();
    }

    /// Does a deed and sees that it changes what it names, of the records that it names.
    pub(crate) fn run_step(&mut self, keys: &str, may: &[&'static str], item: usize) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.commands.clear();
        operator.steps.clear();
        operator.run_step(keys, item % NAMES.len());
        let commands = std::mem::take(&mut operator.commands);
        let steps = std::mem::take(&mut operator.steps);
        let may: BTreeSet<&str> = may.iter().copied().collect();
        let mut all = Named::new();
        let mut changes = Vec::new();
        for command in commands {
            let (groups, names) = match command {
                Command::Apply { groups, change } => {
                    let names = named(&change);
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
                let names = named(&change);
                let named = groups.into_iter().map(|group| (group, names.clone()));
                let named: Named = named.collect();
                self.note_lines(&named);
                self.undo.push(Done {
                    named,
                    before: drafts(&before),
                    after: drafts(&after),
                });
                self.redo.clear();
            }
        }
    }

    pub(crate) fn note_lines(&mut self, step: &Named) {
        let of_lines = step.iter().filter(|(_, names)| names.contains(LINE));
        self.recommitted.extend(of_lines.map(|(group, _)| *group));
    }

    pub(crate) fn goes_back(&mut self, key: &str) {
        let before = self.details();
        let operator = self.operator.as_mut().unwrap();
        operator.steps.clear();
        operator.press_keys(key);
        let steps = std::mem::take(&mut operator.steps);
        let after = self.details();
        let step = match (steps.first(), key) {
            (None, _) => return self.compare(key, &before, &after, &Named::new()),
            (Some(_), "u") => self.undo.pop().unwrap(),
            (Some(_), _) => self.redo.pop().unwrap(),
        };
        self.note_lines(&step.named);
        let mut named = step.named.clone();
        for (group, names) in &mut named {
            // A decision is about a text, which comes back with it; without the step the newest
            // answer would have become the draft.
            let current = &after[group].current;
            let drafts = if key == "u" {
                &step.before
            } else {
                &step.after
            };
            let is_of_step = current.review.draft == drafts[group];
            let is_newest = current.review.draft == current.answer;
            if names.contains(DECISION) && (is_of_step || is_newest) {
                names.extend(ALL_LABELS);
            }
        }
        self.compare(key, &before, &after, &named);
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
        may: &Named,
    ) {
        let nothing = BTreeSet::new();
        for (id, was) in before {
            let differing = differing(was, &after[id]);
            let may = may.get(id).unwrap_or(&nothing);
            assert!(
                differing.is_subset(may),
                "{what}: {differing:?} of {} changed, not only {may:?}\n{}\n{}",
                was.summary.name,
                told(was),
                told(&after[id])
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
