//! Texts of the queue, gallery, picture, words and versions screens.

words! {
    families_folded: ", families folded" / ", 계열 묶음",
    family_first(n, shown): "family of {n}, first {shown}" / "계열 {n}건 중 {shown}건",
    family_of(n): "family of {n}" / "계열 {n}건",
    nearest_committed: "nearest committed" / "비슷한 확정 레코드",
    found_instead: "found instead" / "대신 검색되는 것",
    queue_title(at, all, order): "Queue {at}/{all} by {order}" / "대기열 {at}/{all} {order}순",
    like_text(text): "similarity to {text}" / "{text}{과} 비슷한",
    list_title(at, all, order): "{at}/{all} by {order}" / "{at}/{all} {order}순",
    selected(n): "# {n} selected" / "# {n}건 선택",
    selected_hidden(n, hidden): "# {n} selected, {hidden} hidden" / "# {n}건 선택, {hidden}건 가려짐",
    everything: "everything" / "모두",
    no_items_in_source: "The source holds no item." / "원본에 아이템이 없습니다.",
    reading_source: "Reading the source..." / "원본을 읽는 중...",
    model_at_work(progress, all):
        "Nothing to review yet: the model is working. {progress} shows it, {all} shows every item."
        / "아직 검토할 것이 없습니다. 모델이 작성하고 있습니다. {progress}: 진행, {all}: 모든 아이템.",
    nothing_to_review(all): "Nothing to review. {all} shows every item."
        / "검토할 것이 없습니다. {all}: 모든 아이템.",
    nothing_passes(all): "No item passes the filter. {all} clears it."
        / "필터에 맞는 것이 없습니다. {all}: 필터 지우기.",
    // While the filter is typed, only the keys of its line work.
    nothing_passes_yet: "No item passes the filter. Ctrl-u empties it."
        / "필터에 맞는 것이 없습니다. Ctrl-u: 모두 지우기.",
    pictures_are_off: "there are no pictures: started with --pictures none"
        / "그림이 없습니다: --pictures none으로 시작했습니다",
    nothing_left: "Nothing is left to review." / "검토할 것이 남지 않았습니다.",
    nothing_left_yet(items): "Nothing to review for now; the model has {items} left."
        / "지금은 검토할 것이 없습니다. 모델에 {items}{이} 남았습니다.",
    left_certain(n): "{n} certain:" / "확실한 것 {n}건:",
    left_accepted(n): "{n} accepted:" / "승인한 것 {n}건:",
    left_rejected(n): "{n} rejected, still in labels.jsonl:" / "거절했으나 아직 labels.jsonl에 있는 것 {n}건:",
    left_failed(n): "{n} failed:" / "실패한 것 {n}건:",
    commits_all: "commits all" / "모두 확정",
    lists_them: "lists them" / "목록 보기",
    are_in_labels(n, all): "{n} of {all} are in labels.jsonl." / "{all}건 중 {n}건이 labels.jsonl에 있습니다.",
    you_decided(n, efforts): "You decided {n}: {efforts}." / "{n}건을 결정했습니다: {efforts}.",
    you_decided_in(n, time, pace, efforts):
        "You decided {n} in {time} ({pace} an hour): {efforts}."
        / "{time} 동안 {n}건을 결정했습니다(시간당 {pace}건): {efforts}.",
    as_they_were(n): "{n} unchanged" / "그대로 {n}건",
    by_a_digit(n): "{n} fixed by a digit" / "숫자 키로 수정 {n}건",
    by_hand(n): "{n} edited" / "편집 {n}건",
    shows_every_item: "shows every item." / "모든 아이템 보기",

    picture_title: "Picture" / "그림",
    as_model_saw: "as the model saw it" / "모델이 본 대로",
    as_model_would_see: "as this run's model would see it" / "이번 실행의 모델이 볼 모습",
    not_as_labeled: "replaced since it was labeled" / "라벨링한 뒤에 바뀐 그림",
    no_picture_file: "no picture file" / "그림 파일 없음",
    no_picture: "no picture" / "그림 없음",
    no_picture_because(why): "no picture: {why}" / "그림 없음: {why}",
    by_contrast(ground): "{ground} (contrast)" / "{ground}(대비)",
    upscale(n): "upscale {n}" / "배율 {n}",
    unnamed: "unnamed" / "이름 없음",
    also_named: "also named" / "다른 이름",

    words_title: "Words" / "단어",
    list_reasons: "Reasons" / "사유",
    list_states: "States" / "상태",
    list_uncertainty: "Uncertainty" / "불확실도",
    no_word_here: "There is no word in this list." / "이 목록에는 단어가 없습니다.",
    no_words_to_change(list): "{list} come from the records and cannot be edited as words"
        / "{list}{은} 레코드에서 나온 것이라 고칠 단어가 아닙니다",
    nothing_to_count: "Nothing to count yet." / "아직 셀 것이 없습니다.",
    found_on(names): "on {names}" / "쓰인 곳: {names}",
    probably_synonym(word): "probably a synonym of {word}" / "{word}의 동의어로 보입니다",

    versions_title(at, all): "Versions {at}/{all}" / "버전 {at}/{all}",
    version_of(at, all, name): "Version {at}/{all} of {name}" / "{name}의 버전 {at}/{all}",
    against_draft(name): "Against the draft of {name}" / "{name}의 초안과 비교",
    no_labels_here: "This attempt has no labels." / "이 시도에는 라벨이 없습니다.",
    this_is_draft: "This is the draft." / "지금의 초안입니다.",
    same_as_draft: "The same text as the draft." / "초안과 같은 글입니다.",
    no_answer: "no answer" / "답변 없음",
    attempt_failed(n): "attempt {n}, failed" / "시도 {n}, 실패",
    is_draft(version): "{version}, draft" / "{version}, 초안",
    is_undone(version): "{version}, undone" / "{version}, 되돌림",
    is_new(version): "{version}, new" / "{version}, 새 답변",
    by_model(model): "by {model}" / "{model}",
    committed_on(day, how): "committed {day}, {how}" / "{day} 확정, {how}",
    was_committed_on(day, how): "was committed {day}, {how}" / "{day}에 확정했던 것, {how}",
    committed_how(how): "committed, {how}" / "확정, {how}",
    strict: "strict" / "엄격",
    without_a_picture: "no picture" / "그림 없이",
    no_reasons: "no reasons" / "사유 없음",

    answered(before, after): "answered {before} -> {after}" / "답변 도착 {before} -> {after}",
    new_answer: "new answer" / "새 답변",
    retrying: "retrying" / "다시 묻는 중",
}
