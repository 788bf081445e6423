//! Linux, macOS and other Unix systems.

use super::{FileId, ProcessSignal, Waited};
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

/// Asks the system to keep the tile registers (AMX) of this process. Returns whether it does.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "a system call without a wrapper")]
pub fn allow_tile_registers() -> bool {
    const REQUEST_PERMISSION: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: it takes two numbers, and touches no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0 }
}

/// Always `false`: other processors have no tile registers, and on other systems no one has tried.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn allow_tile_registers() -> bool {
    false
}

/// SQLite's VFS without file locks.
pub const LOCKLESS_VFS: &str = "unix-none";

/// Device and inode number. Always present here; other systems have none.
pub fn file_id(about: &Metadata) -> Option<FileId> {
    Some((about.dev(), about.ino()))
}

/// Time of a file's last change of any kind (ctime), in seconds and nanoseconds. Programs cannot set
/// it.
pub fn change_time(about: &Metadata) -> (i64, i64) {
    (about.ctime(), about.ctime_nsec())
}

/// Number of a file's hard links.
pub fn link_count(about: &Metadata) -> u64 {
    about.nlink()
}

/// Makes opening fail on a symbolic link, and never block on a pipe.
pub fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
}

/// Gives a temporary file the mode of an ordinary new file (0666 less the umask).
pub fn set_file_mode(builder: &mut tempfile::Builder) {
    builder.permissions(Permissions::from_mode(0o666));
}

/// Gives a temporary folder the mode of an ordinary new folder (0777 less the umask).
pub fn set_folder_mode(builder: &mut tempfile::Builder) {
    builder.permissions(Permissions::from_mode(0o777));
}

/// Gives a new file the owner, group and mode of the file it replaces, as far as permitted.
pub fn copy_owner_and_mode(new: &File, old: &Metadata) -> io::Result<()> {
    let created = new.metadata()?;
    let mut mode = old.mode() & 0o7777;
    if (created.uid(), created.gid()) != (old.uid(), old.gid())
        && fchown(new, Some(old.uid()), Some(old.gid())).is_err()
        && fchown(new, None, Some(old.gid())).is_err()
    {
        // The group differs, so it gets no more rights than everyone else.
        mode &= !0o070 | ((mode & 0o007) << 3);
    }
    new.set_permissions(Permissions::from_mode(mode))
}

/// Makes a rename or a new file in the folder survive a power failure.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads at an offset without moving the file's read position.
pub fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

/// Advises the system to drop the pages of `bytes` from memory: they will not be read again soon.
#[allow(unsafe_code, reason = "pages of a mapped file")]
pub fn release_pages(file: &Mmap, bytes: &Range<usize>) -> io::Result<()> {
    // SAFETY: the mapping is read-only and backed by the file, so dropped pages are read again from
    // it when they are touched.
    unsafe { file.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) }
}

/// Keeps up to `bytes` of freed memory in the process. Inference allocates the same blocks over and
/// over, and the system zeroes every page that it hands out.
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

/// Does nothing: other allocators keep freed memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory(_: i32) {}

/// Id of the process that holds a lock on any of the `length` bytes from `start`.
pub fn lock_owner(file: &File, (start, length): (u64, u64)) -> Option<i32> {
    let mut wanted = Flock::from(FlockType::WriteLock);
    wanted.start = start;
    wanted.length = length;
    let conflict = fcntl_getlk(file, &wanted).ok()??;
    conflict.pid.map(|pid| pid.as_raw_nonzero().get())
}

/// Name of a process, where `/proc` exists.
pub fn process_name(process: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/comm")).ok()
}

/// Checks that files can be created in a folder.
pub fn can_write_in(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Free bytes on the file system of a folder.
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.f_bavail * disk.f_frsize)
}

pub fn host_name() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// Lowers the priority of the calling thread. Only Linux has a niceness per thread; elsewhere it
/// would slow down the screen too. A failure is ignored.
pub fn lower_priority() {
    const NICENESS: i32 = 10;
    if cfg!(target_os = "linux") {
        let _ = rustix::process::nice(NICENESS);
    }
}

/// Whether an error is an I/O error of a device, such as a closed terminal or a failing disk.
pub fn is_device_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Whether an error means that symbolic links lead in a circle.
pub fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Whether an error means that the file system does not support locks.
pub fn lacks_locks(error: &io::Error) -> bool {
    let unsupported = error.kind() == io::ErrorKind::Unsupported;
    unsupported || error.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
}

/// Turns reaching the file size limit (`ulimit -f`) into a write error, like a full disk, instead of
/// killing the process.
pub fn survive_file_size_limit() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Sets `interrupted` at the first interrupt; the second one exits with `status`.
pub fn on_interrupt(interrupted: &Arc<AtomicBool>, status: i32) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the second signal must find the flag set by the first.
        flag::register_conditional_shutdown(signal, status, Arc::clone(interrupted))?;
        flag::register(signal, Arc::clone(interrupted))?;
    }
    Ok(())
}

/// Receives the signals of a process that controls a terminal.
pub struct Signals(iterator::Signals);

impl Signals {
    /// Starts listening. `continued` is set before [`ProcessSignal::Continued`] is delivered.
    pub fn listen(continued: &Arc<AtomicBool>) -> io::Result<Self> {
        flag::register(SIGCONT, Arc::clone(continued))?;
        let wanted = [SIGTERM, SIGHUP, SIGINT, SIGCONT, SIGWINCH];
        iterator::Signals::new(wanted).map(Self)
    }

    /// Calls `each` for every signal; never returns.
    pub fn wait(&mut self, mut each: impl FnMut(ProcessSignal)) {
        for signal in self.0.forever() {
            each(match signal {
                SIGCONT => ProcessSignal::Continued,
                SIGWINCH => ProcessSignal::Resized,
                SIGHUP => ProcessSignal::HangUp,
                _ => ProcessSignal::Terminate,
            });
        }
    }
}

/// Suspends this process as Ctrl-Z does. May return before the process is suspended.
pub fn suspend() -> io::Result<()> {
    low_level::raise(SIGTSTP)
}

/// Puts the terminal on standard input into raw mode, whatever its current mode.
pub fn make_raw() -> io::Result<()> {
    let stdin = io::stdin();
    let mut mode = termios::tcgetattr(&stdin)?;
    mode.make_raw();
    Ok(termios::tcsetattr(&stdin, OptionalActions::Now, &mode)?)
}

/// Unbuffered terminal input.
pub struct TerminalInput(Stdin);

impl TerminalInput {
    pub fn open() -> io::Result<Self> {
        Ok(Self(io::stdin()))
    }

    /// Waits for input, for at most `timeout`, and reads what is available.
    pub fn read(&mut self, bytes: &mut [u8], timeout: Option<Duration>) -> io::Result<Waited> {
        // A timeout too long for a `Timespec` is infinite.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        // Bypasses the standard library, whose buffer would hold back bytes that it reads ahead.
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
    fn hard_links_share_a_file_id_and_a_copy_does_not() {
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
    fn only_the_calling_thread_gets_a_lower_priority() {
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
