//! Checkpoints from the Hugging Face hub, through the local cache that all programs share.

use super::files::{
    CheckpointFiles, CollectError, Download, FileData, FileSource, Gate, Listing, OnDownload,
};
use crate::error::{Error, ErrorKind, Result};
use crate::text::hex;
use crate::vlm::options::ModelOptions;
use hf_hub::progress::{DownloadEvent, Progress, ProgressEvent, ProgressHandler};
use hf_hub::repository::{ModelInfo, RepoTreeEntry, RepoTypeModel};
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Larger files are downloaded in parts of this many bytes, so that an interrupted download can
/// resume.
const PART: u64 = 32 << 20;

const CACHE_HINT: &str = "check that the cache folder is writable and has free space, or set HF_HOME to another folder, \
     and run again: what is already downloaded is kept";

/// Splits a hub id, `owner/name`. `None` for anything else, such as a path.
pub(crate) fn id(name: &str) -> Option<(&str, &str)> {
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && !text.contains("..")
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split_once('/')
        .filter(|(owner, repo)| part(owner) && part(repo))
}

/// The repository of one model.
pub(crate) struct Hub<'a> {
    options: &'a ModelOptions,
    repo: HFRepositorySync<RepoTypeModel>,
    /// The cache folder that contains the repository's file contents.
    blobs: PathBuf,
    on_download: OnDownload,
}

impl<'a> Hub<'a> {
    pub fn new(
        options: &'a ModelOptions,
        (owner, name): (&str, &str),
        on_download: OnDownload,
    ) -> Result<Self> {
        let failed = |error: HFError| hub_error(options, &error);
        let client = HFClient::new().map_err(failed)?;
        let blobs = client
            .cache_dir()
            .join(format!("models--{owner}--{name}"))
            .join("blobs");
        let client = HFClientSync::from_inner(client).map_err(failed)?;
        Ok(Self {
            options,
            repo: client.model(owner, name),
            blobs,
            on_download,
        })
    }

    /// Finds the files of the checkpoint; unless offline, downloads those that the cache lacks.
    pub fn checkpoint(&self, gate: &Gate) -> Result<CheckpointFiles> {
        let options = self.options;
        let mut cached = CachedRepo(self);
        let refused = match CheckpointFiles::collect(&options.model, &mut cached, gate) {
            Ok(files) => return Ok(files),
            Err(CollectError::Refused(error)) if options.offline => return Err(error),
            // The hub's list of files may reveal more problems.
            Err(CollectError::Refused(error)) => Some(error),
            Err(CollectError::Missing(error)) if options.offline => return Err(Error::new(
                ErrorKind::Network,
                format!("{} ({}) is not complete in the local cache and --offline forbids the network: {}", options.model, options.revision, error.cause),
            )
            .with_hint("run once without --offline (and without HF_HUB_OFFLINE), or give a checkpoint folder instead of the id")),
            Err(CollectError::Missing(_)) => None,
        };
        let about = self.about().map_err(|error| refused.unwrap_or(error))?;
        let names = about.siblings.into_iter().flatten();
        let mut remote = RemoteRepo {
            hub: self,
            commit: about.sha.unwrap_or_else(|| options.revision.clone()),
            names: names.map(|file| file.rfilename).collect(),
        };
        CheckpointFiles::collect(&options.model, &mut remote, gate).map_err(CollectError::error)
    }

    /// Asks the hub about the repository. This distinguishes an unknown model or revision from a missing
    /// file.
    pub fn about(&self) -> Result<ModelInfo> {
        let about = self.repo.info().revision(self.options.revision.clone());
        about
            .send()
            .map_err(|error| hub_error(self.options, &error))
    }

    /// Gets one file; `None` if it is not there.
    fn file(&self, file: &str, from: Place) -> Result<Option<FileData>> {
        let only_cached = from == Place::Cache;
        let progress = (!only_cached).then(|| self.progress(file, None));
        let sent = self
            .repo
            .download_file()
            .filename(file)
            .revision(self.options.revision.clone())
            .local_files_only(only_cached)
            .maybe_progress(progress)
            .send();
        match sent {
            Ok(path) => Ok(Some(FileData::Disk(path))),
            Err(HFError::EntryNotFound { .. } | HFError::LocalEntryNotFound { .. }) => Ok(None),
            Err(error) => Err(hub_error(self.options, &error)),
        }
    }

    /// Downloads a large file into the cache, resuming an earlier download. Cached contents are
    /// named by their digest, so a later request for the file finds it. Does nothing for small
    /// files.
    fn fetch_large(&self, file: &str, commit: &str) -> Result<()> {
        let entries = self
            .repo
            .get_paths_info()
            .paths(vec![file.to_owned()])
            .revision(commit.to_owned())
            .send();
        let entries = match entries {
            Ok(entries) => entries,
            Err(HFError::EntryNotFound { .. }) => return Ok(()),
            Err(error) => return Err(hub_error(self.options, &error)),
        };
        let large = entries.into_iter().find_map(|entry| match entry {
            RepoTreeEntry::File {
                oid,
                size,
                lfs: Some(_),
                ..
            } if size > PART && oid.chars().all(|c| c.is_ascii_alphanumeric()) => Some((oid, size)),
            _ => None,
        });
        let Some((oid, size)) = large else {
            return Ok(());
        };
        let path = self.blobs.join(format!("{oid}.labeler-tui.incomplete"));
        let failed = |error: std::io::Error| {
            let cause = format!("cannot write {}: {error}", path.display());
            Error::new(ErrorKind::Model, cause).with_hint(CACHE_HINT)
        };
        std::fs::create_dir_all(&self.blobs).map_err(failed)?;
        let mut partial = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        // Waits for any other process that is downloading the same file.
        partial.lock().map_err(failed)?;
        if !path.exists() {
            return Ok(());
        }
        let mut done = partial.seek(SeekFrom::End(0)).map_err(failed)?;
        if done > size {
            done = 0;
            partial
                .set_len(0)
                .and_then(|()| partial.rewind())
                .map_err(failed)?;
        }
        while done < size {
            let end = size.min(done + PART);
            let bytes = self
                .repo
                .download_file_to_bytes()
                .filename(file)
                .revision(commit.to_owned())
                .range(done..end)
                .progress(self.progress(file, Some((done, size))))
                .send()
                .map_err(|error| hub_error(self.options, &error))?;
            if bytes.len() as u64 != end - done {
                return Err(Error::new(
                    ErrorKind::Network,
                    format!(
                        "the hub sent {} bytes of {file} instead of {}",
                        bytes.len(),
                        end - done
                    ),
                )
                .with_hint("run again: what is already downloaded is kept"));
            }
            partial.write_all(&bytes).map_err(failed)?;
            done = end;
        }
        let digest = partial
            .sync_all()
            .and_then(|()| partial.rewind())
            .and_then(|()| sha256(&mut partial))
            .map_err(failed)?;
        std::fs::rename(&path, self.blobs.join(hex(&digest))).map_err(failed)
    }

    fn progress(&self, file: &str, part: Option<(u64, u64)>) -> Progress {
        Progress::new(DownloadReporter {
            file: file.to_owned(),
            part,
            on_download: self.on_download.clone(),
        })
    }
}

/// Where a file of a repository is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Cache,
    Hub,
}

/// A repository in the local cache, without network access.
struct CachedRepo<'a, 'b>(&'a Hub<'b>);

impl FileSource for CachedRepo<'_, '_> {
    fn find(&mut self, file: &str) -> Result<Option<FileData>> {
        self.0.file(file, Place::Cache)
    }

    /// The cache contains only files requested earlier, so a missing file means nothing.
    fn has(&mut self, _: &str) -> bool {
        false
    }

    fn has_ending(&mut self, _: &str) -> bool {
        false
    }

    fn listing(&self) -> Listing {
        Listing::Nothing
    }
}

/// A repository on the hub, whose files are downloaded into the cache as they are found.
struct RemoteRepo<'a, 'b> {
    hub: &'a Hub<'b>,
    commit: String,
    /// File names, as listed by the hub.
    names: Vec<String>,
}

impl FileSource for RemoteRepo<'_, '_> {
    fn find(&mut self, file: &str) -> Result<Option<FileData>> {
        match self.hub.file(file, Place::Cache)? {
            None => {
                self.hub.fetch_large(file, &self.commit)?;
                self.hub.file(file, Place::Hub)
            }
            found => Ok(found),
        }
    }

    fn has(&mut self, file: &str) -> bool {
        self.names.iter().any(|name| name == file)
    }

    fn has_ending(&mut self, ending: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|name| name.to_lowercase().ends_with(ending))
    }

    fn listing(&self) -> Listing {
        match self.names.is_empty() {
            true => Listing::Nothing,
            false => Listing::Names,
        }
    }
}

fn sha256(file: &mut File) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hub_error(options: &ModelOptions, error: &HFError) -> Error {
    let (kind, hint) = match error {
        HFError::Io(_) => (ErrorKind::Model, CACHE_HINT),
        HFError::AuthRequired { .. } | HFError::Forbidden { .. } => (
            ErrorKind::Network,
            "check the id; a private or gated model needs HF_TOKEN with read access",
        ),
        HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } => (
            ErrorKind::Network,
            "check the id and --revision; a private model needs HF_TOKEN; for a local folder, give \
             its path",
        ),
        _ => (
            ErrorKind::Network,
            "check the network and run again: what is already downloaded is kept; or give a \
             checkpoint folder instead of the id",
        ),
    };
    Error::new(
        kind,
        format!(
            "cannot get {} ({}) from the hub: {}",
            options.model,
            options.revision,
            with_root_cause(error)
        ),
    )
    .with_hint(hint)
}

/// Formats an error with its root cause.
fn with_root_cause(error: &dyn std::error::Error) -> String {
    let message = error.to_string();
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let root = cause.to_string();
    match message.contains(&root) {
        true => message,
        false => format!("{message}: {root}"),
    }
}

struct DownloadReporter {
    file: String,
    /// For a partial download, its offset and the size of the file.
    part: Option<(u64, u64)>,
    on_download: OnDownload,
}

impl ProgressHandler for DownloadReporter {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Download(event) = event else {
            return;
        };
        let (done, total) = match event {
            DownloadEvent::Start { total_bytes, .. } => (0, *total_bytes),
            DownloadEvent::Progress { files } => match files.last() {
                Some(file) => (file.bytes_completed, file.total_bytes),
                None => return,
            },
            DownloadEvent::AggregateProgress {
                bytes_completed,
                total_bytes,
                ..
            } => (*bytes_completed, *total_bytes),
            DownloadEvent::Complete => return,
        };
        let (done, total) = match self.part {
            Some((start, size)) => (start + done, size),
            None => (done, total),
        };
        (self.on_download)(Download {
            file: self.file.clone(),
            done,
            total,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_includes_its_root_cause() {
        #[derive(Debug)]
        struct Sending(std::io::Error);
        impl std::fmt::Display for Sending {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("error sending request")
            }
        }
        impl std::error::Error for Sending {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let dns = || std::io::Error::other("failed to lookup address information");
        let message = "error sending request: failed to lookup address information";
        assert_eq!(with_root_cause(&Sending(dns())), message);
        assert_eq!(
            with_root_cause(&dns()),
            "failed to lookup address information"
        );
    }

    #[test]
    fn paths_are_not_hub_ids() {
        assert_eq!(
            id("Qwen/Qwen2-VL-2B-Instruct"),
            Some(("Qwen", "Qwen2-VL-2B-Instruct"))
        );
        for path in [
            "",
            "qwen",
            "./qwen",
            "../a/b",
            "/models/qwen",
            "a/b/c",
            "a/",
            "a/..",
            "~/x",
        ] {
            assert_eq!(id(path), None, "{path}");
        }
    }
}
