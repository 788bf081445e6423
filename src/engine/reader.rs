//! Reads the source on a thread of its own and hands its groups to the pipeline in batches.

use super::pipeline::Input;
use crate::error::Error;
use crate::source::{self, GroupEvent, ItemSource};
use crossbeam_channel::{Receiver, Sender};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Events in one batch, while the pipeline is busy with others.
const BATCH: usize = 128;

#[derive(Debug)]
pub enum FromSource {
    Groups(Vec<GroupEvent>),
    End {
        rows: u64,
        /// How many rows each group stands for, by its order.
        rows_of_groups: Vec<u32>,
    },
    Failed(Error),
}

/// Waits until `start` is dropped, then reads to the end or until `stop` is set.
pub fn run(
    source: Box<dyn ItemSource>,
    max_groups: Option<u64>,
    start: &Receiver<()>,
    stop: &AtomicBool,
    out: &Sender<Input>,
) {
    // Nothing is ever sent; the other side lets go when it is ready.
    let _ = start.recv();
    let mut batch = Vec::new();
    let send = |message| match out.send(Input::Source(message)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let read = source::group(source, max_groups, &mut |event| {
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        batch.push(event);
        if out.is_empty() || batch.len() >= BATCH {
            return send(FromSource::Groups(std::mem::take(&mut batch)));
        }
        ControlFlow::Continue(())
    });
    if !batch.is_empty() && send(FromSource::Groups(batch)).is_break() {
        return;
    }
    let last = match read {
        Ok(end) => FromSource::End {
            rows: end.rows,
            rows_of_groups: end.rows_of_groups,
        },
        Err(error) => FromSource::Failed(error),
    };
    // A pipeline that has stopped wants no more.
    let _ = send(last);
}
