//! Texts of steps, changes and versions.

use super::Words;
use crate::engine::Step;
use crate::record::{
    Change, Draft, GroupDetail, LineEffects, Origin, PastStep, Replacement, StepReport,
};
use crate::text::{count, fit};

counted! {
    records: "record" / "레코드 {n}건",
    committed_lines: "committed line" / "확정된 줄 {n}개",
}

words! {
    undo: "undo" / "되돌리기",
    redo: "redo" / "다시 실행",
    undone: "undone" / "되돌렸습니다",
    redone: "redone" / "다시 실행했습니다",
    now_at(what, step, name): "{what}: {step}; now at {name}" / "{what}: {step}. 지금은 {name}",
    nothing_to_undo: "nothing to undo" / "되돌릴 동작이 없습니다",
    nothing_to_redo: "nothing to redo" / "다시 실행할 동작이 없습니다",
    nothing_changed: "nothing changed" / "바뀐 것이 없습니다",
    did_on(did, records): "{did} {records}" / "{records}: {did}",
    did_of(did, records): "{did} of {records}" / "{records}: {did}",
    did_in(did, records, fields): "{did} in {records}: {fields}" / "{records}({fields}): {did}",
    did_also_in(did, fields): "{did}; also changed: {fields}" / "{did}. 함께 바뀐 칸: {fields}",
    did_in_fields(did, fields): "{did} in {fields}" / "{did} ({fields})",
    field_in(field, n): "{field} in {n}" / "{field} {n}",
    lines_confirmed(lines): "{lines} confirmed" / "{lines} 그대로 확인",
    lines_replaced(lines): "{lines} replaced" / "{lines} 교체",
    lines_removed(lines): "{lines} removed" / "{lines} 삭제",
    lines_to_replace(lines): "{lines} will be replaced by the commit"
        / "{lines}{은} 확정할 때 교체됩니다",
    lines_to_remove(lines): "{lines} will be removed by the commit"
        / "{lines}{은} 확정할 때 삭제됩니다",

    edited_field(field): "edited {field}" / "{field}{을} 편집했습니다",
    added(value, field): "added {value} to {field}" / "{field}에 {value}{을} 추가했습니다",
    removed(value, field): "removed {value} from {field}" / "{field}에서 {value}{을} 뺐습니다",
    renamed(from, to, field): "replaced {from} with {to} in {field}"
        / "{field}에서 {from}{을} {to}{으로} 바꿨습니다",
    made_synonym(from, to, field): "made {from} a synonym of {to} in {field}"
        / "{field}에서 {from}{을} {to}의 동의어로 지정했습니다",
    took_out(text): "removed `{text}`" / "`{text}`{을} 뺐습니다",
    replaced(find, with): "replaced `{find}` with `{with}`"
        / "`{find}`{을} `{with}`{으로} 바꿨습니다",
    translated: "translated into the vocabulary" / "어휘집의 말로 옮겼습니다",
    translated_and_dropped: "translated into the vocabulary, unknown words dropped"
        / "어휘집의 말로 옮기고 모르는 단어를 뺐습니다",
    updated_name: "updated the name" / "이름을 갱신했습니다",
    took_version: "took the entire version" / "버전 전체를 가져왔습니다",
    took_field(field): "took {field} from the version" / "버전에서 {field}{을} 가져왔습니다",
    wrote_note: "wrote a note" / "메모를 썼습니다",
    removed_note: "removed the note" / "메모를 지웠습니다",
    accepted: "accepted" / "승인했습니다",
    rejected: "rejected" / "거절했습니다",
    reopened: "reopened" / "다시 열었습니다",
    committed: "committed" / "확정했습니다",

    had_it(n): "{n} had it already" / "{n}건에는 이미 있습니다",
    one_lacks_it: "1 does not have it" / "1건에는 없습니다",
    lack_it(n): "{n} do not have it" / "{n}건에는 없습니다",
    same_word: "it is the same word" / "같은 단어입니다",
    one_does_not_hold_it: "1 does not hold it" / "1건에는 들어 있지 않습니다",
    do_not_hold_it(n): "{n} do not hold it" / "{n}건에는 들어 있지 않습니다",
    cannot_be_fixed(n): "{n} cannot be fixed this way" / "{n}건은 이렇게 고칠 수 없습니다",
    one_has_nothing_to_translate: "1 has nothing to translate" / "1건에는 옮길 것이 없습니다",
    have_nothing_to_translate(n): "{n} have nothing to translate" / "{n}건에는 옮길 것이 없습니다",
    one_goes_by_its_name: "1 has its current name" / "1건은 이름이 맞습니다",
    go_by_their_names(n): "{n} have their current names" / "{n}건은 이름이 맞습니다",
    one_is_undecided: "1 has no decision to withdraw" / "1건에는 거둘 결정이 없습니다",
    are_undecided(n): "{n} have no decision to withdraw" / "{n}건에는 거둘 결정이 없습니다",
    one_is_accepted: "1 is already accepted or committed" / "1건은 이미 승인하거나 확정했습니다",
    are_accepted(n): "{n} are already accepted or committed" / "{n}건은 이미 승인하거나 확정했습니다",
    one_has_nothing_to_commit: "1 has nothing to commit" / "1건에는 확정할 것이 없습니다",
    have_nothing_to_commit(n): "{n} have nothing to commit" / "{n}건에는 확정할 것이 없습니다",
    one_is_rejected: "1 is already rejected for this reason" / "1건은 이미 이 사유로 거절했습니다",
    are_rejected(n): "{n} are already rejected for this reason" / "{n}건은 이미 이 사유로 거절했습니다",
    one_has_this_text: "1 has this text already" / "1건은 글이 이미 이와 같습니다",
    have_this_text(n): "{n} have this text already" / "{n}건은 글이 이미 이와 같습니다",
    one_has_no_draft: "1 has no draft" / "1건에는 초안이 없습니다",
    have_no_draft(n): "{n} have no draft" / "{n}건에는 초안이 없습니다",
    the_one(rest): "it {rest}" / "{rest}",
    left_alone_why(n, why): "{n} left alone ({why})" / "{n}건은 그대로 두었습니다({why})",

    imported: "imported" / "가져온 글",
    second_opinion: "second opinion" / "2차 의견",
    derived: "derived" / "파생",
    derived_from(name): "derived from {name}" / "{name}에서 파생",
    attempt(n): "attempt {n}" / "시도 {n}",
    attempt_merged(n): "attempt {n}, merged" / "시도 {n}, 병합",
    edit: "edit" / "편집",

    edit_field(field): "edit {field}" / "{field} 편집",
    add_value(value, field): "add {value} to {field}" / "{field}에 {value} 추가",
    remove_value(value, field): "remove {value} from {field}" / "{field}에서 {value} 빼기",
    rename_value(from, to): "replace {from} with {to}" / "{from}{을} {to}{으로} 바꾸기",
    mark_synonym(from, to): "mark {from} as a synonym of {to}" / "{from}{을} {to}의 동의어로 지정",
    replace_text(find, with): "replace {find} with {with}" / "{find}{을} {with}{으로} 바꾸기",
    translate: "translate into the vocabulary" / "어휘집의 말로 옮기기",
    translate_and_drop: "translate into the vocabulary and drop unknown words"
        / "어휘집의 말로 옮기고 모르는 단어 빼기",
    update_name: "update the name" / "이름 갱신",
    take_version: "take a version" / "버전 가져오기",
    take_field(field): "take {field} from a version" / "버전에서 {field} 가져오기",
    note: "note" / "메모",
    accept: "accept" / "승인",
    reject: "reject" / "거절",
    reopen: "reopen" / "다시 열기",
    commit: "commit" / "확정",
}

/// Width of a record's name in a notice, in cells.
const NAME_CELLS: usize = 24;

impl Words {
    /// The kind of a version: `imported`, `attempt 2`, `derived from 눈꽃 모자`, `edit`.
    pub fn version_kind(self, detail: &GroupDetail, text: &Draft) -> String {
        match (text.origin, detail.attempt_of(text)) {
            (Origin::Import, _) => self.imported().to_owned(),
            (Origin::Attempt(_), Some(at)) if detail.attempts[at].opinion_of.is_some() => {
                self.second_opinion().to_owned()
            }
            (Origin::Derived(_), _) => match &detail.derived_from {
                Some(name) => self.derived_from(name),
                None => self.derived().to_owned(),
            },
            (Origin::Attempt(_), Some(at)) => {
                match detail.attempts[at].labels.as_ref() == Some(&text.labels) {
                    true => self.attempt(at + 1),
                    false => self.attempt_merged(at + 1),
                }
            }
            (Origin::Edit | Origin::Attempt(_), _) => self.edit().to_owned(),
        }
    }

    /// Describes what a step changed in how many records, and what it left unchanged and why.
    /// `name` is the name of the step's only record, or of the record that undo or redo moved to.
    pub fn step(self, step: &Step, records: usize, name: &str) -> String {
        let name = fit(name, NAME_CELLS);
        let back = |what: &str, step: &PastStep| {
            let step = self.past_step(step);
            match records {
                0 | 1 => format!("{name}: {what}: {step}"),
                _ => self.now_at(what, step, &name),
            }
        };
        match step {
            Step::Undone(step) => back(self.undone(), step),
            Step::Redone(step) => back(self.redone(), step),
            Step::NothingToUndo => self.nothing_to_undo().to_owned(),
            Step::NothingToRedo => self.nothing_to_redo().to_owned(),
            Step::Done(report) if records == 1 => format!("{name}: {}", self.done(report)),
            Step::Done(report) => self.done(report),
        }
    }

    fn done(self, report: &StepReport) -> String {
        let left = self.left_alone(report);
        if report.records == 0 {
            return match left {
                Some(left) => format!("{}: {left}", self.nothing_changed()),
                None => self.nothing_changed().to_owned(),
            };
        }
        let did = self.did(&report.change);
        let alone = report.records == 1 && left.is_none();
        let records = self.records(report.records);
        let mut text = match report.fields[..] {
            [_, ..] if alone && names_no_field(&report.change) => {
                let named = match report.change {
                    Change::Fix { kind, .. } => Some(kind.field()),
                    _ => None,
                };
                let fields = report.fields.iter().map(|(field, _)| *field);
                let fields = fields.filter(|field| Some(*field) != named);
                let fields: Vec<&str> = fields.map(|field| self.field(field)).collect();
                match (named, fields.join(", ")) {
                    (Some(_), fields) if fields.is_empty() => did,
                    (Some(_), fields) => self.did_also_in(did, fields),
                    (None, fields) => self.did_in_fields(did, fields),
                }
            }
            _ if alone => did,
            // A change of several fields names each with its number of records.
            [_, ..] if names_no_field(&report.change) => {
                self.did_in(did, records, self.fields_in(report))
            }
            [_, ..] => self.did_of(did, records),
            [] => self.did_on(did, records),
        };
        if let Some(lines) = self.of_lines(&report.change, report.lines) {
            text.push_str(&format!(": {lines}"));
        }
        match left {
            Some(left) => format!("{text}; {left}"),
            None => text,
        }
    }

    /// The changed fields, each with the number of records.
    pub fn fields_in(self, report: &StepReport) -> String {
        let fields = report.fields.iter();
        let fields = fields.map(|(field, n)| self.field_in(self.field(*field), count(*n as u64)));
        fields.collect::<Vec<_>>().join(", ")
    }

    /// The effect of a decision on lines in `labels.jsonl`.
    fn of_lines(self, change: &Change, effects: LineEffects) -> Option<String> {
        let is_now = *change == Change::Commit;
        let lines =
            |n: usize, now: fn(Self, String) -> String, later: fn(Self, String) -> String| {
                let word = if is_now { now } else { later };
                (n > 0).then(|| word(self, self.committed_lines(n)))
            };
        let parts: Vec<String> = [
            lines(
                effects.confirmed,
                Self::lines_confirmed,
                Self::lines_confirmed,
            ),
            lines(
                effects.replaced,
                Self::lines_replaced,
                Self::lines_to_replace,
            ),
            lines(effects.removed, Self::lines_removed, Self::lines_to_remove),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The change in the past tense.
    fn did(self, change: &Change) -> String {
        match change {
            Change::Set { field, .. } => self.edited_field(self.field(*field)),
            Change::Add { field, value } => self.added(value, self.field(*field)),
            Change::Remove { field, value } => self.removed(value, self.field(*field)),
            Change::Rename { field, from, to } => self.renamed(from, to, self.field(*field)),
            Change::Synonym { field, from, to } => self.made_synonym(from, to, self.field(*field)),
            Change::Replace(Replacement { find, with, .. }) => match with.as_str() {
                "" => self.took_out(find),
                with => self.replaced(find, with),
            },
            Change::Canonicalize {
                drop_unknown: false,
            } => self.translated().to_owned(),
            Change::Canonicalize { drop_unknown: true } => self.translated_and_dropped().to_owned(),
            Change::UpdateName => self.updated_name().to_owned(),
            Change::Fix { kind, .. } => self.phrase(kind.done()).to_owned(),
            Change::TakeVersion { .. } => self.took_version().to_owned(),
            Change::TakeField { field, .. } => self.took_field(self.field(*field)),
            Change::SetNote { note: Some(_) } => self.wrote_note().to_owned(),
            Change::SetNote { note: None } => self.removed_note().to_owned(),
            Change::Accept => self.accepted().to_owned(),
            Change::Reject { .. } => self.rejected().to_owned(),
            Change::Reopen => self.reopened().to_owned(),
            Change::Commit => self.committed().to_owned(),
        }
    }

    /// The change in the imperative.
    pub fn change(self, change: &Change) -> String {
        match change {
            Change::Set { field, .. } => self.edit_field(self.field(*field)),
            Change::Add { field, value } => self.add_value(value, self.field(*field)),
            Change::Remove { field, value } => self.remove_value(value, self.field(*field)),
            Change::Rename { from, to, .. } => self.rename_value(from, to),
            Change::Synonym { from, to, .. } => self.mark_synonym(from, to),
            Change::Replace(Replacement { find, with, .. }) => self.replace_text(find, with),
            Change::Canonicalize {
                drop_unknown: false,
            } => self.translate().to_owned(),
            Change::Canonicalize { drop_unknown: true } => self.translate_and_drop().to_owned(),
            Change::UpdateName => self.update_name().to_owned(),
            Change::Fix { kind, .. } => self.phrase(kind.title()).to_owned(),
            Change::TakeVersion { .. } => self.take_version().to_owned(),
            Change::TakeField { field, .. } => self.take_field(self.field(*field)),
            Change::SetNote { .. } => self.note().to_owned(),
            Change::Accept => self.accept().to_owned(),
            Change::Reject { .. } => self.reject().to_owned(),
            Change::Reopen => self.reopen().to_owned(),
            Change::Commit => self.commit().to_owned(),
        }
    }

    /// The name of an earlier step, for undo and redo.
    pub fn past_step(self, step: &PastStep) -> String {
        match &step.change {
            Some(change) => match step.records {
                0 | 1 => self.change(change),
                n => format!("{} ({})", self.change(change), self.records(n)),
            },
            None => step.done.clone(),
        }
    }

    /// The number of records left unchanged, and why; `None` if there are none.
    pub fn left_alone(self, report: &StepReport) -> Option<String> {
        let refused = report.refused.as_ref().map_or(0, |(n, _)| *n);
        let all = report.records + report.untouched + report.without_draft + refused;
        let some = |n: usize, one: &str, many: fn(Self, String) -> String| match n {
            0 => None,
            // The texts of one record begin with its number.
            1 if all == 1 => Some(self.the_one(one.split_once(' ').map_or(one, |(_, rest)| rest))),
            1 => Some(one.to_owned()),
            n => Some(many(self, count(n as u64))),
        };
        let n = report.untouched;
        let untouched = match &report.change {
            Change::Add { .. } => some(n, &self.had_it(1), Self::had_it),
            Change::Rename { from, to, .. } | Change::Synonym { from, to, .. } if from == to => {
                Some(self.same_word().to_owned())
            }
            Change::Remove { .. } | Change::Rename { .. } | Change::Synonym { .. } => {
                some(n, self.one_lacks_it(), Self::lack_it)
            }
            Change::Replace(_) => some(n, self.one_does_not_hold_it(), Self::do_not_hold_it),
            Change::Fix { .. } => some(n, &self.cannot_be_fixed(1), Self::cannot_be_fixed),
            Change::Canonicalize { .. } => some(
                n,
                self.one_has_nothing_to_translate(),
                Self::have_nothing_to_translate,
            ),
            Change::UpdateName => some(n, self.one_goes_by_its_name(), Self::go_by_their_names),
            Change::Reopen => some(n, self.one_is_undecided(), Self::are_undecided),
            Change::Accept => some(n, self.one_is_accepted(), Self::are_accepted),
            Change::Commit => some(
                n,
                self.one_has_nothing_to_commit(),
                Self::have_nothing_to_commit,
            ),
            Change::Reject { .. } => some(n, self.one_is_rejected(), Self::are_rejected),
            Change::Set { .. }
            | Change::TakeVersion { .. }
            | Change::TakeField { .. }
            | Change::SetNote { .. } => some(n, self.one_has_this_text(), Self::have_this_text),
        };
        let without_draft = some(
            report.without_draft,
            self.one_has_no_draft(),
            Self::have_no_draft,
        );
        let refused = report.refused.as_ref();
        let refused = refused.map(|(n, why)| self.left_alone_why(count(*n as u64), self.said(why)));
        let parts: Vec<String> = [untouched, without_draft, refused]
            .into_iter()
            .flatten()
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn names_no_field(change: &Change) -> bool {
    matches!(
        change,
        Change::Replace(_) | Change::Canonicalize { .. } | Change::UpdateName | Change::Fix { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;
    use crate::text::Language;
    use crate::text::said;

    fn done(report: &StepReport) -> String {
        Words::ENGLISH.done(report)
    }

    fn step_report(change: Change, records: usize, fields: &[(Field, usize)]) -> StepReport {
        StepReport {
            records,
            fields: fields.to_vec(),
            ..StepReport::new(change)
        }
    }

    fn summer() -> Change {
        Change::Add {
            field: Field::TagsKo,
            value: "여름".to_owned(),
        }
    }

    #[test]
    fn a_bulk_step_reports_changed_and_unchanged_records() {
        let mut report = step_report(summer(), 40, &[(Field::TagsKo, 40)]);
        report.untouched = 3;
        report.without_draft = 2;
        report.refused = Some((1, said!("tags can hold at most 15", "15개까지")));
        assert_eq!(
            done(&report),
            "added 여름 to tags of 40 records; 3 had it already, 2 have no draft, \
             1 left alone (tags can hold at most 15)"
        );
        report.records = 0;
        report.fields.clear();
        assert!(done(&report).starts_with("nothing changed: 3 had it already"));
        let one = step_report(summer(), 1, &[(Field::TagsKo, 1)]);
        assert_eq!(done(&one), "added 여름 to tags");
        assert_eq!(
            done(&step_report(Change::Commit, 3, &[])),
            "committed 3 records"
        );
    }

    #[test]
    fn a_decision_reports_its_effect_on_lines() {
        let mut report = step_report(Change::Accept, 1, &[]);
        report.lines.confirmed = 1;
        assert_eq!(done(&report), "accepted: 1 committed line confirmed");
        report = step_report(
            Change::Reject {
                reason: "흐림".into(),
            },
            3,
            &[],
        );
        report.lines.removed = 2;
        assert_eq!(
            done(&report),
            "rejected 3 records: 2 committed lines will be removed by the commit"
        );
        report = step_report(Change::Commit, 4, &[]);
        report.lines.replaced = 3;
        report.lines.removed = 1;
        assert_eq!(
            done(&report),
            "committed 4 records: 3 committed lines replaced, 1 committed line removed"
        );
    }

    #[test]
    fn a_step_on_several_fields_names_each() {
        let change = Change::Replace(Replacement::everywhere("은빛", "금빛"));
        let fields = [(Field::LabelKo, 3), (Field::TagsKo, 12)];
        assert_eq!(
            done(&step_report(change.clone(), 14, &fields)),
            "replaced `은빛` with `금빛` in 14 records: label in 3, tags in 12"
        );
        assert_eq!(
            done(&step_report(change, 1, &fields)),
            "replaced `은빛` with `금빛` in label, tags"
        );
    }

    #[test]
    fn a_step_is_described_in_korean() {
        let words = Words::new(Language::Korean);
        let done = |report: &StepReport| words.done(report);
        let mut report = step_report(summer(), 40, &[(Field::TagsKo, 40)]);
        report.untouched = 3;
        assert_eq!(
            done(&report),
            "레코드 40건: 태그에 여름을 추가했습니다; 3건에는 이미 있습니다"
        );
        let change = Change::Replace(Replacement::everywhere("은빛", "무늬"));
        let fields = [(Field::LabelKo, 3), (Field::TagsKo, 12)];
        assert_eq!(
            done(&step_report(change.clone(), 14, &fields)),
            "레코드 14건(라벨 3, 태그 12): `은빛`을 `무늬`로 바꿨습니다"
        );
        let past = PastStep {
            done: "replace".to_owned(),
            change: Some(Box::new(change)),
            records: 14,
        };
        assert_eq!(words.past_step(&past), "은빛을 무늬로 바꾸기 (레코드 14건)");
        let mut report = step_report(Change::Commit, 4, &[]);
        report.lines.removed = 1;
        assert_eq!(
            done(&report),
            "레코드 4건: 확정했습니다: 확정된 줄 1개 삭제"
        );
    }
}
