//! The lock file that allows one process at a time to use an outdir, or to export to a folder.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{LOCK, NO_LOCKS, file_error, open_own, refuse_irregular};
use crate::platform;
use crate::store::tables;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const ANOTHER_OUTDIR: &str = "wait until it ends or stop it, or choose another --outdir";

/// Exclusive lock on an outdir or another folder, held until dropped. The system releases it when
/// the process ends, even after a crash.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Content of the lock file, which a second process reports.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: String,
}

impl Lock {
    pub fn take(outdir: &Path) -> Result<Self> {
        let path = outdir.join(LOCK);
        match Self::attempt(&path)? {
            Ok(lock) => Ok(lock),
            Err((mut file, TryLockError::WouldBlock)) => {
                Err(in_use(&mut file, outdir, ANOTHER_OUTDIR))
            }
            Err((_, TryLockError::Error(error))) => Err(lock_error(&path, error)),
        }
    }

    /// Locks a folder that is not an outdir by a file in it, which the holder removes before it
    /// releases the lock. `hint` says what to do while another process has it. `None` if the file
    /// system has no locks.
    pub fn take_removable(path: &Path, hint: &str) -> Result<Option<Self>> {
        loop {
            match Self::attempt(path)? {
                Ok(lock) if lock.is_file(path) => return Ok(Some(lock)),
                // The last holder has just removed the file.
                Ok(_) => {}
                Err((mut file, TryLockError::WouldBlock)) => {
                    return Err(in_use(&mut file, path.parent().unwrap_or(path), hint));
                }
                Err((_, TryLockError::Error(error))) if platform::lacks_locks(&error) => {
                    std::fs::remove_file(path).map_err(file_error("removing", path))?;
                    return Ok(None);
                }
                Err((_, TryLockError::Error(error))) => return Err(lock_error(path, error)),
            }
        }
    }

    /// Tries to lock a file, and writes into it who holds it. Returns the file with the error if it
    /// cannot be locked.
    fn attempt(path: &Path) -> Result<Result<Self, (File, TryLockError)>> {
        let mut file = open_own(path, OpenOptions::new().read(true).write(true))?;
        if let Err(error) = file.try_lock() {
            return Ok(Err((file, error)));
        }
        let holder = Holder {
            pid: std::process::id(),
            host: platform::host_name(),
            since: crate::text::utc(jiff::Timestamp::now()),
        };
        let text = tables::to_json(&holder)?;
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .map_err(file_error("writing", path))?;
        Ok(Ok(Self { file }))
    }

    /// Whether the lock file in `outdir` is still the one that this process holds.
    pub fn is_at(&self, outdir: &Path) -> bool {
        self.is_file(&outdir.join(LOCK))
    }

    fn is_file(&self, path: &Path) -> bool {
        let found = std::fs::metadata(path);
        match (self.file.metadata(), found) {
            (Ok(held), Ok(found)) => platform::file_id(&held) == platform::file_id(&found),
            _ => false,
        }
    }
}

/// Whether a process holds the lock of an outdir.
#[derive(Debug)]
pub enum LockState {
    /// No process holds it. The shared lock keeps others from taking it; without a lock file there
    /// is none.
    Free { _shared: Option<File> },
    /// A process holds it; the lock file names that process.
    Held(File),
}

impl LockState {
    /// Checks the lock file without writing anything.
    pub fn of(outdir: &Path) -> Result<Self> {
        let path = outdir.join(LOCK);
        if let Ok(false) = path.try_exists() {
            return Ok(Self::Free { _shared: None });
        }
        refuse_irregular(&path)?;
        let lock = File::open(&path).map_err(file_error("opening", &path))?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self::Free {
                _shared: Some(lock),
            }),
            Err(TryLockError::WouldBlock) => Ok(Self::Held(lock)),
            Err(TryLockError::Error(error)) => Err(lock_error(&path, error)),
        }
    }
}

/// Keeps other processes from taking the lock of `outdir` until the result is dropped. Writes
/// nothing.
///
/// # Errors
/// If a process holds it; the error names that process.
pub fn share(outdir: &Path) -> Result<LockState> {
    match LockState::of(outdir)? {
        LockState::Held(mut lock) => Err(in_use(&mut lock, outdir, ANOTHER_OUTDIR)),
        free => Ok(free),
    }
}

/// Returns an error that names the holder if a process holds `outdir`. Writes nothing.
pub fn check_unlocked(outdir: &Path) -> Result<()> {
    share(outdir).map(drop)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Emptied so that it does not name a process that is gone. Errors do not matter: the system
        // releases the lock.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn lock_error(path: &Path, error: io::Error) -> Error {
    let lacks_locks = platform::lacks_locks(&error);
    let converted = file_error("locking", path)(error);
    match lacks_locks {
        true => converted.with_said_hint(NO_LOCKS),
        false => converted,
    }
}

fn in_use(lock: &mut File, folder: &Path, hint: &str) -> Error {
    let mut text = String::new();
    // Empty if the holder has not written it yet.
    let _ = lock.take(4096).read_to_string(&mut text);
    let who = match serde_json::from_str::<Holder>(&text) {
        Ok(holder) => format!(
            "process {} on {} since {}",
            holder.pid,
            crate::text::clean_text(&holder.host),
            crate::text::clean_text(&holder.since)
        ),
        Err(_) => "another process".into(),
    };
    Error::new(
        ErrorKind::Store,
        format!("{} is in use by {who}", folder.display()),
    )
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outdir::FAILING;
    use rustix::io::Errno;

    #[test]
    fn missing_lock_support_has_its_own_hint() {
        let hint = |errno: Errno| {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            lock_error(Path::new("out/labeler.lock"), error).hint
        };
        for errno in [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK] {
            assert_eq!(hint(errno).as_deref(), Some(NO_LOCKS.english), "{errno}");
        }
        assert_eq!(hint(Errno::IO).as_deref(), Some(FAILING.english));
    }
}
