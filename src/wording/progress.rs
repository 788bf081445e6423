//! Texts of the progress screen.

words! {
    progress_title: "Progress" / "진행",
    being_written: "In progress" / "작성 중",
    finished: "Finished" / "끝난 것",
    last_errors: "Last errors" / "최근 오류",
    icons_a_minute: "Icons per minute" / "분당 아이콘",
    time_a_step: "Time per step, summed over icons" / "단계별 시간(아이콘마다 더한 값)",
    step_prepare: "prepare" / "준비",
    step_see: "vision" / "보기",
    step_read: "prefill" / "읽기",
    step_write: "decode" / "쓰기",
    step_seconds(n): "{n} s" / "{n}초",

    fact_model: "model" / "모델",
    fact_stage: "stage" / "단계",
    fact_icons: "icons" / "아이콘",
    fact_run: "this run" / "이번 작업",
    fact_queue: "queue" / "대기열",
    fact_speed: "speed" / "속도",
    fact_requests: "requests" / "요청",
    fact_time_left: "time left" / "남은 시간",
    fact_memory: "memory" / "메모리",
    model_on(name, device, detail): "{name} on {device}, {detail}" / "{name}, {device}, {detail}",
    not_loaded_yet: "not loaded yet" / "아직 불러오지 않음",
    review_only: "none (--no-model): review only" / "없음(--no-model): 검토만",
    failed_because(cause): "failed: {cause}" / "실패: {cause}",
    of_icons(done, total): "{done} of {total}" / "{total}개 중 {done}개",
    so_far(icons): "{icons} so far, still reading" / "지금까지 {icons}, 읽는 중",
    this_run(done, uncertain, failed): "{done} done, {uncertain} uncertain, {failed} failed"
        / "완료 {done}, 불확실 {uncertain}, 실패 {failed}",
    in_queue(waiting, running): "{waiting} waiting, {running} in flight"
        / "대기 {waiting}, 작성 중 {running}",
    speed(now, mean, tokens): "{now} icons/min, {mean} on average, {tokens} tokens/s"
        / "분당 {now}개, 평균 {mean}개, 초당 {tokens}토큰",
    speed_at_work(mean): "{mean} icons/min on average" / "평균 분당 {mean}개",
    requests(all, again, sent, received): "{all}, {again} of them retries, {sent} sent, {received} received"
        / "{all}회, 그중 재시도 {again}회, 보냄 {sent}, 받음 {received}",
    rate_of(time, most): "icons per minute, last {time}, peak {most}"
        / "분당 아이콘, 최근 {time}, 최고 {most}",
    states_and_reasons: "States and reasons" / "상태와 사유",
    decided_last: "Decided last" / "최근에 결정한 것",
    decisions_a_minute: "Decisions per minute" / "분당 결정",
    decisions_of(time, most): "decisions per minute, last {time}, peak {most}"
        / "분당 결정, 최근 {time}, 최고 {most}",
    next_to_review: "Next to review" / "다음에 검토할 것",
    how_decided: "How they were decided" / "결정한 방식",
    effort_none: "unchanged" / "그대로",
    effort_fixed: "fixed by a digit" / "숫자 키로 수정",
    effort_edited: "edited" / "편집",
    fact_lines: "lines" / "줄",
    fact_open: "to review" / "검토할 것",
    fact_decided: "decided" / "결정",
    nothing_in_hand: "nothing" / "없음",
    no_errors: "none" / "없음",
    lines_below(lines, keys): "and {lines}: {keys}" / "아래에 {lines}: {keys}",
}

counted! {
    more_lines: "more line" / "{n}줄",
    tokens_so_far: "token" / "{n}토큰",
}
