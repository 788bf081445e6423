//! Laid under the program by LD_PRELOAD: the n-th system call that changes a file of the outdir
//! fails. Built by the test that needs it; no part of any crate.

#![no_std]
#![allow(unsafe_op_in_unsafe_fn)]

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::null;
use core::sync::atomic::{AtomicI32, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn atoi(text: *const c_char) -> c_int;
    fn readlink(path: *const c_char, buffer: *mut c_char, length: usize) -> isize;
    fn snprintf(buffer: *mut c_char, length: usize, format: *const c_char, ...) -> c_int;
    fn strstr(text: *const c_char, part: *const c_char) -> *const c_char;
    fn abort() -> !;
    fn __errno_location() -> *mut c_int;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe { abort() }
}

/// `RTLD_NEXT`.
const NEXT: *mut c_void = -1isize as *mut c_void;
const CREATE: c_int = 0o101;

static CALLS: AtomicI32 = AtomicI32::new(0);

unsafe fn number(name: &CStr) -> c_int {
    let text = getenv(name.as_ptr());
    if text.is_null() { 0 } else { atoi(text) }
}

/// Whether a path is one of the outdir.
unsafe fn is_ours(path: *const c_char) -> bool {
    !strstr(path, c"out/".as_ptr()).is_null() && strstr(path, c"/proc/".as_ptr()).is_null()
}

unsafe fn is_our_file(file: c_int) -> bool {
    let mut link = [0; 32];
    let mut path = [0; 1024];
    snprintf(link.as_mut_ptr(), 32, c"/proc/self/fd/%d".as_ptr(), file);
    let length = readlink(link.as_ptr(), path.as_mut_ptr(), 1023);
    length > 0 && is_ours(path.as_ptr())
}

/// Whether this call is the one that fails, or one of those after it that do.
unsafe fn fails(ours: bool) -> bool {
    if !ours {
        return false;
    }
    let call = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    let first = number(c"FAIL_AT");
    if first == 0 || call < first || call >= first + number(c"FAIL_FOR") {
        return false;
    }
    // Leaves a mark, past our own `open`.
    let mark = getenv(c"FAIL_MARK".as_ptr());
    let open: unsafe extern "C" fn(*const c_char, c_int, c_uint) -> c_int =
        core::mem::transmute(dlsym(NEXT, c"open".as_ptr()));
    open(mark, CREATE, 0o666);
    *__errno_location() = number(c"FAIL_WITH");
    true
}

macro_rules! over {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $ours:expr) => {
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            if fails($ours) {
                return -1;
            }
            let name = concat!(stringify!($name), "\0");
            let real = dlsym(NEXT, name.as_ptr().cast());
            if real == null::<c_void>() as *mut c_void {
                abort();
            }
            let real: unsafe extern "C" fn($($type),*) -> $result = core::mem::transmute(real);
            real($($argument),*)
        }
    };
}

over!(write(file: c_int, from: *const c_void, length: usize) -> isize, is_our_file(file));
over!(pwrite64(file: c_int, from: *const c_void, length: usize, at: i64) -> isize, is_our_file(file));
over!(pwrite(file: c_int, from: *const c_void, length: usize, at: i64) -> isize, is_our_file(file));
over!(fsync(file: c_int) -> c_int, is_our_file(file));
over!(fdatasync(file: c_int) -> c_int, is_our_file(file));
over!(ftruncate64(file: c_int, length: i64) -> c_int, is_our_file(file));
over!(ftruncate(file: c_int, length: i64) -> c_int, is_our_file(file));
over!(rename(from: *const c_char, to: *const c_char) -> c_int, is_ours(to));
over!(unlink(path: *const c_char) -> c_int, is_ours(path));
over!(open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int, is_ours(path));
over!(open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int, is_ours(path));
