//! Starts all of the program's threads and turns a panic in one of them into an error.

use crate::error::{Context, Error, ErrorKind, Result};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

/// Starts a thread. If `work` panics, `on_panic` runs on that thread with the error.
pub fn spawn(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
    on_panic: impl FnOnce(Error) + Send + 'static,
) -> Result<JoinHandle<()>> {
    Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let work = AssertUnwindSafe(|| traced(work));
            if let Err(panic) = catch_unwind(work) {
                on_panic(panicked(name, panic.as_ref()));
            }
        })
        .context(ErrorKind::Internal, starting(name))
        .map_err(too_many)
}

/// Starts a thread that ends within `scope`. The caller gets its panic from `join`.
pub fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, || traced(work))
        .context(ErrorKind::Internal, starting(name))
        .map_err(too_many)
}

/// Starts the threads that compute in parallel; each runs `on_start` first. Later calls return what
/// the first one returned.
pub fn start_pool(on_start: fn()) -> Result<()> {
    static STARTED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        let pool = rayon::ThreadPoolBuilder::new().start_handler(move |_| on_start());
        match pool.build_global() {
            // Without a source, the pool runs already.
            Err(error) => {
                std::error::Error::source(&error).map_or(Ok(()), |cause| Err(cause.to_string()))
            }
            Ok(()) => Ok(()),
        }
    });
    let failed = |cause: String| {
        let cause = format!("starting the compute threads: {cause}");
        too_many(Error::new(ErrorKind::Internal, cause))
    };
    started.clone().map_err(failed)
}

/// Inputs that [`map_in_order`] holds at a time, twice.
const BATCH: usize = 256;

/// Passes each result of `work` to `take`, in the order of `inputs`, until it returns `Break`. While
/// the compute threads work on a batch, this thread reads the next one.
pub fn map_in_order<T: Send, U: Send>(
    mut inputs: impl Iterator<Item = Result<T>>,
    work: impl Fn(T) -> U + Sync,
    mut take: impl FnMut(U) -> Result<ControlFlow<()>>,
) -> Result<()> {
    start_pool(|| ())?;
    let mut read = |batch: usize| inputs.by_ref().take(batch).collect::<Result<Vec<T>>>();
    let mut batch = read(1)?;
    while !batch.is_empty() {
        let mut done = Vec::new();
        let mut next = Ok(Vec::new());
        rayon::in_place_scope(|scope| {
            let (done, work) = (&mut done, &work);
            scope.spawn(move |_| *done = batch.into_par_iter().map(work).collect());
            next = read(BATCH);
        });
        for output in done {
            if take(output)?.is_break() {
                return Ok(());
            }
        }
        batch = next?;
    }
    Ok(())
}

fn traced<T>(work: impl FnOnce() -> T) -> T {
    tracing::trace!("thread started");
    work()
}

/// Turns the payload of a panic in `what` into an error.
pub fn panicked(what: &str, panic: &(dyn Any + Send)) -> Error {
    let text = panic_text(panic);
    Error::new(ErrorKind::Internal, format!("{what} panicked: {text}"))
        .with_hint("this is a bug in labeler-tui; labeler.log under the outdir has the details")
}

/// The message of a panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn starting(name: &str) -> String {
    format!("starting the {name} thread")
}

fn too_many(error: Error) -> Error {
    error.with_hint("allow more processes and threads (ulimit -u, the container's pids limit)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_panic_is_reported_with_its_cause() {
        for text in [true, false] {
            let (sender, receiver) = bounded(1);
            let thread = spawn(
                "sorting",
                move || match text {
                    true => panic!("no such icon: {}", 7),
                    false => std::panic::panic_any(7),
                },
                move |error| sender.send(error).unwrap(),
            );
            let error = receiver.recv().unwrap();
            thread.unwrap().join().unwrap();
            let cause = match text {
                true => "sorting panicked: no such icon: 7",
                false => "sorting panicked: no message",
            };
            assert_eq!(error.cause, cause);
        }
    }

    #[test]
    fn results_come_in_the_order_of_their_inputs_until_an_error_or_the_end() {
        let mapped = |inputs: &mut dyn Iterator<Item = Result<usize>>, last: usize| {
            let mut taken = Vec::new();
            let ended = map_in_order(
                inputs,
                |input| 2 * input,
                |output| {
                    taken.push(output);
                    Ok(match output < last {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    })
                },
            );
            (taken, ended)
        };
        let all = || (0..3 * BATCH).map(Ok);
        let doubled = |to: usize| (0..to).map(|input| 2 * input).collect::<Vec<_>>();
        let (taken, ended) = mapped(&mut all(), usize::MAX);
        assert_eq!((taken, ended), (doubled(3 * BATCH), Ok(())));
        let (taken, ended) = mapped(&mut all(), 20);
        assert_eq!((taken, ended), (doubled(11), Ok(())));
        let error = || Error::new(ErrorKind::Store, "damaged");
        let broken = &mut all().take(BATCH).chain([Err(error())]);
        let (taken, ended) = mapped(broken, usize::MAX);
        assert_eq!((taken, ended), (doubled(1), Err(error())));
    }

    #[test]
    fn a_thread_that_ends_normally_reports_nothing() {
        let (sender, receiver) = bounded(1);
        let end = move |error: Error| sender.send(error).unwrap();
        spawn("resting", || {}, end).unwrap().join().unwrap();
        assert!(receiver.recv().is_err());
    }
}
