//! Texts of audits and blind comparisons, and of their results.

use super::Words;
use crate::record::{AuditEstimate, Vote, VoteTally};
use crate::text::{count, percent};

words! {
    audit_title: "Audit" / "표본 검사",
    blind_title: "A/B" / "A/B 비교",
    is_right: "Is this right?" / "맞습니까?",
    which_field: "What is wrong?" / "무엇이 틀렸습니까?",
    the_wrong_field: "the wrong field" / "틀린 칸",
    verdict_right: "right" / "맞음",
    verdict_wrong: "wrong" / "틀림",
    verdict_unsure: "unsure" / "모름",
    first_is_better: "is better" / "나음",
    second_is_better: "is better" / "나음",
    neither_is_better: "neither" / "비슷함",
    takes_back: "take back" / "되돌리기",
    taken_back: "taken back" / "되돌렸습니다",
    nothing_to_take_back: "nothing to take back" / "되돌릴 것이 없습니다",
    leaves: "leave" / "나가기",
    cancels: "cancel" / "취소",
    zooms: "zoom" / "확대",
    more_text: "more" / "더 보기",
    changes_ground: "background" / "배경",
    not_seen_yet: "not on screen yet" / "아직 화면에 없습니다",
    judgment_not_saved(cause): "not saved: {cause}" / "저장되지 않음: {cause}",
    same_in_both(fields): "the same in both: {fields}" / "둘 다 같음: {fields}",
    all_judged: "All are judged." / "모두 판정했습니다.",
    judge_a_record: "judge a record" / "레코드 판정",
    nothing_to_judge: "There is nothing to judge." / "판정할 것이 없습니다.",
    left_to_judge(n, about): "{n} to judge: {about}" / "판정할 {n}건: {about}",

    audit_counts(judged, records, right, wrong, unsure):
        "{judged} of {records} without a reason are judged: {right} right, {wrong} wrong, \
         {unsure} unsure"
        / "사유 없는 {records} 중 {judged}건을 판정했습니다: 맞음 {right}, 틀림 {wrong}, \
           모름 {unsure}",
    audit_error(rate): "error rate: {rate}, an exact 95 % interval"
        / "오류율: {rate}, 정확한 95 % 신뢰구간",
    audit_short(rate, wrong, sure): "error rate {rate}, {wrong} of {sure} judged are wrong"
        / "오류율 {rate}, 판정한 {sure}건 중 {wrong}건 틀림",
    audit_unsure(rate): "counting every unsure one as wrong: {rate}"
        / "모름을 모두 틀림으로 치면: {rate}",
    audit_fields(fields): "wrong: {fields}" / "틀린 칸: {fields}",
    audit_outdated(n):
        "judgments that no longer count, since the committed text has changed: {n}"
        / "확정한 글이 바뀌어 세지 않는 판정: {n}건",
    audit_before(rate):
        "for records not yet judged: {rate}, by the texts as they were; wrong ones were changed \
         since"
        / "아무도 판정하지 않은 레코드: {rate}. 틀린 것을 그 뒤에 고쳤으므로 당시의 글로 셉니다",
    audit_more(judgments, width): "an interval {width} points wide needs about {judgments}"
        / "구간 폭을 {width}%포인트로 줄이려면 판정이 {judgments}쯤 더 필요합니다",
    audit_wide_enough(width): "the interval is no wider than {width} points"
        / "구간 폭이 {width}%포인트를 넘지 않습니다",
    audit_too_few(width, left):
        "an interval {width} points wide needs all remaining records: {left} more"
        / "구간 폭을 {width}%포인트로 줄이려면 남은 {left}건을 모두 판정해야 합니다",
    audit_complete: "every record is judged: the rate is known" / "모든 레코드를 판정하여 오류율을 압니다",
    audit_all_but_unsure: "every record is judged, some of them as unsure"
        / "모든 레코드를 판정했습니다. 일부는 모름입니다",
    audit_threshold(at, above, below, records, found):
        "at an uncertainty of {at} or more {above} are wrong, below it {below}: reviewing those {records} \
         (uncertainty:>={at}) would find {found} % of all wrong ones"
        / "불확실도 {at}부터는 {above}, 그 아래는 {below}{이} 틀립니다. 그 {records}건을 \
           검토하면(uncertainty:>={at}) 틀린 것의 {found} %를 찾습니다",
    audit_no_threshold: "so far uncertainty does not separate wrong records from right ones"
        / "아직 불확실도로는 틀린 것과 맞은 것이 갈리지 않습니다",
    no_audit: "Nobody has judged a random sample yet." / "아직 아무도 표본을 판정하지 않았습니다.",
    begins_audit: "judges a sample" / "표본 판정",
    no_record_to_audit: "there is no committed record without a reason; commit some first"
        / "사유 없이 확정한 레코드가 없습니다. 먼저 확정하십시오",

    vote_counts(votes, a, b, equal): "{votes}: A {a}, B {b}, neither {equal}"
        / "{votes}: A {a}, B {b}, 비슷함 {equal}",
    vote_rate(rate): "B is better in {rate}" / "B가 나은 비율: {rate}",
    vote_a_wins: "A is better" / "A가 낫습니다",
    vote_b_wins: "B is better" / "B가 낫습니다",
    vote_none_wins: "the votes do not show that either is better"
        / "어느 쪽이 나은지 표로는 알 수 없습니다",
}

counted! {
    votes: "vote" / "{n}표",
    more_judgments: "more judgment" / "{n}건",
}

impl Words {
    /// The window title.
    pub fn judging_window(self, left: usize, about: &str) -> String {
        self.left_to_judge(count(left as u64), about)
    }

    /// The results of an audit, as lines.
    pub fn audit_lines(self, of: &AuditEstimate) -> Vec<String> {
        let number = |n: u64| count(n);
        let mut lines = vec![
            self.audit_counts(
                number(of.judged),
                self.records(of.records as usize),
                number(of.right),
                number(of.wrong),
                number(of.unsure),
            ),
            self.audit_error(of.error),
        ];
        lines.extend(of.error_with_unsure.map(|rate| self.audit_unsure(rate)));
        if !of.wrong_fields.is_empty() {
            let fields = of.wrong_fields.iter();
            let fields: Vec<String> = fields
                .map(|wrong| format!("{} {}", self.field(wrong.field), number(wrong.records)))
                .collect();
            lines.push(self.audit_fields(fields.join(", ")));
        }
        if of.outdated > 0 {
            lines.push(self.audit_outdated(number(of.outdated)));
        }
        lines.extend(of.error_before_changes.map(|rate| self.audit_before(rate)));
        lines.push(self.audit_more_of(of));
        let threshold = self.audit_threshold_of(of);
        lines.push(threshold.unwrap_or_else(|| self.audit_no_threshold().to_owned()));
        lines
    }

    /// The error rate, the uncertainty threshold and the judgments still needed.
    pub fn audit_brief(self, of: &AuditEstimate) -> Vec<String> {
        let mut lines = vec![self.audit_line(of)];
        lines.extend(self.audit_threshold_of(of));
        lines.push(self.audit_more_of(of));
        lines
    }

    fn audit_more_of(self, of: &AuditEstimate) -> String {
        let width = points(of.width);
        match (of.left(), of.more) {
            (0, _) if of.unsure > 0 => self.audit_all_but_unsure().to_owned(),
            (0, _) => self.audit_complete().to_owned(),
            (_, 0) => self.audit_wide_enough(width),
            (left, more) if left == more => self.audit_too_few(width, count(left)),
            (_, more) => self.audit_more(self.more_judgments(more as usize), width),
        }
    }

    fn audit_threshold_of(self, of: &AuditEstimate) -> Option<String> {
        let threshold = of.threshold.as_ref()?;
        Some(self.audit_threshold(
            threshold.uncertainty,
            threshold.above,
            threshold.below,
            count(threshold.records),
            percent(threshold.found, 0),
        ))
    }

    /// The error rate in one line.
    pub fn audit_line(self, of: &AuditEstimate) -> String {
        let rate = of.error_before_changes.as_ref().unwrap_or(&of.error);
        self.audit_short(rate, count(rate.hits), count(rate.of))
    }

    /// The result of blind votes, as lines.
    pub fn vote_lines(self, tally: &VoteTally) -> Vec<String> {
        let [a, b, equal] = [tally.a, tally.b, tally.equal].map(count);
        vec![
            self.vote_counts(self.votes(tally.total() as usize), a, b, equal),
            self.vote_rate(tally.b_wins),
            match tally.winner() {
                Some(Vote::A) => self.vote_a_wins(),
                Some(Vote::B) => self.vote_b_wins(),
                Some(Vote::Equal) | None => self.vote_none_wins(),
            }
            .to_owned(),
        ]
    }
}

/// Formats a share as percentage points: `5`, `2.5`.
fn points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
        .trim_end_matches(".0")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_vote_is_in_the_singular() {
        let lines = |votes: &[Vote]| {
            let words = Words::ENGLISH;
            words.vote_lines(&VoteTally::of(votes.iter().copied()))[0].clone()
        };
        assert_eq!(lines(&[Vote::A]), "1 vote: A 1, B 0, neither 0");
        assert_eq!(lines(&[Vote::A, Vote::B]), "2 votes: A 1, B 1, neither 0");
    }
}
