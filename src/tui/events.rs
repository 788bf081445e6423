//! What the engine reports to the session, whatever screen or dialog is open.

use super::bars;
use super::engine_status::ModelState;
use super::message::Effect;
use super::session::Session;
use crate::engine::{Event, Warning};

/// Updates the session. The application handles the events that concern a dialog.
pub fn update(event: Event, session: &mut Session) {
    let words = session.words;
    match event {
        Event::Groups(groups) => {
            session.update_records(groups);
            session.queue.refresh();
        }
        Event::Detail(detail) => session.put_detail(*detail),
        Event::Vocabulary(vocabulary) => session.set_vocabulary(vocabulary),
        Event::Remembered { key, value } => {
            if let Some(filter) = session.history.restore(&key, &value) {
                session.queue.restore_filter(filter);
            }
            session.queue.refresh();
        }
        Event::Learned(estimator) => session.learn(*estimator),
        Event::Found { text, groups } => session.show_search_results(text, groups),
        Event::Audited(estimate) => session.audit = estimate,
        Event::AuditDrawn { .. } => session.notify(words.no_record_to_audit()),
        Event::SourceRead { pictures, .. } => {
            session.records.set_source_read();
            session.notify_moved(&pictures);
        }
        Event::ModelReady(info) => session.engine.model = ModelState::Ready(info),
        Event::ModelFailed(error) => {
            let cause = words.cause(&error);
            session.notices.log_error(words.model_error(cause));
            session.warn(words.goes_on_without_model(cause));
            session.engine.model = ModelState::Failed(error);
        }
        Event::Labeled {
            group,
            reasons,
            offered,
            ..
        } => {
            session.engine.add_labeled(group);
            session.notify_answer(group, reasons.len(), offered);
        }
        Event::Idle => {
            if session.engine.should_ring() {
                let left = bars::window_title(session);
                session.request(Effect::Ring(left));
            }
        }
        Event::Failed {
            group,
            name,
            code,
            detail,
            ..
        } => {
            let detail = detail.said();
            let detail = words.said(&detail);
            let text = words.failed_with(name, words.failure_code(code), detail);
            session.notify_failed(group, text);
        }
        Event::Warning(warning) => {
            if matches!(warning, Warning::Refused(_)) {
                session.engine.step_answered();
            }
            let text = words.warning(&warning);
            session.notices.log_error(text.clone());
            session.warn(text);
        }
        Event::Stopped(_) => {
            session.engine.ended = true;
            session.request(Effect::Quit);
        }
        Event::Broken(broken) => {
            let error = words.broken(&broken);
            session.warn(words.engine_stopped(&error.cause));
            session.engine.ended = true;
            session.engine.broken = Some(error);
        }
        Event::Stepped { .. }
        | Event::VocabularyPreview { .. }
        | Event::FixPreview { .. }
        | Event::Blocked(_)
        | Event::Unblocked => {}
    }
}
