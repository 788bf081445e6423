//! Linux, macOS and others like them.

use super::{FileId, Signal, Waited};
use memmap2::{Mmap, UncheckedAdvice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, OFlags, access, statvfs};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use rustix::termios::{self, OptionalActions};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH, SIGXFSZ};
use signal_hook::{flag, iterator, low_level};
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Stdin};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// SQLite's name for files that it does not lock.
pub const LOCKLESS_VFS: &str = "unix-none";

/// `None` where the system does not tell.
pub fn file_id(about: &Metadata) -> Option<FileId> {
    Some((about.dev(), about.ino()))
}

/// When a file last changed in any way: seconds and nanoseconds. Nobody can set that.
pub fn change_time(about: &Metadata) -> (i64, i64) {
    (about.ctime(), about.ctime_nsec())
}

/// How many names a file has.
pub fn link_count(about: &Metadata) -> u64 {
    about.nlink()
}

/// Opening fails where the name is a link, and never waits for the other end of a pipe.
pub fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
}

/// The rights of any new file, less what the umask takes away; temporary files have fewer.
pub fn set_file_mode(builder: &mut tempfile::Builder) {
    builder.permissions(Permissions::from_mode(0o666));
}

/// The same for a new folder.
pub fn set_folder_mode(builder: &mut tempfile::Builder) {
    builder.permissions(Permissions::from_mode(0o777));
}

/// Gives a new file owner, group and mode of the one that it replaces, as far as one may.
pub fn copy_owner_and_mode(new: &File, old: &Metadata) -> io::Result<()> {
    let created = new.metadata()?;
    let mut mode = old.mode() & 0o7777;
    if (created.uid(), created.gid()) != (old.uid(), old.gid())
        && fchown(new, Some(old.uid()), Some(old.gid())).is_err()
        && fchown(new, None, Some(old.gid())).is_err()
    {
        // Its group is another one, which is let do no more than everybody.
        mode &= !0o070 | ((mode & 0o007) << 3);
    }
    new.set_permissions(Permissions::from_mode(mode))
}

/// Makes a rename or a new file in the folder outlast a power failure.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads without moving where the file is read next.
pub fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

/// Tells the system that these bytes of a mapped file will not be read again soon.
#[allow(unsafe_code, reason = "pages of a mapped file")]
pub fn release_pages(file: &Mmap, bytes: &Range<usize>) -> io::Result<()> {
    // SAFETY: the mapping is read-only and backed by the file, so dropped pages are read again from
    // it when they are touched.
    unsafe { file.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) }
}

/// Keeps memory that is freed for what is allocated next: computing takes the same blocks again and
/// again, and the system clears each page that it gives. Up to `bytes` are kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "settings of the C library's allocator")]
pub fn keep_freed_memory(bytes: i32) {
    const TRIM_THRESHOLD: i32 = -1;
    const TOP_PAD: i32 = -2;
    const MMAP_THRESHOLD: i32 = -3;
    unsafe extern "C" {
        safe fn mallopt(setting: i32, value: i32) -> i32;
    }
    mallopt(TRIM_THRESHOLD, bytes);
    mallopt(MMAP_THRESHOLD, bytes / 4);
    mallopt(TOP_PAD, bytes / 16);
}

/// Other allocators keep it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory(_: i32) {}

/// The process that has locked some of `length` bytes of a file from `start` on against writing.
pub fn lock_owner(file: &File, (start, length): (u64, u64)) -> Option<i32> {
    let mut asked = Flock::from(FlockType::WriteLock);
    asked.start = start;
    asked.length = length;
    let held = fcntl_getlk(file, &asked).ok()??;
    held.pid.map(|pid| pid.as_raw_nonzero().get())
}

/// What a process is called, where the system tells.
pub fn process_name(process: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/comm")).ok()
}

/// Whether files may be made in a folder.
pub fn can_write_in(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Bytes that are free where a folder is.
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.f_bavail * disk.f_frsize)
}

pub fn host_name() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// Lets other threads go before this one, where that is a matter of a thread: elsewhere it would
/// slow down the screen too. If it cannot be done, all are equal.
pub fn lower_priority() {
    const NICENESS: i32 = 10;
    if cfg!(target_os = "linux") {
        let _ = rustix::process::nice(NICENESS);
    }
}

/// Whether an error says that a device does not work: a terminal that is gone, a failing disk.
pub fn is_device_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Whether an error says that the file system has no locks.
pub fn lacks_locks(error: &io::Error) -> bool {
    let unsupported = error.kind() == io::ErrorKind::Unsupported;
    unsupported || error.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
}

/// A file that may not grow any more (`ulimit -f`) is then an error of the write, as a full disk
/// is, and not the end of the process.
pub fn survive_file_size_limit() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Sets `asked` when the process is to end; a second request ends it with `status`.
pub fn on_interrupt(asked: &Arc<AtomicBool>, status: i32) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the second signal finds the flag that the first one has set.
        flag::register_conditional_shutdown(signal, status, Arc::clone(asked))?;
        flag::register(signal, Arc::clone(asked))?;
    }
    Ok(())
}

/// The signals of a process that holds a terminal.
pub struct Signals(iterator::Signals);

impl Signals {
    /// Receives them from now on. `continued` is set before [`Signal::Continued`] is given.
    pub fn listen(continued: &Arc<AtomicBool>) -> io::Result<Self> {
        flag::register(SIGCONT, Arc::clone(continued))?;
        let wanted = [SIGTERM, SIGHUP, SIGINT, SIGCONT, SIGWINCH];
        iterator::Signals::new(wanted).map(Self)
    }

    /// Gives each to `each`, without an end.
    pub fn wait(&mut self, mut each: impl FnMut(Signal)) {
        for signal in self.0.forever() {
            each(match signal {
                SIGCONT => Signal::Continued,
                SIGWINCH => Signal::Resized,
                SIGHUP => Signal::HangUp,
                _ => Signal::Terminate,
            });
        }
    }
}

/// Stops this process as Ctrl-Z does. It may return before the process was stopped.
pub fn suspend() -> io::Result<()> {
    low_level::raise(SIGTSTP)
}

/// Puts the terminal of standard input into raw mode, whatever mode it is in.
pub fn make_raw() -> io::Result<()> {
    let stdin = io::stdin();
    let mut mode = termios::tcgetattr(&stdin)?;
    mode.make_raw();
    Ok(termios::tcsetattr(&stdin, OptionalActions::Now, &mode)?)
}

/// The terminal's input, byte by byte as it comes.
pub struct TerminalInput(Stdin);

impl TerminalInput {
    pub fn open() -> io::Result<Self> {
        Ok(Self(io::stdin()))
    }

    /// Waits for input, at most for `timeout`, and reads what is there.
    pub fn read(&mut self, bytes: &mut [u8], timeout: Option<Duration>) -> io::Result<Waited> {
        // One too long to be told is one without an end.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        // Not through the standard library, whose buffer would keep what it reads ahead.
        let read = match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(Waited::TimedOut),
            Ok(_) => rustix::io::read(&self.0, bytes),
            Err(error) => Err(error),
        };
        match read {
            Ok(0) => Ok(Waited::Closed),
            Ok(read) => Ok(Waited::Read(read)),
            Err(Errno::INTR) => Ok(Waited::Interrupted),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_are_one_file_and_a_copy_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("one"), "x").unwrap();
        std::fs::hard_link(at("one"), at("two")).unwrap();
        std::fs::copy(at("one"), at("three")).unwrap();
        let about = |name: &str| std::fs::metadata(at(name)).unwrap();
        assert_eq!(file_id(&about("one")), file_id(&about("two")));
        assert_ne!(file_id(&about("one")), file_id(&about("three")));
        assert_eq!(
            (link_count(&about("one")), link_count(&about("three"))),
            (2, 1)
        );
        std::os::unix::fs::symlink("one", at("link")).unwrap();
        let mut options = OpenOptions::new();
        options.read(true);
        assert!(options.open(at("link")).is_ok());
        assert!(no_follow(&mut options).open(at("link")).is_err());
    }

    #[test]
    fn only_this_thread_gives_way() {
        if cfg!(target_os = "linux") {
            let niceness = || {
                let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
                let fields = stat.rsplit_once(") ").unwrap().1;
                fields.split(' ').nth(16).unwrap().parse::<i32>().unwrap()
            };
            let before = niceness();
            let lowered = std::thread::spawn(move || {
                lower_priority();
                niceness()
            });
            assert_eq!(lowered.join().unwrap(), (before + 10).min(19));
            assert_eq!(niceness(), before);
        }
    }
}
