//! Names of fields, states, sort orders and other terms of the record.

use super::Words;
use crate::record::filter::Sort;
use crate::record::{Background, Failure, FailureCode, Field, GroupState, Matching, Reason};

words! {
    state_waiting: "waiting" / "대기",
    state_running: "running" / "작성 중",
    state_draft: "draft" / "초안",
    state_uncertain: "uncertain" / "불확실",
    state_edited: "edited" / "편집함",
    state_accepted: "accepted" / "승인함",
    state_committed: "committed" / "확정함",
    state_rejected: "rejected" / "거절함",
    state_failed: "failed" / "실패",

    sort_uncertainty: "uncertainty" / "불확실도",
    sort_name: "name" / "이름",
    sort_time: "time" / "시간",
    sort_source: "source order" / "원본",

    whole_words: "whole words" / "단어 전체",
    whole_values: "whole values" / "값 전체",
    any_part: "any part of a word" / "단어의 일부도",

    on_contrast: "on what it stands out from" / "잘 보이는 배경",
    on_white: "on white" / "흰 배경",
    on_black: "on black" / "검은 배경",
    on_checkerboard: "on checkerboard" / "바둑판 배경",
    no_ground: "no ground" / "배경 없음",
}

counted! {
    reasons: "reason" / "사유 {n}개",
    items: "item" / "아이템 {n}개",
    icons: "icon" / "아이콘 {n}개",
    versions: "version" / "버전 {n}개",
    rows: "row" / "{n}행",
    names: "name" / "이름 {n}개",
    keys: "key" / "키 {n}개",
}

impl Words {
    /// The field's short name.
    pub fn field(self, field: Field) -> &'static str {
        self.phrase(field.spec().name)
    }

    pub fn state(self, state: GroupState) -> &'static str {
        match state {
            GroupState::Waiting => self.state_waiting(),
            GroupState::Running => self.state_running(),
            GroupState::Draft => self.state_draft(),
            GroupState::Uncertain => self.state_uncertain(),
            GroupState::Edited => self.state_edited(),
            GroupState::Accepted => self.state_accepted(),
            GroupState::Committed => self.state_committed(),
            GroupState::Rejected => self.state_rejected(),
            GroupState::Failed => self.state_failed(),
        }
    }

    pub fn sort(self, sort: Sort) -> &'static str {
        match sort {
            Sort::Uncertainty => self.sort_uncertainty(),
            Sort::Name => self.sort_name(),
            Sort::Time => self.sort_time(),
            Sort::Source => self.sort_source(),
        }
    }

    /// The sort order of a queue: similarity to a searched text, or a sort.
    pub fn order(self, searched: Option<&str>, sort: Sort) -> String {
        match searched {
            Some(text) => self.like_text(text),
            None => self.sort(sort).to_owned(),
        }
    }

    pub fn matching(self, matching: Matching) -> &'static str {
        match matching {
            Matching::Word => self.whole_words(),
            Matching::Value => self.whole_values(),
            Matching::Part => self.any_part(),
        }
    }

    pub fn background(self, background: Background) -> &'static str {
        match background {
            Background::White => self.on_white(),
            Background::Black => self.on_black(),
            Background::None => self.no_ground(),
        }
    }

    /// The reason's short name.
    pub fn reason(self, reason: Reason) -> String {
        reason.name(self.language())
    }

    /// A tenth of a share: `90-100 %` for 9.
    pub fn tenth(self, tenth: usize) -> String {
        format!("{}-{} %", tenth * 10, tenth * 10 + 10)
    }

    /// The reason's code in English, which filters use, or its Korean name.
    pub fn reason_code(self, reason: Reason) -> String {
        match self.is_korean() {
            true => self.reason(reason),
            false => reason.code().to_owned(),
        }
    }

    pub fn failure_code(self, code: FailureCode) -> &'static str {
        code.name(self.language())
    }

    /// The failure's code and detail.
    pub fn failure(self, failure: &Failure) -> String {
        let detail = failure.detail.said();
        format!(
            "{}: {}",
            self.failure_code(failure.code),
            self.said(&detail)
        )
    }
}
