//! Reads the source on its own thread and sends its groups in batches.

use super::messages::{SourceEvent, WorkerMessage};
use crate::source::{self, ItemSource};
use crossbeam_channel::{Receiver, Sender};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Maximum events per batch. Batches grow while the coordinator is busy.
const BATCH: usize = 128;

/// Waits until `start` is closed, then reads to the end or until `stop` is set.
pub fn run(
    source: Box<dyn ItemSource>,
    max_groups: Option<u64>,
    start: &Receiver<()>,
    stop: &AtomicBool,
    out: &Sender<WorkerMessage>,
) {
    // Returns when the sender is dropped; nothing is ever sent.
    let _ = start.recv();
    let mut batch = Vec::new();
    let send = |message| match out.send(WorkerMessage::Source(message)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let read = source::group(source, max_groups, &mut |event| {
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        batch.push(event);
        if out.is_empty() || batch.len() >= BATCH {
            return send(SourceEvent::Groups(std::mem::take(&mut batch)));
        }
        ControlFlow::Continue(())
    });
    if !batch.is_empty() && send(SourceEvent::Groups(batch)).is_break() {
        return;
    }
    let last = match read {
        Ok(end) => SourceEvent::End {
            rows: end.rows,
            rows_of_groups: end.rows_of_groups,
            refused: end.refused,
        },
        Err(error) => SourceEvent::Failed(error),
    };
    // Fails only if the coordinator has stopped.
    let _ = send(last);
}
