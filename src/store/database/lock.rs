//! One process at a time on one outdir.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{LOCK, NO_LOCKS, file, open_own, refuse_irregular};
use crate::platform;
use crate::store::tables;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Held until dropped; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What the holder writes into its lock, for the one who comes second.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: String,
}

impl Lock {
    pub fn take(outdir: &Path) -> Result<Self> {
        let path = outdir.join(LOCK);
        let mut held = open_own(&path, OpenOptions::new().read(true).write(true))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut held, outdir)),
            Err(TryLockError::Error(error)) => return Err(locking(&path, error)),
        }
        let holder = Holder {
            pid: std::process::id(),
            host: platform::host_name(),
            since: crate::text::utc(jiff::Timestamp::now()),
        };
        let text = tables::to_json(&holder)?;
        held.set_len(0)
            .and_then(|()| held.seek(SeekFrom::Start(0)))
            .and_then(|_| held.write_all(text.as_bytes()))
            .map_err(file("writing", &path))?;
        Ok(Self { file: held })
    }

    /// Whether the lock that is held is the one that others find in `outdir`.
    pub fn is_at(&self, outdir: &Path) -> bool {
        let found = std::fs::metadata(outdir.join(LOCK));
        match (self.file.metadata(), found) {
            (Ok(held), Ok(found)) => platform::file_id(&held) == platform::file_id(&found),
            _ => false,
        }
    }
}

/// Whether a process holds an outdir.
#[derive(Debug)]
pub enum Held {
    /// Nobody does, nor can anybody begin to while this lives; a lock file that is not there
    /// keeps nobody out.
    No { _shared: Option<File> },
    /// The lock file names the one who does.
    Yes(File),
}

impl Held {
    /// Writes nothing.
    pub fn of(outdir: &Path) -> Result<Self> {
        let path = outdir.join(LOCK);
        if let Ok(false) = path.try_exists() {
            return Ok(Self::No { _shared: None });
        }
        refuse_irregular(&path)?;
        let lock = File::open(&path).map_err(file("opening", &path))?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self::No {
                _shared: Some(lock),
            }),
            Err(TryLockError::WouldBlock) => Ok(Self::Yes(lock)),
            Err(TryLockError::Error(error)) => Err(locking(&path, error)),
        }
    }
}

/// An error that names the holder where a process holds `outdir`. Writes nothing.
pub fn check_free(outdir: &Path) -> Result<()> {
    match Held::of(outdir)? {
        Held::No { .. } => Ok(()),
        Held::Yes(mut lock) => Err(taken(&mut lock, outdir)),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The system lets go anyway; emptied, it does not name a holder that is gone.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn locking(path: &Path, error: io::Error) -> Error {
    let is_absent = platform::lacks_locks(&error);
    let ours = file("locking", path)(error);
    match is_absent {
        true => ours.with_said_hint(NO_LOCKS),
        false => ours,
    }
}

fn taken(held: &mut File, outdir: &Path) -> Error {
    let mut text = String::new();
    // The holder may be about to write it; that it is held is what counts.
    let _ = held.take(4096).read_to_string(&mut text);
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
    fn a_file_system_without_locks_is_called_one() {
        let hint = |errno: Errno| {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            locking(Path::new("out/labeler.lock"), error).hint
        };
        for errno in [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK] {
            assert_eq!(hint(errno).as_deref(), Some(NO_LOCKS.english), "{errno}");
        }
        assert_eq!(hint(Errno::IO).as_deref(), Some(FAILING.english));
    }
}
