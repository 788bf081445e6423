//! An SQLite VFS over the real one, for tests: the n-th write or sync fails or is torn, and
//! unsynced changes can be lost.
//!
//! It is registered as the default VFS of the process, and is active only on a thread that has a
//! [`Disk`] in its slot.

#![allow(unsafe_code, reason = "SQLite's interface to file systems")]

use rusqlite::ffi;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr::{self, null_mut};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A change of a file.
#[derive(Debug, Clone)]
pub enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => content.resize(*length, 0),
        }
    }
}

/// A file's synced content, and changes that may not have reached the disk.
#[derive(Debug, Default)]
pub struct File {
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// The deletion may not have reached the disk either.
    pub is_deleted: bool,
}

impl File {
    /// Returns the content after a power failure. `survives` decides about each change, in order:
    /// `None` if it is lost, or the number of bytes of a write that survive.
    pub fn after_power_loss(&self, mut survives: impl FnMut(&Change) -> Option<usize>) -> Vec<u8> {
        let mut content = self.synced.clone();
        for change in &self.pending {
            match (survives(change), change) {
                (None, _) => {}
                (Some(most), Change::Write { at, bytes }) if most < bytes.len() => {
                    let bytes = bytes[..most].to_vec();
                    Change::Write { at: *at, bytes }.apply(&mut content);
                }
                (Some(_), whole) => whole.apply(&mut content),
            }
        }
        content
    }
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Io,
    Full,
    /// Half of a write reaches the file.
    Torn,
}

/// Observes the disk after each operation.
pub type Watcher = Box<dyn FnMut(&Disk)>;

/// The simulated disk for the journals of this thread.
#[derive(Default)]
pub struct Disk {
    pub files: BTreeMap<PathBuf, File>,
    /// Number of writes, truncations, syncs and deletions so far.
    pub operations: usize,
    /// Number of the operation that fails, and how.
    pub fault: Option<(usize, Fault)>,
    /// Called after each operation.
    pub watcher: Option<Watcher>,
}

thread_local! {
    static SLOT: RefCell<Option<Disk>> = const { RefCell::new(None) };
}

impl Disk {
    /// Installs this disk for the journals of this thread.
    pub fn insert(self) {
        register();
        SLOT.set(Some(self));
    }

    /// Uninstalls and returns the disk of this thread.
    pub fn remove() -> Self {
        SLOT.take().unwrap_or_default()
    }

    /// Changes the disk of this thread, if it has one.
    pub fn with(work: impl FnOnce(&mut Self)) {
        SLOT.with_borrow_mut(|disk| disk.as_mut().map(work));
    }

    fn opened(&mut self, path: &Path) {
        let file = self.files.entry(path.to_owned()).or_default();
        if file.is_deleted || (file.synced.is_empty() && file.pending.is_empty()) {
            // Earlier content counts as synced.
            let synced = std::fs::read(path).unwrap_or_default();
            *file = File {
                synced,
                ..File::default()
            };
        }
    }

    fn operate(
        &mut self,
        path: &Path,
        operation: Operation,
        real: &mut dyn FnMut(usize) -> c_int,
    ) -> c_int {
        self.operations += 1;
        let length = match &operation {
            Operation::Change(Change::Write { bytes, .. }) => bytes.len(),
            _ => 0,
        };
        let fault = self.fault.filter(|(at, _)| *at == self.operations);
        if let Some((_, fault)) = fault {
            if fault == Fault::Torn && length > 0 {
                real(length / 2);
            }
            return match (fault, &operation) {
                (Fault::Full, _) => ffi::SQLITE_FULL,
                (_, Operation::Sync) => ffi::SQLITE_IOERR_FSYNC,
                _ => ffi::SQLITE_IOERR_WRITE,
            };
        }
        let code = real(length);
        if code == ffi::SQLITE_OK {
            let file = self.files.entry(path.to_owned()).or_default();
            match operation {
                Operation::Change(change) => file.pending.push(change),
                Operation::Sync => {
                    for change in std::mem::take(&mut file.pending) {
                        change.apply(&mut file.synced);
                    }
                }
                Operation::Delete { is_synced: false } => file.is_deleted = true,
                Operation::Delete { is_synced: true } => {
                    self.files.remove(path);
                }
            }
        }
        if let Some(mut watcher) = self.watcher.take() {
            watcher(self);
            self.watcher = Some(watcher);
        }
        code
    }
}

enum Operation {
    Change(Change),
    Sync,
    /// With the folder synced, the file does not reappear.
    Delete {
        is_synced: bool,
    },
}

/// Performs an operation on the simulated disk. `real` performs it on the real file, with a number
/// of bytes for a write.
fn operate(
    path: &Path,
    operation: impl FnOnce() -> Operation,
    length: usize,
    mut real: impl FnMut(usize) -> c_int,
) -> c_int {
    // Taken out of its slot meanwhile.
    let Some(mut disk) = SLOT.take() else {
        return real(length);
    };
    let code = disk.operate(path, operation(), &mut real);
    SLOT.set(Some(disk));
    code
}

/// An open file, followed in memory by the real one.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    /// Null for files without a name.
    path: *mut PathBuf,
}

static REAL: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(null_mut());

/// # Safety
/// `file` is one of ours.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` has room for both, one after the other.
    unsafe { file.cast::<OpenFile>().add(1).cast() }
}

/// # Safety
/// `file` is one of ours, and open.
unsafe fn path<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Path> {
    // SAFETY: the path lives until the file is closed.
    unsafe { (*file.cast::<OpenFile>()).path.as_ref() }.map(PathBuf::as_path)
}

/// Forwards a call to the real file, which has all methods.
macro_rules! pass {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: SQLite passes files that we have opened, and arguments that the real method
        // takes.
        unsafe {
            let real = real($file);
            match (*(*real).pMethods).$method {
                Some(method) => method(real $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass!(file, xClose);
    // SAFETY: made by `open`, and not used after this.
    unsafe {
        let path = (*file.cast::<OpenFile>()).path;
        if !path.is_null() {
            drop(Box::from_raw(path));
        }
    }
    code
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    n: c_int,
    at: i64,
) -> c_int {
    pass!(file, xRead, to, n, at)
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    let write = |length: usize| pass!(file, xWrite, from, length as c_int, at);
    // SAFETY: the file is ours and open.
    let Some(path) = (unsafe { path(file) }) else {
        return write(n as usize);
    };
    let operation = || {
        // SAFETY: SQLite passes `n` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), n as usize) };
        Operation::Change(Change::Write {
            at: at as usize,
            bytes: bytes.to_vec(),
        })
    };
    operate(path, operation, n as usize, write)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    let truncate = |_: usize| pass!(file, xTruncate, size);
    // SAFETY: the file is ours and open.
    let Some(path) = (unsafe { path(file) }) else {
        return truncate(0);
    };
    operate(
        path,
        || Operation::Change(Change::Truncate(size as usize)),
        0,
        truncate,
    )
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let sync = |_: usize| pass!(file, xSync, flags);
    // SAFETY: the file is ours and open.
    let Some(path) = (unsafe { path(file) }) else {
        return sync(0);
    };
    operate(path, || Operation::Sync, 0, sync)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}

unsafe extern "C" fn check_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn control(file: *mut ffi::sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    pass!(file, xFileControl, op, arg)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    at: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    pass!(file, xShmLock, at, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `pass!`; this one returns nothing.
    unsafe {
        let real = real(file);
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, delete)
}

/// Without memory-mapped pages, which would bypass these methods.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `name` is null or a null-terminated string.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: the caller's promise.
    let name = unsafe { (!name.is_null()).then(|| CStr::from_ptr(name)) }?;
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes `szOsFile` bytes and a name, and the real VFS opens its own part.
    unsafe {
        let ours = file.cast::<OpenFile>();
        ptr::write(
            ours,
            OpenFile {
                base: ffi::sqlite3_file {
                    pMethods: null_mut(),
                },
                path: null_mut(),
            },
        );
        let vfs = REAL.load(Ordering::Acquire);
        let Some(open) = (*vfs).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let real = real(file);
        (*real).pMethods = null_mut();
        let code = open(vfs, name, real, flags, out);
        if !(*real).pMethods.is_null() {
            (*ours).base.pMethods = &raw const METHODS;
            if let Some(path) = path_of(name) {
                Disk::with(|disk| disk.opened(&path));
                (*ours).path = Box::into_raw(Box::new(path));
            }
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let delete = |_: usize| {
        let vfs = REAL.load(Ordering::Acquire);
        // SAFETY: calls the real VFS with SQLite's arguments.
        unsafe {
            (*vfs)
                .xDelete
                .map_or(ffi::SQLITE_IOERR, |delete| delete(vfs, name, sync))
        }
    };
    // SAFETY: SQLite passes a name.
    let Some(path) = (unsafe { path_of(name) }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    operate(
        &path,
        || Operation::Delete {
            is_synced: sync != 0,
        },
        0,
        delete,
    )
}

/// Registers the VFS, once per process.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: called once; the copy of the real VFS is never freed, and its methods that are
        // not replaced work on the real VFS's files.
        unsafe {
            let real = ffi::sqlite3_vfs_find(ptr::null());
            REAL.store(real, Ordering::Release);
            let mut ours = Box::new(*real);
            ours.pNext = null_mut();
            ours.zName = c"failing".as_ptr();
            ours.szOsFile += size_of::<OpenFile>() as c_int;
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            assert_eq!(
                ffi::sqlite3_vfs_register(Box::into_raw(ours), 1),
                ffi::SQLITE_OK
            );
        }
    });
}
