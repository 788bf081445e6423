//! Texts of engine reports, for both front ends.

use super::Words;
use crate::engine::{
    Blocked, Broken, Command, ModelInfo, ModelNotice, MovedPictures, Rescued, ServerNotice, Warning,
};
use crate::error::Error;
use crate::record::SimilarDecisions;
use crate::text::{duration, gibibytes};

words! {
    no_model_for_attempt: "no attempt is possible: there is no model"
        / "모델이 없어 물을 수 없습니다",
    nothing_matches_redo: "no record of the source matches the filter of --redo"
        / "--redo의 필터에 맞는 레코드가 원본에 없습니다",
    left_out_replaced(names):
        "left out, since the picture's file was replaced: {names}; after a restart the new one has a row"
        / "그림 파일이 바뀌어 뺐습니다: {names}. 다시 시작하면 새 그림의 줄이 생깁니다",
    run_to_restore(path, outdir):
        "{path} has work of an earlier run that the journal lacks; `labeler-tui journal \
         restore {path} --outdir {outdir}` restores it"
        / "{path}에 저널에는 없는 이전 작업이 있습니다. `labeler-tui journal restore {path} \
           --outdir {outdir}`로 되살릴 수 있습니다",
    journal_rewritten: "journal.sqlite was rewritten" / "journal.sqlite를 다시 썼습니다",
    journal_rewritten_beside(path):
        "journal.sqlite was rewritten; the previous file is now {path}"
        / "journal.sqlite를 다시 썼습니다. 그 자리에 있던 것은 이제 {path}에 있습니다",
    record_followed: "1 record followed its picture to another path"
        / "레코드 1건이 그림을 따라 다른 경로로 옮겨졌습니다",
    records_followed(n): "{n} records followed their pictures to other paths"
        / "레코드 {n}건이 그림을 따라 다른 경로로 옮겨졌습니다",
    withheld_records(n): "{n} records" / "레코드 {n}건",
    withheld_record: "1 record" / "레코드 1건",
    withheld_edits(n): "{n} edits" / "편집 {n}건",
    withheld_edit: "1 edit" / "편집 1건",
    and_withheld(a, b): "{a} and {b}" / "{a}, {b}",
    withheld(what, paths):
        "{what} withheld, another picture is there now: {paths} (text in labels_kept.jsonl)"
        / "{what}{을} 내보내지 않았습니다. 그 자리에 다른 그림이 있습니다: {paths} (글은 labels_kept.jsonl에)",
    estimated(percent): "{percent} %, estimated" / "{percent} %, 추정",
    one_changed_alike(percent, decided): "{percent} %: 1 of {decided} like this was changed"
        / "{percent} %: 비슷한 {decided}건 중 1건을 고쳤습니다",
    changed_alike(percent, changed, decided):
        "{percent} %: {changed} of {decided} like this were changed"
        / "{percent} %: 비슷한 {decided}건 중 {changed}건을 고쳤습니다",
    proxy(url, proxy): "{url} is reached through the proxy {proxy}, as set in the environment"
        / "환경 변수에 따라 프록시 {proxy}{을} 거쳐 {url}에 연결합니다",
    server_gone(url, why, goes_on): "{url} does not answer ({why}); {goes_on}"
        / "{url}: 응답이 없습니다({why}). {goes_on}",
    server_broken(url, why, goes_on): "{url} gives no usable answers ({why}); {goes_on}"
        / "{url}: 쓸 수 있는 응답을 주지 않습니다({why}). {goes_on}",
    server_barred(url, why, goes_on): "{url} refuses every item ({why}); {goes_on}"
        / "{url}: 모든 항목을 거부합니다({why}). {goes_on}",
    server_asks_to_wait(url, wait): "{url} is busy and asks to wait for {wait}"
        / "{url}: 서버가 바빠 {wait} 동안 기다려 달라고 합니다",
    server_asks_to_wait_longer(url, wait):
        "{url} is busy and asks to wait longer than {wait}, trying again in {wait}"
        / "{url}: 서버가 바빠 {wait}보다 오래 기다려 달라고 합니다. {wait} 뒤에 다시 시도합니다",
    server_busy(url, status, times):
        "{url} is too busy for every request ({status}, {times} in a row), trying again with pauses"
        / "{url}: 서버가 바빠 요청을 모두 거절합니다(상태 {status}, 연달아 {times}번). 쉬어 가며 다시 시도합니다",
    server_no_longer_busy(url): "{url} answers again" / "{url}: 서버가 다시 답합니다",
    server_slow(url, bytes, time): "{url} sends its answers very slowly: {bytes} in {time}"
        / "{url}: 답을 매우 느리게 보냅니다({time} 동안 {bytes})",
    server_given_up(url, why, goes_on):
        "{url} still gives no usable answers ({why}) and gets no more requests; {goes_on}"
        / "{url}: 여전히 쓸 수 있는 응답을 주지 않아({why}) 더 요청하지 않습니다. {goes_on}",
    paused_until_back: "the run is paused until it is back" / "돌아올 때까지 작업을 멈춥니다",
    goes_on_with_one: "continuing with one other server" / "다른 서버 한 대로 계속합니다",
    goes_on_with(others): "continuing with {others} other servers"
        / "다른 서버 {others}대로 계속합니다",
    server_back(url): "{url} is back, continuing" / "{url}: 서버가 돌아와 계속합니다",
    server_back_last(url): "{url} is back, continuing; its later interruptions are only in labeler.log"
        / "{url}: 서버가 돌아와 계속합니다. 다음부터는 labeler.log에만 적습니다",
    schema_refused(url, from, to): "{url} refuses {from}, continuing with {to}"
        / "{url}: {from} 방식을 거부하여 {to} 방식으로 계속합니다",
    schema_ignored(url, from, to):
        "{url} accepts {from} but does not follow it, continuing with {to}"
        / "{url}: {from} 방식을 받지만 따르지 않아 {to} 방식으로 계속합니다",
    no_probabilities(url): "{url} gives no token probabilities; records have no confidence"
        / "{url}: 토큰 확률을 주지 않아 레코드에 확신도가 없습니다",
    no_accelerator(why): "using the CPU although this build supports an accelerator: {why}"
        / "이 빌드는 가속기용이지만 CPU를 씁니다: {why}",
    batch_capped(wanted, icons, allowed, size):
        "{icons} in flight instead of {wanted}: keys and values may take {allowed}; for \
         all of them give --kv-memory {size}"
        / "{wanted}개가 아니라 {icons}{을} 한꺼번에 처리합니다. 키와 값에 쓸 수 있는 메모리는 \
           {allowed}입니다. 모두 처리하려면 --kv-memory {size}을 지정하세요",
    model_memory(weights, caches, icons):
        "weights {weights}, keys and values up to {caches}; {icons} in flight"
        / "가중치 {weights}, 키와 값 최대 {caches}, 동시에 처리하는 {icons}",
    model_memory_free(weights, caches, free, icons):
        "weights {weights}, keys and values up to {caches}, {free} free; {icons} in flight"
        / "가중치 {weights}, 키와 값 최대 {caches}, 남은 메모리 {free}, 동시에 처리하는 {icons}",
    all_is_in(error, path): "{error}; all of its data is in {path}"
        / "{error}. 저널의 내용은 모두 {path}에 있습니다",
    restore_goes_on(path, outdir):
        "`labeler-tui journal restore {path} --outdir {outdir}` continues from it"
        / "`labeler-tui journal restore {path} --outdir {outdir}`로 이어서 할 수 있습니다",
    not_saved_elsewhere(error): "{error}, and it could not be saved elsewhere"
        / "{error}, 다른 곳에도 저장하지 못했습니다",
    not_saved_steps(error, steps): "{error}; not saved: {steps}"
        / "{error}. 저장되지 않은 것: {steps}",
    decide_again: "once it is writable, restart and repeat these decisions"
        / "다시 쓸 수 있게 되면 다시 시작해 그것을 다시 결정하세요",
    run_is_in(error, path): "{error}; the work of this run is in {path}"
        / "{error}. 이번 작업은 {path}에 있습니다",
    run_is_lost(error, other):
        "{error}; the work of this run could not be saved either: {other}"
        / "{error}. 이번 작업도 따로 적어 두지 못했습니다: {other}",
}

counted! {
    more_items: "more item" / "그 밖에 {n}건",
    bytes: "byte" / "{n}바이트",
}

impl Words {
    pub fn warning(self, warning: &Warning) -> String {
        match warning {
            Warning::Source(said) => self.said(said).to_owned(),
            Warning::Export(notice) => self.file_notice(notice),
            Warning::Server(notice) => self.server_notice(notice),
            Warning::Model(notice) => self.model_notice(notice),
            Warning::NoModel => self.no_model_for_attempt().to_owned(),
            Warning::NothingToRedo => self.nothing_matches_redo().to_owned(),
            Warning::Refused(error) => self.cause(error).to_owned(),
            Warning::PicturesReplaced(names) => self.left_out(names),
            Warning::RunToRestore(path) => {
                let outdir = path.parent().unwrap_or(path);
                self.run_to_restore(path.display(), outdir.display())
            }
            Warning::JournalRewritten { set_aside: None } => self.journal_rewritten().to_owned(),
            Warning::JournalRewritten {
                set_aside: Some(path),
            } => self.journal_rewritten_beside(path.display()),
        }
    }

    fn left_out(self, names: &[String]) -> String {
        const MAX_NAMED: usize = 3;
        let mut named = names.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>();
        if names.len() > MAX_NAMED {
            named.push(self.more_items(names.len() - MAX_NAMED));
        }
        self.left_out_replaced(named.join(", "))
    }

    /// Describes records and edits whose pictures have moved; `None` if there are none.
    pub fn moved_pictures(self, pictures: &MovedPictures) -> Option<String> {
        let mut parts = Vec::new();
        match pictures.moved {
            0 => {}
            1 => parts.push(self.record_followed().to_owned()),
            n => parts.push(self.records_followed(n)),
        }
        let records = match pictures.withheld {
            0 => None,
            1 => Some(self.withheld_record().to_owned()),
            n => Some(self.withheld_records(n)),
        };
        let edits = match pictures.withheld_edits {
            0 => None,
            1 => Some(self.withheld_edit().to_owned()),
            n => Some(self.withheld_edits(n)),
        };
        let what = match (records, edits) {
            (Some(records), Some(edits)) => Some(self.and_withheld(records, edits)),
            (records, edits) => records.or(edits),
        };
        if let Some(what) = what {
            let all = pictures.withheld + pictures.withheld_edits;
            let mut paths = pictures.paths.join(", ");
            if all > pictures.paths.len() as u64 {
                paths.push_str(", ...");
            }
            parts.push(self.withheld(what, paths));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Explains an uncertainty score: the probability that a person changes the record, and the
    /// decisions that it is based on.
    pub fn score(self, uncertainty: f32, alike: Option<SimilarDecisions>) -> String {
        let percent = (uncertainty.clamp(0.0, 1.0) * 100.0).round();
        match alike {
            None => self.estimated(percent),
            Some(SimilarDecisions {
                changed: 1,
                decided,
            }) => self.one_changed_alike(percent, decided),
            Some(SimilarDecisions { changed, decided }) => {
                self.changed_alike(percent, changed, decided)
            }
        }
    }

    fn model_notice(self, notice: &ModelNotice) -> String {
        match notice {
            ModelNotice::NoAccelerator(error) => self.no_accelerator(self.cause(error)),
            ModelNotice::BatchCapped {
                wanted,
                fits,
                allowed,
                needed,
            } => self.batch_capped(
                wanted,
                self.icons(*fits),
                gibibytes(*allowed),
                size(*needed),
            ),
        }
    }

    /// The memory use of a model in this process; `None` for a remote model.
    pub fn memory(self, info: &ModelInfo) -> Option<String> {
        let memory = info.memory?;
        let (weights, caches) = (gibibytes(memory.weights), gibibytes(memory.caches));
        let icons = self.icons(info.slots);
        Some(match memory.free {
            Some(free) => self.model_memory_free(weights, caches, gibibytes(free), icons),
            None => self.model_memory(weights, caches, icons),
        })
    }

    fn goes_on(self, others: usize) -> String {
        match others {
            0 => self.paused_until_back().to_owned(),
            1 => self.goes_on_with_one().to_owned(),
            others => self.goes_on_with(others),
        }
    }

    pub fn server_notice(self, notice: &ServerNotice) -> String {
        match notice {
            ServerNotice::Proxy { url, proxy } => self.proxy(url, proxy),
            ServerNotice::Unavailable {
                url,
                why,
                responds,
                others,
            } => {
                let (why, goes_on) = (why.said(), self.goes_on(*others));
                match responds {
                    true => self.server_broken(url, self.said(&why), goes_on),
                    false => self.server_gone(url, self.said(&why), goes_on),
                }
            }
            ServerNotice::Excluded { url, why, others } => {
                let (reason, goes_on) = (why.said(), self.goes_on(*others));
                match why.is_refusal() {
                    true => self.server_barred(url, self.said(&reason), goes_on),
                    false => self.server_given_up(url, self.said(&reason), goes_on),
                }
            }
            ServerNotice::RetryLater { url, pause } => {
                let wait = duration(pause.wait.as_secs_f64());
                match pause.is_shortened {
                    true => self.server_asks_to_wait_longer(url, wait),
                    false => self.server_asks_to_wait(url, wait),
                }
            }
            ServerNotice::Busy { url, status, times } => self.server_busy(url, status, times),
            ServerNotice::NoLongerBusy { url } => self.server_no_longer_busy(url),
            ServerNotice::SlowAnswer {
                url,
                bytes,
                elapsed,
            } => self.server_slow(url, self.bytes(*bytes), duration(elapsed.as_secs_f64())),
            ServerNotice::Recovered { url, is_last } => match is_last {
                true => self.server_back_last(url),
                false => self.server_back(url),
            },
            ServerNotice::SchemaRefused { url, from, to } => self.schema_refused(url, from, to),
            ServerNotice::SchemaIgnored { url, from, to } => self.schema_ignored(url, from, to),
            ServerNotice::NoProbabilities { url } => self.no_probabilities(url),
        }
    }

    /// The error for a journal that cannot be written at the moment.
    pub fn blocked(self, blocked: &Blocked) -> Error {
        self.with_run_log(&blocked.error, blocked.run_log.as_ref())
    }

    /// The error for a stopped engine, including where unsaved work is.
    pub fn broken(self, broken: &Broken) -> Error {
        let cause = self.cause(&broken.error);
        match &broken.journal {
            Some(Rescued::To(path)) => {
                let outdir = path.parent().unwrap_or(path);
                let hint = self.restore_goes_on(path.display(), outdir.display());
                let cause = self.all_is_in(cause, path.display());
                return Error::new(broken.error.kind, cause).with_hint(hint);
            }
            Some(Rescued::Failed(other)) => {
                let context = self.not_saved_elsewhere(cause);
                return self.worded(other, self.cause(other)).context(context);
            }
            None => {}
        }
        let error = self.with_run_log(&broken.error, broken.run_log.as_ref());
        let unsaved: Vec<String> = broken
            .unsaved
            .iter()
            .filter_map(|command| self.decision(command))
            .collect();
        if unsaved.is_empty() {
            return error;
        }
        let cause = self.not_saved_steps(&error.cause, unsaved.join(", "));
        Error::new(error.kind, cause).with_hint(self.decide_again())
    }

    /// The name of a command that makes a decision; `None` for other commands.
    fn decision(self, command: &Command) -> Option<String> {
        match command {
            Command::Apply { change, .. } => Some(self.change(change)),
            Command::Undo => Some(self.undo().to_owned()),
            Command::Redo => Some(self.redo().to_owned()),
            Command::Judge { .. } => Some(self.judge_a_record().to_owned()),
            _ => None,
        }
    }

    fn with_run_log(self, error: &Error, run_log: Option<&Rescued>) -> Error {
        let cause = self.cause(error);
        let cause = match run_log {
            None => cause.to_owned(),
            Some(Rescued::To(path)) => self.run_is_in(cause, path.display()),
            Some(Rescued::Failed(other)) => self.run_is_lost(cause, self.cause(other)),
        };
        self.worded(error, &cause)
    }

    /// The error with another cause and its hint in this language.
    fn worded(self, error: &Error, cause: &str) -> Error {
        let worded = Error::new(error.kind, cause);
        match self.hint(error) {
            Some(hint) => worded.with_hint(hint),
            None => worded,
        }
    }
}

/// Formats bytes as a command-line value, rounded up.
fn size(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{}MiB", bytes.div_ceil(1 << 20)),
        _ => {
            let gib = bytes as f64 / f64::from(1 << 30);
            format!("{:.1}GiB", (gib * 10.0).ceil() / 10.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cure;
    use crate::error::ErrorKind;
    use crate::record::{Change, GroupId};
    use std::path::PathBuf;

    fn damaged() -> Error {
        Error::new(ErrorKind::Store, "journal.sqlite was cut short").with_hint("look at the disk")
    }

    #[test]
    fn a_broken_run_names_unsaved_decisions_and_the_run_log() {
        let groups = vec![GroupId(1)];
        let change = Change::Accept;
        let worded = Words::ENGLISH.broken(&Broken {
            unsaved: vec![Command::Apply { groups, change }, Command::Undo],
            run_log: Some(Rescued::To(PathBuf::from("out/run.jsonl"))),
            ..Broken::from(damaged())
        });
        assert_eq!(
            worded.cause,
            "journal.sqlite was cut short; the work of this run is in out/run.jsonl; \
             not saved: accept, undo"
        );
        assert!(worded.hint.unwrap().contains("repeat these decisions"));
        assert_eq!(Words::ENGLISH.broken(&damaged().into()), damaged());
    }

    #[test]
    fn a_lost_journal_is_reported_with_its_rescue_file() {
        let rescued = |journal| {
            Words::ENGLISH.broken(&Broken {
                journal: Some(journal),
                ..Broken::from(damaged())
            })
        };
        let saved = rescued(Rescued::To(PathBuf::from("out/rescued.sqlite")));
        assert!(
            saved
                .cause
                .ends_with("all of its data is in out/rescued.sqlite")
        );
        let hint = saved.hint.unwrap();
        assert!(hint.contains("journal restore out/rescued.sqlite --outdir out`"));
        let full = Error::new(ErrorKind::Store, "no space").with_hint("free some");
        let lost = rescued(Rescued::Failed(full));
        assert_eq!(
            lost.cause,
            "journal.sqlite was cut short, and it could not be saved elsewhere: no space"
        );
        assert_eq!(lost.hint.unwrap(), "free some");
    }

    #[test]
    fn moved_and_withheld_records_are_counted_and_named() {
        let words = |moved, withheld, withheld_edits, paths: &[&str]| {
            Words::ENGLISH.moved_pictures(&MovedPictures {
                moved,
                withheld,
                withheld_edits,
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            })
        };
        assert_eq!(words(0, 0, 0, &[]), None);
        assert_eq!(
            words(1, 0, 0, &[]).unwrap(),
            "1 record followed its picture to another path"
        );
        assert_eq!(
            words(2, 1, 3, &["a.png", "b.png", "c.png"]).unwrap(),
            "2 records followed their pictures to other paths; 1 record and 3 edits withheld, \
             another picture is there now: a.png, b.png, c.png, ... (text in labels_kept.jsonl)"
        );
    }

    #[test]
    fn a_blocked_run_names_the_run_log() {
        let worded = Words::ENGLISH.blocked(&Blocked {
            error: damaged(),
            cure: Cure::None,
            run_log: Some(Rescued::Failed(Error::new(ErrorKind::Store, "no space"))),
        });
        assert!(
            worded
                .cause
                .ends_with("could not be saved either: no space")
        );
        assert_eq!(worded.hint, damaged().hint);
    }
}
