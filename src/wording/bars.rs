//! Texts of the header, the hint line and the window title, and the state of the run.

use super::Words;
use crate::engine::Stage;

words! {
    help: "help" / "도움말",
    back: "back" / "뒤로",
    go_on: "continue" / "계속",
    recording: "recording" / "기록 중",
    undo_step(step): "undo {step}" / "되돌리기: {step}",
    again: "again" / "반복",
    again_change(change): "again {change}" / "반복: {change}",
    commit_certain(n): "commit {n} certain" / "확실한 {n}건 확정",
    decided(n): "{n} decided" / "{n}건 결정",
    an_hour(pace): "{pace} an hour" / "시간당 {pace}건",
    time_left(time): "{time} left" / "{time} 남음",
    of_in_labels(n, all): "{n} of {all} in labels.jsonl" / "{all}건 중 {n}건이 labels.jsonl에 있음",
    title(open, outdir): "{open} to review: {outdir}" / "검토할 {open}건: {outdir}",
    title_working(open, queued, outdir): "{open} to review, {queued} to label: {outdir}"
        / "검토할 {open}건, 라벨링할 {queued}건: {outdir}",
    leave_blind: "quit? y n" / "나갈까요? y n",
    too_small(width, height): "too small: {width}x{height} needed"
        / "화면이 작습니다: {width}x{height} 필요",

    no_model_off: "there is no model: started with --no-model"
        / "모델이 없습니다. --no-model로 시작했습니다",
    no_model_because(cause): "there is no model: {cause}" / "모델이 없습니다: {cause}",
    engine_has_stopped: "the engine has stopped" / "엔진이 멈췄습니다",
    engine_has_stopped_because(cause): "the engine has stopped: {cause}"
        / "엔진이 멈췄습니다: {cause}",
    nothing_is_saved(why): "{why}; nothing more is saved, quit and restart"
        / "{why}. 더는 저장되지 않으니 나가서 다시 시작하세요",
    the_action(name): "the action {name}" / "{name} 동작",
    key_tries_again(key): "{key} tries again" / "{key} 키로 다시 시도",
    key_rewrites(key): "{key} rewrites the journal" / "{key} 키로 저널 다시 쓰기",
    leave_and_start: "quit and restart" / "나가서 다시 시작하세요",
    trouble(cure, cause): "not saved, {cure}: {cause}" / "저장되지 않음, {cure}: {cause}",

    stage_stopped: "stopped" / "멈춤",
    stage_stopped_because(cause): "stopped: {cause}" / "멈춤: {cause}",
    stage_not_saved: "not saved" / "저장 안 됨",
    stage_no_model: "no model" / "모델 없음",
    stage_model_failed: "model failed" / "모델 오류",
    stage_starting: "starting" / "시작 중",
    stage_downloading: "downloading" / "내려받는 중",
    stage_loading: "loading" / "불러오는 중",
    stage_quantizing: "quantizing" / "양자화 중",
    stage_writing: "writing" / "작성 중",
    stage_waiting: "no server answers" / "서버 응답 없음",
    stage_idle: "idle" / "쉬는 중",
    stage_paused: "paused" / "일시 정지",
    stage_failed: "failed" / "실패",
    per_minute(n): "{n}/min" / "분당 {n}",

    seconds(n): "{n} s" / "{n}초",
    minutes(n): "{n} min" / "{n}분",
    hours(h, m): "{h} h {m} min" / "{h}시간 {m}분",
}

impl Words {
    pub fn stage(self, stage: Stage) -> &'static str {
        match stage {
            Stage::Starting => self.stage_starting(),
            Stage::Download => self.stage_downloading(),
            Stage::Load => self.stage_loading(),
            Stage::Quantize => self.stage_quantizing(),
            Stage::Decode => self.stage_writing(),
            Stage::Waiting => self.stage_waiting(),
            Stage::Idle => self.stage_idle(),
            Stage::Paused => self.stage_paused(),
            Stage::Failed => self.stage_failed(),
        }
    }

    /// A remaining time, rounded so that the display does not flicker.
    pub fn rough_duration(self, seconds: f64) -> String {
        let seconds = seconds.clamp(0.0, 1e8) as u64;
        match seconds {
            0..=59 => self.seconds(seconds),
            60..=3599 => self.minutes(seconds.div_ceil(60)),
            _ => self.hours(seconds / 3600, format!("{:02}", seconds % 3600 / 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    #[test]
    fn durations_are_rounded() {
        let korean = Words::new(Language::Korean);
        for (seconds, english, in_korean) in [
            (0.0, "0 s", "0초"),
            (59.9, "59 s", "59초"),
            (61.0, "2 min", "2분"),
            (3599.0, "60 min", "60분"),
            (7500.0, "2 h 05 min", "2시간 05분"),
            (f64::INFINITY, "27777 h 46 min", "27777시간 46분"),
        ] {
            assert_eq!(Words::ENGLISH.rough_duration(seconds), english);
            assert_eq!(korean.rough_duration(seconds), in_korean);
        }
    }
}
