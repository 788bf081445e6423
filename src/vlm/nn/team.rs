//! Threads that share the work of one operation at a time.
//!
//! A step of a model is hundreds of operations of some ten microseconds each. The threads of a general
//! pool fall asleep between them, and with 16 threads waking them took 20 to 40 µs an operation. These
//! threads look out for the next operation for a while before they sleep.

#![allow(
    unsafe_code,
    reason = "threads borrow the work of an operation and write to disjoint parts of a slice"
)]

use crate::threads;
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a thread looks out before it sleeps: longer than what happens between the operations of a
/// step.
const PATIENCE: Duration = Duration::from_micros(100);
/// How often a thread looks before it reads the clock.
const LOOKS: usize = 64;

/// The team that all operations share; its threads start with the first one.
static TEAM: LazyLock<&Team> =
    LazyLock::new(|| Team::start(rayon::current_num_threads(), PATIENCE));

thread_local! {
    /// Whether this thread is working on a task; operations within tasks are not shared.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// How many threads share an operation.
pub fn threads() -> usize {
    TEAM.shares.len()
}

/// Runs all tasks, `0..tasks`. A thread takes `grain` consecutive tasks at a time.
pub fn for_each(tasks: usize, grain: usize, work: impl Fn(usize) + Sync) {
    TEAM.share(tasks, grain, &work);
}

/// Passes the chunks of `items`, with their indices, to `work`; the last one may be shorter. A thread
/// takes `grain` consecutive chunks at a time.
pub fn for_chunks<T: Send>(
    items: &mut [T],
    size: usize,
    grain: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let (start, length) = (SharedPointer::new(items.as_mut_ptr()), items.len());
    for_each(length.div_ceil(size), grain, |index| {
        let first = index * size;
        // SAFETY: each chunk lies within `items`, which is borrowed until all tasks are done, and each
        // task has a chunk of its own.
        let chunk =
            unsafe { std::slice::from_raw_parts_mut(start.at(first), size.min(length - first)) };
        work(index, chunk);
    });
}

/// The results of all tasks, `0..tasks`, in order.
pub fn map<T: Send>(tasks: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    map_with(tasks, || (), |(), task| work(task))
}

/// The results of all tasks, `0..tasks`, in order. Each thread has working memory of its own, which
/// it keeps from task to task.
pub fn map_with<S, T: Send>(
    tasks: usize,
    memory: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let mut results: Vec<Option<T>> = Vec::new();
    results.resize_with(tasks, || None);
    let (start, next) = (
        SharedPointer::new(results.as_mut_ptr()),
        AtomicUsize::new(0),
    );
    for_each(threads().min(tasks), 1, |_| {
        let mut memory = memory();
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|task| *task < tasks);
        while let Some(task) = take() {
            let result = work(&mut memory, task);
            // SAFETY: the results outlive all tasks, and each task is taken once.
            unsafe { *start.at(task) = Some(result) };
        }
    });
    results.into_iter().flatten().collect()
}

/// The start of a buffer that threads write to, each to a part of its own.
pub struct SharedPointer<T>(*mut T);

// SAFETY: it only computes addresses; every use justifies its own safety.
unsafe impl<T: Send> Sync for SharedPointer<T> {}

impl<T> SharedPointer<T> {
    /// Writers must stay within the buffer and finish before it is dropped.
    pub fn new(start: *mut T) -> Self {
        Self(start)
    }

    #[inline(always)]
    pub fn at(&self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

/// Runs a task, given the share that it belongs to and its place there.
type TeamTask<'a> = &'a (dyn Fn(usize, usize) + Sync);

struct Team {
    patience: Duration,
    /// Held by the thread whose operation is shared.
    leader: Mutex<()>,
    /// The shared operation; valid while it has tasks that are not done.
    work: UnsafeCell<Option<TeamTask<'static>>>,
    /// Each thread begins with a share of its own, so that it reads memory in order, and goes on with
    /// what is left of the others'.
    shares: Box<[Share]>,
    /// Counts the operations.
    operation: AtomicUsize,
    /// Tasks of the shared operation, and how many of them are done.
    tasks: AtomicUsize,
    done: AtomicUsize,
    /// The leader, when it sleeps until all tasks are done.
    waiting: Mutex<Option<Thread>>,
    is_waiting: AtomicBool,
    /// What the first task to panic has thrown.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    asleep: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `work` is written by the leader alone, before the shares that announce it, and read only by
// threads that have taken a task of it; the leader waits for all of them.
unsafe impl Sync for Team {}

/// The tasks of a share and the next one to be taken, in one word, so that taking a task is one
/// instruction. On cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Share(AtomicU64);

impl Share {
    const BITS: u32 = 32;
    const MAX_TASKS: usize = u32::MAX as usize / 2;

    fn fill(&self, tasks: usize) {
        self.0
            .store((tasks as u64) << Self::BITS, Ordering::Release);
    }

    fn take(&self) -> Option<usize> {
        // Threads that look in vain must not count on.
        Self::next(self.0.load(Ordering::Relaxed))?;
        Self::next(self.0.fetch_add(1, Ordering::Acquire))
    }

    fn next(word: u64) -> Option<usize> {
        let (tasks, next) = ((word >> Self::BITS) as u32, word as u32);
        (next < tasks).then_some(next as usize)
    }
}

impl Team {
    /// Starts the threads besides the calling one, as many as the system allows.
    fn start(threads: usize, patience: Duration) -> &'static Self {
        let team: &'static Self = Box::leak(Box::new(Self {
            patience,
            leader: Mutex::new(()),
            work: UnsafeCell::new(None),
            shares: (0..threads).map(|_| Share::default()).collect(),
            operation: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            waiting: Mutex::new(None),
            is_waiting: AtomicBool::new(false),
            panic: Mutex::new(None),
            asleep: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
        }));
        for thread in 1..threads {
            let help = move || {
                AT_WORK.set(true);
                team.help(thread);
            };
            if let Err(error) = threads::spawn("compute", help, |_| {}) {
                tracing::warn!(%error, "fewer threads compute");
                break;
            }
        }
        team
    }

    /// Runs all tasks of an operation. Operations within tasks, and those that begin while another
    /// thread's is being shared, run on the calling thread alone.
    fn share(&self, tasks: usize, grain: usize, work: &(dyn Fn(usize) + Sync)) {
        let grain = grain.max(tasks / Share::MAX_TASKS + 1);
        let groups = tasks.div_ceil(grain);
        let shares = self.shares.len();
        let leader = match groups > 1 && shares > 1 && !AT_WORK.get() {
            true => self.leader.try_lock().ok(),
            false => None,
        };
        let Some(leader) = leader else {
            return (0..tasks).for_each(work);
        };
        let first = |share: usize| share * groups / shares;
        let run = |share: usize, place: usize| {
            let start = (first(share) + place) * grain;
            (start..tasks.min(start + grain)).for_each(work);
        };
        let run: TeamTask = &run;
        // SAFETY: only the lifetime changes. `run` outlives all uses of it: this function returns
        // when all tasks are done, and no one uses it without a task.
        let run = unsafe { std::mem::transmute::<TeamTask<'_>, TeamTask<'static>>(run) };
        // SAFETY: all tasks of the operation before are done, so no other thread reads it.
        unsafe { *self.work.get() = Some(run) };
        self.tasks.store(groups, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        for (index, share) in self.shares.iter().enumerate() {
            share.fill(first(index + 1) - first(index));
        }
        self.operation.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            // Whoever is about to sleep holds the lock until it does.
            drop(lock(&self.bed));
            self.wake.notify_all();
        }
        AT_WORK.set(true);
        self.work(0);
        AT_WORK.set(false);
        let all_done = || self.done.load(Ordering::SeqCst) == groups;
        if !self.look_out(all_done) {
            self.wait(all_done);
        }
        let panic = lock(&self.panic).take();
        drop(leader);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Takes tasks and runs them until none is left, the thread's own first. Returns whether there
    /// was one.
    fn work(&self, thread: usize) -> bool {
        let mut worked = false;
        let count = self.shares.len();
        for share in (thread..count).chain(0..thread) {
            while let Some(task) = self.shares[share].take() {
                worked = true;
                // SAFETY: this thread has taken a task of the operation that is not done.
                let work = unsafe { *self.work.get() };
                let run = AssertUnwindSafe(|| work.map(|work| work(share, task)));
                if let Err(panic) = catch_unwind(run) {
                    lock(&self.panic).get_or_insert(panic);
                }
                let tasks = self.tasks.load(Ordering::Relaxed);
                let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
                if done == tasks
                    && self.is_waiting.load(Ordering::SeqCst)
                    && let Some(leader) = &*lock(&self.waiting)
                {
                    leader.unpark();
                }
            }
        }
        worked
    }

    /// Works on one operation after the other.
    fn help(&self, thread: usize) {
        loop {
            let seen = self.operation.load(Ordering::SeqCst);
            let has_more = || self.operation.load(Ordering::Relaxed) != seen;
            if !self.work(thread) && !self.look_out(has_more) {
                self.sleep(seen);
            }
        }
    }

    /// Looks out for something, not long. Returns whether it has come.
    fn look_out(&self, has_come: impl Fn() -> bool) -> bool {
        let since = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if has_come() {
                    return true;
                }
                spin_loop();
            }
            if since.elapsed() >= self.patience {
                return false;
            }
        }
    }

    /// Sleeps until all tasks are done: a processor that other programs need too may go on with one
    /// of them.
    fn wait(&self, all_done: impl Fn() -> bool) {
        *lock(&self.waiting) = Some(std::thread::current());
        self.is_waiting.store(true, Ordering::SeqCst);
        while !all_done() {
            std::thread::park();
        }
        self.is_waiting.store(false, Ordering::SeqCst);
        *lock(&self.waiting) = None;
    }

    /// Sleeps until there is another operation than `seen`.
    fn sleep(&self, seen: usize) {
        let mut bed = lock(&self.bed);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while self.operation.load(Ordering::SeqCst) == seen {
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A panic of a task is passed on, so a poisoned lock means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `f` with teams that sleep at once, that never do, and of one thread.
    fn with_teams(f: impl Fn(&Team)) {
        for (threads, patience) in [
            (4, Duration::ZERO),
            (3, Duration::from_secs(1)),
            (1, PATIENCE),
        ] {
            f(Team::start(threads, patience));
        }
    }

    #[test]
    fn every_task_runs_once() {
        with_teams(|team| {
            for tasks in [0, 1, 2, 7, 100, 1000] {
                for grain in [1, 3, 64, 5000] {
                    let counts: Vec<AtomicUsize> =
                        (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                    team.share(tasks, grain, &|task| {
                        counts[task].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(
                        counts
                            .iter()
                            .all(|count| count.load(Ordering::Relaxed) == 1)
                    );
                }
            }
        });
    }

    #[test]
    fn chunks_and_results_are_in_order() {
        let mut numbers = vec![0; 1001];
        for_chunks(&mut numbers, 10, 4, |index, chunk| {
            for (at, number) in chunk.iter_mut().enumerate() {
                *number = index * 10 + at;
            }
        });
        assert!(numbers.into_iter().eq(0..1001));
        assert!(
            map(77, |task| task * task)
                .into_iter()
                .eq((0..77).map(|task| task * task))
        );
    }

    #[test]
    fn operations_within_tasks_and_of_several_threads_work() {
        with_teams(|team| {
            let count = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        team.share(20, 1, &|_| {
                            team.share(10, 2, &|_| {
                                count.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    });
                }
            });
            assert_eq!(count.load(Ordering::Relaxed), 600);
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_tasks_and_the_team_goes_on() {
        with_teams(|team| {
            for bad in [0, 19] {
                let run = AssertUnwindSafe(|| {
                    team.share(20, 1, &|task| assert!(task != bad, "task {task} failed"));
                });
                let panic = catch_unwind(run).unwrap_err();
                let text = panic.downcast_ref::<String>().unwrap();
                assert_eq!(*text, format!("task {bad} failed"));
            }
            let count = AtomicUsize::new(0);
            team.share(20, 1, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.load(Ordering::Relaxed), 20);
        });
    }
}
