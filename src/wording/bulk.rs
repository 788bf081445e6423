//! Texts of dialogs that change many records in one step, after a preview.

words! {
    change_scope(scope): "Change {scope}" / "일괄 변경: {scope}",
    of_scope(scope): "Of {scope}" / "대상: {scope}",
    this_record: "this record" / "이 레코드",
    of_this_family(records): "{records} of this family" / "이 계열의 {records}",
    that_the_list_shows(records): "{records} that the list shows" / "목록의 {records}",
    all_of(records): "all {records}" / "모든 {records}",

    bulk_field: "field" / "칸",
    bulk_do: "do" / "할 일",
    bulk_value: "value" / "값",
    bulk_into: "into" / "합칠 말",
    bulk_of: "of" / "대표 말",
    bulk_by: "with" / "바꿀 말",
    bulk_add: "add" / "추가",
    bulk_remove: "remove" / "빼기",
    bulk_replace: "replace" / "바꾸기",
    bulk_set: "set" / "지정",
    bulk_merge: "merge" / "합치기",
    bulk_synonym: "synonym" / "동의어",
    bulk_head(action, field): "{action} in {field}" / "{field} {action}",
    letter_enter: "letter Enter" / "글자 Enter",
    other_records: "other records" / "다른 레코드",

    counting: "counting..." / "세는 중...",
    nothing_changes: "nothing changes" / "바뀌는 것이 없습니다",
    one_record_changes: "1 record changes" / "레코드 1건이 바뀝니다",
    records_change(records): "{records} change" / "{records}{이} 바뀝니다",
    protected(names): "{names} protected" / "{names}{은} 그대로 둡니다",
    nothing_there: "(none)" / "(없음)",
    and_more(rest): "and {rest}" / "그 밖에 {rest}",

    find_and_replace: "Find and replace" / "찾아 바꾸기",
    find: "find" / "찾을 말",
    replace_by: "new text" / "바꿀 말",
    all_text: "all text" / "모든 글",
    all_records: "all records" / "모든 레코드",
    the_list: "the list" / "목록",
    the_selection: "the selection" / "선택한 것",
    this_family: "this family" / "이 계열",
    replace_it: "replace" / "바꾸기",
    leave_out: "leave out" / "제외",
    the_field: "field" / "칸",
    the_words: "words" / "단어",
    the_records: "records" / "레코드",
    the_text: "text" / "글",

    translate_title: "Translate into the vocabulary" / "어휘집의 말로 옮기기",
    without_draft_stay(n): "{n} without a draft stay as they are" / "초안이 없는 {n}건은 그대로 둡니다",
    y_nothing_to_translate: "y: nothing to translate" / "y: 옮길 것이 없습니다",
    y_translates(words, records): "y: {words} translated in {records}"
        / "y: {records}에서 {words}{을} 옮깁니다",
    nothing_to_drop: "no word would be dropped" / "빼야 할 단어가 없습니다",
    d_drops(words, records): "d: the same, and drops {words} in {records}; y keeps them"
        / "d: 옮기고, {records}에서 {words}{을} 뺍니다. y는 남겨 둡니다",
    unknown: "unknown" / "모르는 단어",
    and_unknown(to, unknown): "{to}, unknown: {unknown}" / "{to}, 모르는 단어: {unknown}",
    translate_do: "translate" / "옮기기",
    translate_and_drop_unknown: "translate and drop unknown" / "옮기고 모르는 단어 빼기",

    fix_all_title: "Fix all alike" / "같은 것 모두 수정",
    no_open_record_has(reason): "No open record here has {reason}."
        / "여기에는 사유가 '{reason}'인 열린 레코드가 없습니다.",
    with_reason_selected(records, reason): "{records} with {reason} that you selected"
        / "선택한 것 중 '{reason}'인 {records}",
    with_reason_shown(records, reason): "{records} with {reason} that the list shows"
        / "목록에서 '{reason}'인 {records}",
    with_reason_family(records, reason): "{records} with {reason} of this family"
        / "이 계열에서 '{reason}'인 {records}",
    with_reason_all(records, reason): "all undecided records with {reason}: {records}"
        / "아직 결정하지 않은, '{reason}'인 모든 {records}",
    y_fixes(fix, records): "y: {fix} in {records}" / "y: {records}에서 {fix}",
    y_fixes_leaving(fix, records, left): "y: {fix} in {records}; {left} cannot be fixed this way"
        / "y: {records}에서 {fix}. {left}건은 이렇게 고칠 수 없어 그대로 둡니다",
    fix_them: "fix them" / "수정",
}

counted! {
    selected_records: "selected record" / "선택한 레코드 {n}건",
    vocabulary_words: "word" / "단어 {n}개",
    more_texts: "more text" / "글 {n}가지",
    more_words: "more word" / "단어 {n}개",
    unknown_words: "unknown word" / "모르는 단어 {n}개",
}
