//! Texts of dialogs: confirmations, refusals, help, palette, prompts, retries, saved filters.

words! {
    no_item: "There is no item in this list." / "이 목록에는 아이템이 없습니다.",
    sure: "Sure?" / "확인",
    yes: "yes" / "예",
    no: "no" / "아니요",
    not_now: "Not now" / "지금은 안 됩니다",
    close: "close" / "닫기",
    take: "take" / "넣기",
    next: "next" / "다음",
    complete: "complete" / "완성",
    choose: "choose" / "고르기",
    do_it: "run" / "실행",
    scroll: "scroll" / "넘기기",
    page: "page" / "한 쪽씩",
    ends: "start, end" / "처음, 끝",
    moves: "move" / "이동",
    as_before: "as before" / "전처럼",
    keep: "keep" / "유지",
    leave_it: "cancel" / "그만두기",
    save: "save" / "저장",
    show: "show" / "보기",
    delete: "delete" / "삭제",
    ask: "ask" / "묻기",
    changes: "change" / "바꾸기",
    earlier: "earlier" / "이전",
    proceed: "continue" / "계속",

    one_step: "One step; undo takes all of it back." / "한 번의 동작이므로 한 번에 되돌릴 수 있습니다.",
    filter_hides(n): "The filter hides {n} of them." / "그중 {n}건은 필터에 가려 있습니다.",
    others_stay(n): "{n} without a draft stay as they are." / "초안이 없는 {n}건은 그대로 둡니다.",
    accept_these(n): "Accept these {n} records?" / "이 레코드 {n}건을 승인할까요?",
    commit_these(n): "Commit these {n} records?" / "이 레코드 {n}건을 확정할까요?",
    accept_of_these(n, all): "Accept {n} of these {all} records?"
        / "이 레코드 {all}건 중 {n}건을 승인할까요?",
    commit_of_these(n, all): "Commit {n} of these {all} records?"
        / "이 레코드 {all}건 중 {n}건을 확정할까요?",
    commit_all(records): "Commit {records}?" / "{records}{을} 확정할까요?",
    and(some, others): "{some} and {others}" / "{some}{과} {others}",
    go_into_labels(outdir): "Drafts go into labels.jsonl in {outdir}."
        / "초안은 {outdir}의 labels.jsonl에 들어갑니다.",
    leave_labels(lines): "Removed from labels.jsonl: {lines}."
        / "labels.jsonl에서 빠지는 것: {lines}.",
    update_names(records): "Update the names in {records}?" / "{records}의 이름을 갱신할까요?",
    only_other_names: "Only texts that were written for another name of the item change."
        / "아이템의 다른 이름으로 쓴 글만 바뀝니다.",
    repeat_on(records): "Repeat this on {records}?" / "{records}에 반복할까요?",
    reject_these(records): "Reject these {records}?" / "{records}{을} 거절할까요?",
    ask_about(records): "Send {records} to the model again?" / "{records}{을} 모델에 다시 물을까요?",
    answers_are_offered:
        "New answers are offered where a draft is committed, imported, edited or decided."
        / "확정했거나 가져왔거나 편집했거나 결정한 초안은 그대로 두고 새 답변을 곁에 둡니다.",

    leave_unsaved: "Leave while nothing can be saved?" / "저장할 수 없는데 나갈까요?",
    last_is_lost: "The latest decisions are not saved and will be lost when you leave."
        / "마지막에 결정한 것은 저장되지 않았고, 나가면 사라집니다.",
    decisions_are_saved: "Your decisions are in the journal; the next start writes the files."
        / "결정은 저널에 남아 있습니다. 파일은 다음에 시작할 때 씁니다.",
    written_beside: "Everything is then saved to another file next to the journal."
        / "나가면 저널 옆에 다른 이름의 파일로 모두 저장합니다.",
    run_written_beside: "The work of this run is saved to a file next to the journal."
        / "이번 작업은 저널 옆의 파일에 저장합니다.",
    leave_with(drafts): "Leave with {drafts} not committed?" / "확정하지 않은 {drafts}{을} 두고 나갈까요?",
    nothing_is_lost(kinds):
        "{kinds}. Nothing is lost: drafts stay in the journal and are here next time."
        / "{kinds}. 사라지는 것은 없습니다. 초안은 저널에 남아 다음에 다시 나옵니다.",
    n_edited(n): "{n} edited" / "편집함 {n}건",
    n_accepted(n): "{n} accepted" / "승인함 {n}건",
    n_of_the_model(n): "{n} from the model" / "모델의 초안 {n}건",
    n_rejected(n): "{n} rejected, still in labels.jsonl" / "거절함 {n}건(아직 labels.jsonl에 있음)",

    nothing_to_edit_waiting: "There is nothing to edit yet: this item waits for the model."
        / "아직 편집할 것이 없습니다. 모델을 기다리는 아이템입니다.",
    nothing_to_edit_without_model: "There is nothing to edit: this item has no draft, and there is no model."
        / "편집할 것이 없습니다. 초안이 없고 모델도 없습니다.",
    nothing_to_edit_running: "There is nothing to edit yet: the model is working on this item."
        / "아직 편집할 것이 없습니다. 모델이 작성하고 있습니다.",
    nothing_to_edit_failed: "There is nothing to edit: this item has failed. Retry it, or reject it."
        / "편집할 것이 없습니다. 실패한 아이템이니 다시 묻거나 거절하세요.",
    nothing_to_edit_reading: "There is nothing to edit yet: this item is still being read."
        / "아직 편집할 것이 없습니다. 아이템을 읽고 있습니다.",

    keys_title: "Keys" / "키",
    signs: "Signs" / "표시",
    weak_word: "a word with low model confidence" / "모델이 확신하지 못한 단어",
    do_what: "Do what?" / "무엇을 할까요?",

    set_field(field): "set {field}" / "{field} 지정",
    set_field_of(field, n): "set {field} of {n} records" / "레코드 {n}건의 {field} 지정",
    add_to(field): "add to {field}" / "{field}에 추가",
    add_to_of(field, n): "add to {field} of {n} records" / "레코드 {n}건의 {field}에 추가",
    replace_in(from, field): "replace {from} in {field} with" / "{field}의 {from}{을} 다음으로 바꾸기",
    replace_in_of(from, field, n): "replace {from} in {field} of {n} records with"
        / "레코드 {n}건의 {field}에서 {from}{을} 다음으로 바꾸기",
    remove_from(field): "remove from {field}" / "{field}에서 빼기",
    remove_from_of(field, n): "remove from {field} of {n} records"
        / "레코드 {n}건의 {field}에서 빼기",
    why_reject: "why reject?" / "거절 사유",
    why_reject_these(n): "why reject these {n} records?" / "레코드 {n}건의 거절 사유",

    ask_title(records): "Retry {records}" / "{records} 다시 묻기",
    as_the_run: "as in this run" / "실행 설정대로",
    prompt: "prompt" / "프롬프트",
    stricter: "stricter" / "더 엄격하게",
    normal: "normal" / "보통",
    scale: "scale" / "배율",
    ground: "background" / "배경",
    white: "white" / "흰색",
    black: "black" / "검은색",
    stored_colors: "none (stored colors)" / "없음(저장된 색)",
    picture: "picture" / "그림",
    with_picture: "with" / "있음",
    without_picture: "without" / "없음",
    hint_row: "hint" / "힌트",

    saved_filters: "Saved filters" / "저장한 필터",
    none_yet: "none yet" / "아직 없습니다",
    save_as: "save as" / "이름",
    s_saves(filter): "s saves {filter}" / "s: 저장 {filter}",
    save_this_filter: "save this filter" / "이 필터 저장",
    search_title: "Find icons by text" / "글로 아이콘 찾기",
    filter_earlier: "earlier" / "이전 필터",
}

counted! {
    drafts: "draft" / "초안 {n}건",
    accepted_records: "accepted record" / "승인한 레코드 {n}건",
    rejections: "rejection" / "거절 {n}건",
    certain_records: "certain record" / "확실한 레코드 {n}건",
}
