//! The lock file that allows one process at a time to use an outdir.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{LOCK, NO_LOCKS, file_error, open_own, refuse_irregular};
use crate::platform;
use crate::store::tables;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Exclusive lock on an outdir, held until dropped. The system releases it when the process ends,
/// even after a crash.
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
        let mut file = open_own(&path, OpenOptions::new().read(true).write(true))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&mut file, outdir)),
            Err(TryLockError::Error(error)) => return Err(lock_error(&path, error)),
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
            .map_err(file_error("writing", &path))?;
        Ok(Self { file })
    }

    /// Whether the lock file in `outdir` is still the one that this process holds.
    pub fn is_at(&self, outdir: &Path) -> bool {
        let found = std::fs::metadata(outdir.join(LOCK));
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
        LockState::Held(mut lock) => Err(in_use(&mut lock, outdir)),
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

fn in_use(lock: &mut File, outdir: &Path) -> Error {
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
        format!("{} is in use by {who}", outdir.display()),
    )
    .with_hint("wait until it ends or stop it, or choose another --outdir")
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
