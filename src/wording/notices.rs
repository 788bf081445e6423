//! Texts of the hint line: results of actions, and why an action is not possible.

words! {
    keys_busy: "keys are being recorded or played" / "키를 기록하거나 재생하는 중입니다",
    no_keys_yet: "no keys are recorded yet" / "아직 기록한 키가 없습니다",
    recording_keys(key): "recording keys: {key} stops" / "키를 기록합니다. {key} 키로 마칩니다",
    nothing_recorded: "nothing was recorded" / "기록한 것이 없습니다",
    recorded(keys, key): "{keys} recorded: {key} plays them"
        / "{keys}{을} 기록했습니다. {key} 키로 재생합니다",
    model_error(cause): "model: {cause}" / "모델: {cause}",
    goes_on_without_model(cause): "no model: {cause}; review continues without it"
        / "모델 없음: {cause}. 모델 없이 검토를 계속합니다",
    saved_again: "saved: the journal is writable again"
        / "저장했습니다. 저널에 다시 쓸 수 있습니다",
    failed_with(name, code, detail): "{name}: {code} ({detail})" / "{name}: {code} ({detail})",
    retried(what): "retried, {what}" / "다시 물었으나 {what}",
    engine_stopped(cause): "the engine stopped: {cause}" / "엔진이 멈췄습니다: {cause}",
    not_saved(cause): "not saved: {cause}" / "저장되지 않음: {cause}",
    hidden_by_filter: "the filter hides it" / "필터에 가려 있습니다",
    // What to do comes first, because a narrow screen cuts the end off.
    not_seen(name): "look at it and press again: {name} was not on screen yet"
        / "보고 나서 다시 누르세요: {name}{은} 아직 화면에 나오지 않았습니다",
    picture_not_seen(name): "look at the picture and press again: that of {name} was not on screen yet"
        / "그림을 보고 다시 누르세요: {name}의 그림은 아직 화면에 나오지 않았습니다",
    picture_replaced(name): "{name}: the picture's file was replaced since it was labeled; restart to label the new one"
        / "{name}: 라벨링한 뒤에 그림 파일이 바뀌었습니다. 다시 시작하면 새 그림을 라벨링합니다",
    nothing_to_accept(name): "{name}: nothing to accept, there is no draft yet"
        / "{name}: 아직 초안이 없어 승인할 수 없습니다",
    nothing_to_commit(name): "{name}: nothing to commit, there is no draft yet"
        / "{name}: 아직 초안이 없어 확정할 수 없습니다",
    no_edit_yet: "there is no edit to repeat yet" / "아직 반복할 편집이 없습니다",
    no_decision_to_commit: "nothing to commit: no accepted draft, no rejection of a committed line"
        / "확정할 것이 없습니다. 승인한 초안도, 확정된 줄을 거절한 것도 없습니다",
    no_certain_draft: "no certain draft to commit" / "확정할 확실한 초안이 없습니다",
    no_such_fix: "there is no such fix here" / "여기에는 그런 수정안이 없습니다",
    fix_shown(key): "this is fix {key}: press {key} again to apply it"
        / "수정안 {key}번입니다. {key} 키를 다시 누르면 적용합니다",
    pausing: "the model pauses after the icons in flight"
        / "모델이 지금 하는 것까지 마치고 멈춥니다",
    going_on: "the model continues" / "모델이 계속합니다",
    picture_ground(ground): "picture {ground}" / "그림: {ground}",
    nothing_to_try: "nothing to retry: everything is saved"
        / "다시 시도할 것이 없습니다. 모두 저장되어 있습니다",
    trying_again: "retrying" / "다시 시도합니다",
    asking_again(about): "retrying {about} ahead of the queue"
        / "대기열보다 먼저 다시 묻습니다: {about}",
    nothing_left_here: "nothing is left to review in this list"
        / "이 목록에는 검토할 것이 남지 않았습니다",
    changing(records): "changing {records}..." / "{records}{을} 바꾸는 중...",
    still_changing: "records are still being changed: press the key again when that is done"
        / "아직 레코드를 바꾸는 중입니다. 끝난 뒤에 키를 다시 누르세요",
    searching(text): "searching for {text}..." / "{text} 검색 중...",
    found_by(text): "all icons, most similar to {text} first"
        / "모든 아이콘을 {text}{과} 비슷한 것부터 보입니다",
    saved_view(name, filter): "saved as view:{name}: {filter}"
        / "저장했습니다: view:{name} = {filter}",
    removed_view(name): "removed the view {name}" / "저장한 필터 {name}{을} 지웠습니다",
    sorted_by(order): "sorted by {order}" / "정렬: {order}순",
    new_answer_for(name): "{name}: new answer" / "{name}: 새 답변",
    reasons_change(before, after): "{before} -> {after}" / "{before} -> {after}",
    key_compares(key): "{key} compares" / "{key} 키로 비교",
    draft_stays: "the draft stays" / "초안은 그대로",
    no_version_yet: "there is no version of this item yet" / "이 아이템에는 아직 버전이 없습니다",
    no_labels_to_take: "this attempt has no labels to take" / "이 시도에는 가져올 라벨이 없습니다",
    no_numbered_field: "no field has this number" / "이 번호의 칸이 없습니다",
    only_lists_shrink: "only values of a list can be removed; edit this field"
        / "목록의 값만 뺄 수 있습니다. 이 칸은 편집하세요",
    reason_needed: "a rejection needs a reason; Esc cancels"
        / "거절하려면 사유가 필요합니다. Esc로 그만둡니다",
    cannot_save_view: "this filter is empty, invalid, or a view itself"
        / "비었거나, 알 수 없거나, 이미 저장한 필터입니다",
    one_row_a_family: "one row of each recolor family" / "색만 다른 계열마다 한 줄",
    every_row: "every row" / "모든 줄",
    no_family: "no other icon is known to show this drawing" / "같은 그림의 다른 아이콘이 없습니다",
    family_selected(icons): "selected {icons} of one drawing" / "같은 그림의 {icons}{을} 선택했습니다",
    family_selected_of(icons, hidden): "selected {icons} of one drawing; the filter hides {hidden} more"
        / "같은 그림의 {icons}{을} 선택했습니다. 필터가 {hidden}개를 더 가립니다",
    nothing_to_fix: "nothing to fix" / "고칠 것이 없습니다",
    nothing_to_translate: "nothing to translate" / "옮길 것이 없습니다",
    nothing_to_translate_or_drop: "nothing to translate or drop" / "옮기거나 뺄 것이 없습니다",
}
