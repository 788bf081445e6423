//! Converts file system errors in an outdir into [`Error`]s with hints.

use crate::error::{Error, ErrorKind};
use crate::platform;
use crate::text::Phrase;
use std::io;
use std::path::Path;

pub(crate) const FULL: Phrase = Phrase::new(
    "free some space and start again; everything so far is saved",
    "공간을 비우고 다시 시작하세요. 여기까지는 모두 저장되었습니다",
);
pub(crate) const NOT_WRITABLE: Phrase = Phrase::new(
    "give write permission, or choose another --outdir",
    "쓰기 권한을 주거나 다른 --outdir를 고르세요",
);
const NOT_READABLE: Phrase = Phrase::new("give read permission", "읽기 권한을 주세요");
const LINK_LOOP: Phrase = Phrase::new(
    "a symbolic link in the path leads back to itself: fix it, or give another path",
    "경로의 심볼릭 링크가 제자리로 돌아옵니다. 고치거나 다른 경로를 주세요",
);
pub(crate) const FAILING: Phrase = Phrase::new(
    "check the disk and its free space, then start again; everything so far is saved",
    "디스크와 남은 공간을 확인하고 다시 시작하세요. 여기까지는 모두 저장되었습니다",
);

pub(crate) const NO_LOCKS: Phrase = Phrase::new(
    "the file system there lacks locks or shared memory, like some network file systems; choose \
an --outdir on a local disk",
    "그곳의 파일 시스템은 일부 네트워크 파일 시스템처럼 잠금이나 공유 메모리를 지원하지 않습니다. 로컬 디스크의 \
     --outdir를 고르세요",
);

/// For `map_err`: converts an error that occurred during `what`, such as `writing`, on `path`.
pub(crate) fn file_error<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |error| {
        let converted = Error::new(
            ErrorKind::Store,
            format!("{what} {}: {error}", path.display()),
        );
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => converted.with_said_hint(FULL),
            io::ErrorKind::PermissionDenied if matches!(what, "reading" | "examining") => {
                converted.with_said_hint(NOT_READABLE)
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                converted.with_said_hint(NOT_WRITABLE)
            }
            _ if platform::is_link_loop(&error) => converted.with_said_hint(LINK_LOOP),
            _ if platform::is_device_error(&error) => converted.with_said_hint(FAILING),
            _ => converted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_fits_what_was_done_with_the_file() {
        let hint = |what, error: io::ErrorKind| {
            let error = file_error(what, Path::new("a"))(error.into());
            error.hint.unwrap_or_default()
        };
        let denied = io::ErrorKind::PermissionDenied;
        assert_eq!(hint("reading", denied), NOT_READABLE.english);
        assert_eq!(hint("writing", denied), NOT_WRITABLE.english);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loop");
        std::os::unix::fs::symlink("loop", &path).unwrap();
        let error = file_error("examining", &path)(std::fs::metadata(&path).unwrap_err());
        assert_eq!(error.hint.unwrap(), LINK_LOOP.english);
    }
}
