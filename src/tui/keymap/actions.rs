//! The action table, used by help, hint line, palette, key files and docs.

use crate::record::Field;
use crate::text::Phrase;

/// The pane where a key is pressed. A pane's own bindings override `Global`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyContext {
    Global,
    Queue,
    Record,
    Gallery,
    Versions,
    Progress,
    Statistics,
}

impl KeyContext {
    pub const ALL: &'static [KeyContext] = &[
        Self::Global,
        Self::Queue,
        Self::Record,
        Self::Gallery,
        Self::Versions,
        Self::Progress,
        Self::Statistics,
    ];

    /// The name of its table in a key file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Queue => "queue",
            Self::Record => "record",
            Self::Gallery => "gallery",
            Self::Versions => "versions",
            Self::Progress => "progress",
            Self::Statistics => "statistics",
        }
    }

    /// Display name.
    pub fn title(self) -> Phrase {
        match self {
            Self::Global => Phrase::new("everywhere", "어디서나"),
            Self::Queue => Phrase::new("queue", "대기열"),
            Self::Record => Phrase::new("record", "레코드"),
            Self::Gallery => Phrase::new("gallery", "갤러리"),
            Self::Versions => Phrase::new("versions", "버전"),
            Self::Progress => Phrase::new("progress", "진행"),
            Self::Statistics => Phrase::new("words", "단어"),
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        let name = current_name(name);
        Self::ALL
            .iter()
            .copied()
            .find(|context| context.name() == name)
    }
}

/// Translates a former name, which a user's key file may still contain.
fn current_name(name: &str) -> &str {
    match name {
        "attempts" => "versions",
        "take-attempt" => "take-version",
        name => name,
    }
}

/// A row of the action table.
#[derive(Debug)]
pub struct ActionInfo {
    pub action: Action,
    /// The name in key files.
    pub name: &'static str,
    /// At most two words, for the hint line.
    pub short: Phrase,
    pub description: Phrase,
    pub section: Phrase,
}

macro_rules! actions {
    ($($section:literal / $section_ko:literal {
        $($action:ident $name:literal
            $short:literal / $short_ko:literal
            $description:literal / $description_ko:literal),+ $(,)?
    })+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($($action),+),+ }

        pub const ACTIONS: &[ActionInfo] = &[$($(ActionInfo {
            action: Action::$action,
            name: $name,
            short: Phrase::new($short, $short_ko),
            description: Phrase::new($description, $description_ko),
            section: Phrase::new($section, $section_ko),
        }),+),+];
    };
}

actions! {
    "Decide" / "결정" {
        AcceptNext "accept-next"
            "accept" / "승인"
            "Accept the draft, or confirm a committed record, and go to the next uncertain one" / "초안을 승인하거나 확정한 것을 확인하고, 다음 불확실한 것으로 갑니다",
        CommitNext "commit-next"
            "commit" / "확정"
            "Commit the draft to labels.jsonl and go to the next uncertain one" / "초안을 labels.jsonl에 확정하고, 다음 불확실한 것으로 갑니다",
        CommitAccepted "commit-accepted"
            "commit all" / "모두 확정"
            "Commit every accepted record and every rejection (asks first)" / "승인과 거절을 모두 확정합니다(먼저 묻습니다)",
        CommitCertain "commit-certain"
            "commit certain" / "확실한 것 확정"
            "Commit every draft without a reason (asks first)" / "사유가 없는 초안을 모두 확정합니다(먼저 묻습니다)",
        Reject "reject"
            "reject" / "거절"
            "Reject with a reason; a commit then removes its line from labels.jsonl" / "사유를 적어 거절합니다. 확정하면 labels.jsonl에서 그 줄이 빠집니다",
        Reopen "reopen"
            "reopen" / "다시 열기"
            "Withdraw an acceptance, a confirmation or a rejection" / "승인, 확인, 거절을 거둡니다",
        Undo "undo"
            "undo" / "되돌리기"
            "Undo the last step, including bulk steps" / "마지막 동작을 되돌립니다. 일괄 동작도 됩니다",
        Redo "redo"
            "redo" / "다시 실행"
            "Redo the undone step" / "되돌린 동작을 다시 실행합니다",
        RepeatEdit "repeat-edit"
            "again" / "반복"
            "Repeat the last edit or rejection on this record, or on the selected ones (asks first)" / "마지막 편집이나 거절을 이 레코드에 반복합니다. 선택한 레코드가 있으면 먼저 묻고 모두에 반복합니다",
        RecordKeys "record-keys"
            "record" / "키 기록"
            "Start or stop recording keys" / "키를 기록하거나, 기록을 마칩니다",
        PlayKeys "play-keys"
            "play" / "재생"
            "Play the recorded keys" / "기록한 키를 재생합니다",
        Audit "audit"
            "audit" / "표본 검사"
            "Judge a random sample of the committed records to estimate their error rate" / "확정한 레코드의 무작위 표본을 판정하여 오류율을 봅니다",
    }
    "Fix" / "수정" {
        Fix "fix"
            "fix" / "수정"
            "Apply the fix with this digit; if it is out of view, show it first" / "이 번호의 수정안을 적용합니다. 화면 밖에 있으면 먼저 보여 줍니다",
        FixAll "fix-all"
            "fix all" / "모두 수정"
            "Apply the fix with this digit to all records with its reason, with a preview" / "같은 사유가 있는 모든 레코드에 이 번호의 수정안을 적용합니다(미리 보기)",
    }
    "Edit" / "편집" {
        EditLabel "edit-label"
            "edit label" / "라벨 편집"
            "Edit the Korean label in place" / "한국어 라벨을 그 자리에서 편집합니다",
        EditField "edit"
            "edit" / "편집"
            "Edit the field or value under the cursor" / "커서가 있는 칸이나 값을 편집합니다",
        AddTag "add-tag"
            "add tag" / "태그 추가"
            "Add tags, with completion" / "자동 완성으로 태그를 추가합니다",
        AddValue "add"
            "add" / "추가"
            "Add a value to the field under the cursor" / "커서가 있는 칸에 값을 추가합니다",
        RemoveValue "remove"
            "remove" / "빼기"
            "Remove the value under the cursor" / "커서가 있는 값을 뺍니다",
        MoveEarlier "move-earlier"
            "earlier" / "앞으로"
            "Move the value under the cursor toward the front" / "커서가 있는 값을 앞으로 옮깁니다",
        MoveLater "move-later"
            "later" / "뒤로"
            "Move the value under the cursor toward the end" / "커서가 있는 값을 뒤로 옮깁니다",
        RemoveTag "remove-tag"
            "remove tag" / "태그 빼기"
            "Remove a tag by number or name; in the gallery, from all selected records" / "번호나 이름으로 태그를 뺍니다. 갤러리에서는 선택한 모든 레코드에서 뺍니다",
        Bulk "bulk"
            "change many" / "일괄 변경"
            "Add, remove, replace or set a value in many records, with a preview" / "여러 레코드에서 값을 추가, 빼기, 바꾸기, 지정합니다(미리 보기)",
        Note "note"
            "note" / "메모"
            "Write a note on the item" / "아이템에 메모를 씁니다",
        Replace "replace"
            "replace" / "바꾸기"
            "Find and replace in all records, with a preview" / "모든 레코드에서 찾아 바꿉니다(미리 보기)",
        Translate "translate"
            "translate" / "어휘 옮기기"
            "Translate words into the vocabulary, with a preview" / "단어를 어휘집의 말로 옮깁니다(미리 보기)",
        UpdateName "update-name"
            "update name" / "이름 갱신"
            "Replace an outdated item name in the texts with the current one" / "글에 남은 낡은 아이템 이름을 지금 이름으로 바꿉니다",
    }
    "Ask the model" / "모델에 묻기" {
        Retry "retry"
            "retry" / "다시 묻기"
            "Ask again with the stricter prompt, ahead of the queue; go to the next" / "더 엄격한 프롬프트로, 기다리는 것보다 먼저 다시 묻고 다음 레코드로 갑니다",
        RetryWith "retry-with"
            "retry with" / "바꿔 묻기"
            "Ask again with another scale, background, picture or a hint; go to the next" / "배율, 배경, 그림, 힌트를 바꾸어 다시 묻고 다음 레코드로 갑니다",
        Versions "versions"
            "versions" / "버전"
            "Show all versions in order: imported, answers, edits, committed" / "모든 버전을 순서대로 봅니다: 가져온 글, 답변, 편집, 확정",
        TakeNumbered "take-numbered"
            "take field" / "칸 가져오기"
            "Take the field with this number from this version" / "이 버전에서 이 번호의 칸을 가져옵니다",
        TakeField "take-field"
            "fields" / "칸으로"
            "Go to the fields, then take the one under the cursor from this version" / "칸으로 간 뒤, 커서가 있는 칸을 이 버전에서 가져옵니다",
        TakeVersion "take-version"
            "take all" / "전부 가져오기"
            "Take the whole version; it becomes the draft" / "이 버전을 통째로 가져와 초안으로 삼습니다",
        Pause "pause"
            "pause" / "멈춤"
            "Pause or resume the model" / "모델을 멈추거나 계속하게 합니다",
    }
    "Look" / "보기" {
        Background "background"
            "background" / "배경"
            "Show the picture on white, black or a checkerboard" / "그림을 흰색, 검은색, 바둑판 위에 보입니다",
        ModelView "model-view"
            "model's eye" / "모델 시점"
            "Show the pixels that the model received, or would receive" / "모델이 받은, 또는 받을 픽셀 그대로 보입니다",
        Zoom "zoom"
            "zoom" / "확대"
            "Switch the picture between full screen and beside the record" / "그림을 화면 가득, 또는 다시 레코드 옆에 보입니다",
        Filter "filter"
            "filter" / "필터"
            "Filter as you type: words, ㅂㅈ, keys such as state: tag: has:" / "입력하는 대로 거릅니다: 단어, ㅂㅈ, state: tag: has: 같은 키",
        Views "views"
            "views" / "저장한 필터"
            "Show, save or delete named filters" / "이름을 붙여 저장한 필터: 보기, 저장, 삭제",
        ClearFilter "clear-filter"
            "clear filter" / "필터 지우기"
            "Show every item" / "모든 아이템을 보입니다",
        NeedsReview "needs-review"
            "needs review" / "검토 필요"
            "Show the items that need review" / "사람이 봐야 할 것을 보입니다",
        Failed "failed"
            "failed" / "실패"
            "Show the failed items" / "실패한 것을 보입니다",
        Search "search"
            "search" / "검색"
            "Sort the queue by similarity to a text (needs `labeler-tui retrieval`)" / "글과 비슷한 아이콘부터 대기열에 놓습니다(`labeler-tui retrieval`이 필요합니다)",
        FoldFamilies "fold-families"
            "fold" / "묶기"
            "Show one row of each recolor family, or all rows" / "색만 다른 계열을 한 줄로 묶거나, 모든 줄을 보입니다",
        Sort "sort"
            "sort" / "정렬"
            "Sort by uncertainty, name, time or source order" / "불확실도, 이름, 시간, 원본 순서로 정렬합니다",
        NextPane "next-pane"
            "pane" / "다음 창"
            "Focus next pane" / "다음 창으로 갑니다",
        PreviousPane "previous-pane"
            "pane" / "이전 창"
            "Focus previous pane" / "이전 창으로 갑니다",
        NextToReview "next-to-review"
            "next" / "다음"
            "Go to the next uncertain item without deciding" / "아무것도 결정하지 않고 다음 불확실한 아이템으로 갑니다",
        Workbench "workbench"
            "work" / "작업"
            "Show queue, picture and record" / "대기열, 그림, 레코드",
        Gallery "gallery"
            "gallery" / "갤러리"
            "Show a grid of icons for bulk work" / "여럿을 한꺼번에 다루는 아이콘 격자",
        Progress "progress"
            "progress" / "진행"
            "Show the progress of the model, or of the review without one" / "모델의 진행을, 모델이 없으면 검토의 진행을 봅니다",
        Statistics "statistics"
            "words" / "단어"
            "Count and change words in use; show reasons, states, uncertainty" / "쓰인 단어를 세고 고칩니다. 사유, 상태, 불확실도",
    }
    "Words" / "단어" {
        RenameWord "rename-word"
            "rename" / "바꾸기"
            "Rename the word under the cursor in all records" / "커서가 있는 단어를 모든 레코드에서 다른 말로 바꿉니다",
        MergeWord "merge-word"
            "merge" / "합치기"
            "Merge the word under the cursor into another one in the list" / "커서가 있는 단어를 목록의 다른 단어로 합칩니다",
        DeleteWord "delete-word"
            "delete" / "삭제"
            "Delete the word under the cursor from all records" / "커서가 있는 단어를 모든 레코드에서 지웁니다",
        MarkSynonym "mark-synonym"
            "synonym" / "동의어"
            "Make the word a synonym of another one, also in vocabulary.toml" / "이 단어를 다른 단어의 동의어로 지정합니다. vocabulary.toml에도 적습니다",
    }
    "Move" / "이동" {
        Up "up"
            "up" / "위로"
            "Up" / "위로",
        Down "down"
            "down" / "아래로"
            "Down" / "아래로",
        Left "left"
            "left" / "왼쪽"
            "Left" / "왼쪽으로",
        Right "right"
            "right" / "오른쪽"
            "Right" / "오른쪽으로",
        PageUp "page-up"
            "page up" / "위 쪽"
            "Page up" / "한 쪽 위로",
        PageDown "page-down"
            "page down" / "아래 쪽"
            "Page down" / "한 쪽 아래로",
        Top "top"
            "top" / "처음"
            "Go to the first" / "처음으로",
        Bottom "bottom"
            "bottom" / "끝"
            "Go to the last" / "끝으로",
        GoLabel "go-label"
            "label" / "라벨"
            "Go to the label of the record" / "레코드의 라벨로",
        GoTags "go-tags"
            "tags" / "태그"
            "Go to its tags" / "태그로",
        GoColors "go-colors"
            "colors" / "색"
            "Go to its colors" / "색으로",
        GoTheme "go-theme"
            "theme" / "테마"
            "Go to its theme" / "테마로",
        GoMaterial "go-material"
            "material" / "재질"
            "Go to its material" / "재질로",
        GoVibe "go-vibe"
            "vibe" / "분위기"
            "Go to its vibe" / "분위기로",
        GoType "go-type"
            "type" / "종류"
            "Go to its item type" / "종류로",
        GoQueries "go-queries"
            "queries" / "검색어"
            "Go to its queries" / "검색어로",
        NarrowQueue "narrow-queue"
            "narrower" / "좁게"
            "Make the queue narrower" / "대기열을 좁힙니다",
        WidenQueue "widen-queue"
            "wider" / "넓게"
            "Make the queue wider" / "대기열을 넓힙니다",
    }
    "Select" / "선택" {
        Select "select"
            "select" / "선택"
            "Select or unselect the icon" / "아이콘을 선택하거나 선택을 풉니다",
        SelectRange "select-range"
            "range" / "범위"
            "Select from the last selected icon to here" / "마지막으로 선택한 아이콘부터 여기까지 선택합니다",
        SelectAll "select-all"
            "all" / "전체"
            "Select everything that the filter shows" / "필터에 나온 것을 모두 선택합니다",
        SelectFamily "select-family"
            "family" / "계열"
            "Select the shown icons of the same drawing in other colors, in the gallery" / "색만 다른 같은 그림 가운데 필터에 나온 것을 갤러리에서 모두 선택합니다",
        Unselect "unselect"
            "none" / "해제"
            "Clear selection" / "선택을 모두 풉니다",
        Open "open"
            "open" / "열기"
            "Open what is under the cursor in the workbench" / "커서가 있는 것을 작업 화면에서 봅니다",
    }
    "Program" / "프로그램" {
        Help "help"
            "help" / "도움말"
            "Show all keys" / "모든 키",
        Palette "palette"
            "palette" / "명령"
            "Find an action by name and run it" / "이름으로 동작을 찾아 실행합니다",
        Redraw "redraw"
            "redraw" / "다시 그리기"
            "Redraw the screen" / "화면을 다시 그립니다",
        TryAgain "try-again"
            "try again" / "다시 시도"
            "While nothing can be saved: try again, or rewrite the journal" / "저장할 수 없을 때: 다시 시도하거나 저널을 다시 씁니다",
        Suspend "suspend"
            "suspend" / "잠시 나가기"
            "Suspend to the shell; fg resumes" / "셸로 갑니다. fg로 돌아옵니다",
        Quit "quit"
            "quit" / "나가기"
            "Quit; drafts stay in the journal" / "나갑니다. 초안은 저널에 남습니다",
    }
}

impl Action {
    pub fn info(self) -> &'static ActionInfo {
        // One macro generates the table and the enum, in the same order.
        &ACTIONS[self as usize]
    }

    /// Whether the action writes to the journal, at once or through a prompt.
    pub fn writes_journal(self) -> bool {
        self.opens_prompt()
            || matches!(
                self,
                Self::AcceptNext
                    | Self::CommitNext
                    | Self::CommitAccepted
                    | Self::CommitCertain
                    | Self::Audit
                    | Self::Reopen
                    | Self::Undo
                    | Self::Redo
                    | Self::Fix
                    | Self::RepeatEdit
                    | Self::RemoveValue
                    | Self::UpdateName
                    | Self::MoveEarlier
                    | Self::MoveLater
                    | Self::Retry
                    | Self::TakeField
                    | Self::TakeNumbered
                    | Self::TakeVersion
            )
    }

    /// Whether the action changes the current record.
    pub fn changes_record(self) -> bool {
        self.writes_journal()
            && !matches!(
                self,
                Self::CommitAccepted
                    | Self::CommitCertain
                    | Self::Audit
                    | Self::Undo
                    | Self::Redo
                    | Self::Replace
                    | Self::Bulk
                    | Self::RenameWord
                    | Self::MergeWord
                    | Self::DeleteWord
                    | Self::MarkSynonym
            )
    }

    /// Whether the action judges the current record, by its label and its picture.
    pub fn judges_record(self) -> bool {
        matches!(
            self,
            Self::AcceptNext
                | Self::CommitNext
                | Self::Reject
                | Self::Reopen
                | Self::RepeatEdit
                | Self::Retry
        )
    }

    /// The field that the action moves the cursor to.
    pub fn target_field(self) -> Option<Field> {
        Some(match self {
            Self::GoLabel => Field::LabelKo,
            Self::GoTags => Field::TagsKo,
            Self::GoColors => Field::Colors,
            Self::GoTheme => Field::Theme,
            Self::GoMaterial => Field::Material,
            Self::GoVibe => Field::Vibe,
            Self::GoType => Field::ItemTypeGuess,
            Self::GoQueries => Field::QueryVariantsKo,
            _ => return None,
        })
    }

    /// Whether the action only moves a cursor or a border.
    pub fn is_movement(self) -> bool {
        self.info().section == Self::Up.info().section
    }

    /// Whether the action works on a screen that is too small to show anything.
    pub fn works_when_too_small(self) -> bool {
        matches!(self, Self::Quit | Self::Suspend | Self::Redraw | Self::Help)
    }

    /// Whether the action opens a dialog to type in.
    pub fn opens_prompt(self) -> bool {
        matches!(
            self,
            Self::Reject
                | Self::EditLabel
                | Self::EditField
                | Self::AddTag
                | Self::AddValue
                | Self::RemoveTag
                | Self::Bulk
                | Self::RenameWord
                | Self::MergeWord
                | Self::DeleteWord
                | Self::MarkSynonym
                | Self::Note
                | Self::Replace
                | Self::RetryWith
        )
    }

    pub fn parse(name: &str) -> Option<Self> {
        let name = current_name(name);
        ACTIONS
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_name() {
        for (index, info) in ACTIONS.iter().enumerate() {
            assert_eq!(info.action as usize, index);
            assert_eq!(info.action.info().name, info.name);
            assert_eq!(Action::parse(info.name), Some(info.action));
        }
        assert_eq!(KeyContext::parse("attempts"), Some(KeyContext::Versions));
        assert_eq!(Action::parse("attempts"), Some(Action::Versions));
        assert_eq!(Action::parse("take-attempt"), Some(Action::TakeVersion));
    }
}
