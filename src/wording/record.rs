//! Texts of the record pane.

words! {
    record_title: "Record" / "레코드",
    record_title_with(score): "Record  {score}" / "레코드  {score}",
    row_rejected: "rejected" / "거절",
    row_note: "note" / "메모",
    row_new: "new" / "새 답변",
    row_commit: "commit" / "확정",
    row_source: "source" / "원본",
    row_about: "about" / "설명",
    row_also: "also" / "다른 이름",
    row_image: "image" / "그림",
    row_from: "from" / "출처",
    row_committed: "committed" / "확정",
    answered_again(key): "the model has answered again: {key} to compare, the draft stays"
        / "모델이 다시 답했습니다. 초안은 그대로이고, {key} 키로 비교합니다",
    confirms_line: "confirms the line in labels.jsonl, as accepting does"
        / "승인과 같이 labels.jsonl의 줄을 확인합니다",
    replaces_line: "replaces the line in labels.jsonl with this draft"
        / "labels.jsonl의 줄을 이 초안으로 바꿉니다",
    removes_line: "removes the line from labels.jsonl" / "labels.jsonl에서 줄을 뺍니다",
    not_in_labels: "not in labels.jsonl" / "labels.jsonl에 없음",
    line_unread: "its line cannot be read and is kept in labels_unread.jsonl"
        / "줄을 읽을 수 없어 labels_unread.jsonl에 두었습니다",
    by_batch: "by --batch" / "--batch로",
    by_operator: "by the operator" / "작업자가",
    by_import: "by an earlier program" / "이전 프로그램이",
    this_draft: "this draft" / "이 초안",
    another_version: "another version" / "다른 버전",
    is_in_labels(what, by): "{what} is in labels.jsonl, {by}" / "{by} 확정한 {what}{이} labels.jsonl에 있습니다",
    is_in_labels_since(what, by, at): "{what} is in labels.jsonl, {by}, since {at}"
        / "{by} 확정한 {what}{이} labels.jsonl에 있습니다({at})",
    in_hand: "The model is working on it." / "모델이 작성하고 있습니다.",
    retry_or_reject: "-> retry, or reject it" / "-> 다시 묻거나 거절하세요",
    no_draft_without_model: "There is no draft, and no model to write one."
        / "초안이 없고, 초안을 쓸 모델도 없습니다.",
    waiting_for_model: "Waiting for the model." / "모델을 기다립니다.",
    opinions_agree(agree, of): "~ {agree} of {of} opinions agree" / "~ 의견 {of}개 중 {agree}개 일치",
    check_words(words): "~ check in the icon: {words}" / "~ 그림에서 확인: {words}",
    more_fixes_below(keys): "{keys}: fixes below, press to see"
        / "{keys}: 아래의 수정안 보기",
    made_by(kind, model, prompt, at, versions): "{kind}, {model}, prompt {prompt}, {at}; {versions}"
        / "{kind}, {model}, 프롬프트 {prompt}, {at}; {versions}",
}
