//! Finds a checkpoint's files: in a local folder, on the hub, or built into the program.

use super::refusals::{self, Refusal};
use crate::error::{Context, Error, ErrorKind, Result};
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes of a file: on disk or built into the program.
#[derive(Debug, Clone)]
pub enum FileData {
    Disk(PathBuf),
    Embedded(&'static [u8]),
}

/// One file of a checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointFile {
    /// For example `config.json`.
    pub name: String,
    pub data: FileData,
}

impl CheckpointFile {
    /// Reads the file. Meant for small files; weights are mapped instead.
    pub fn read(&self) -> Result<Cow<'static, [u8]>> {
        match &self.data {
            FileData::Disk(path) => crate::platform::read_file(path)
                .map(Cow::Owned)
                .context(ErrorKind::Model, format!("cannot read {}", path.display())),
            FileData::Embedded(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Parses the file as JSON; an error names the file.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let bytes = self.read()?;
        serde_json::from_slice(&bytes).map_err(|error| match line_at(&bytes, &error) {
            Some(field) => self.unreadable(format_args!("{field}: {error}")),
            None => self.unreadable(error),
        })
    }

    /// Parses `tokenizer.json`.
    pub(crate) fn tokenizer(&self) -> Result<tokenizers::Tokenizer> {
        let text = self.read()?;
        // The parser panics on text that is not JSON and on some values.
        serde_json::from_slice::<IgnoredAny>(&text).map_err(|error| self.unreadable(error))?;
        match catch_unwind(|| tokenizers::Tokenizer::from_bytes(&text)) {
            Ok(read) => read.map_err(|error| self.unreadable(error)),
            Err(_) => Err(self.unreadable("it is damaged")),
        }
    }

    /// An error about a file with unexpected content.
    pub(crate) fn unreadable(&self, why: impl std::fmt::Display) -> Error {
        match self.lfs_pointer() {
            Some(pointer) => Error::new(ErrorKind::Model, pointer.cause).with_hint(pointer.hint),
            None => {
                let cause = format!("{} is not as expected: {why}", self.shown());
                Error::new(ErrorKind::Model, cause)
            }
        }
    }

    /// Detects a Git LFS pointer in place of the actual file.
    pub(crate) fn lfs_pointer(&self) -> Option<Refusal> {
        let FileData::Disk(path) = &self.data else {
            return None;
        };
        let mut start = [0; 64];
        let read = crate::platform::open_to_read(path).and_then(|mut file| file.read(&mut start));
        // An unreadable file is reported by whoever reads it.
        let start = &start[..read.unwrap_or(0)];
        refusals::lfs_pointer(&self.shown(), start)
    }

    /// Display name: the path, or the file name if built in.
    pub fn shown(&self) -> String {
        match &self.data {
            FileData::Disk(path) => path.display().to_string(),
            FileData::Embedded(_) => self.name.clone(),
        }
    }
}

/// The files that a tokenizer is built from.
#[derive(Debug, Clone)]
pub enum TokenizerFiles {
    /// `tokenizer.json`.
    Whole(CheckpointFile),
    /// `vocab.json` and `merges.txt`.
    Parts {
        vocab: CheckpointFile,
        merges: CheckpointFile,
    },
    /// `spiece.model`, if there is nothing else.
    Sentencepiece(CheckpointFile),
    /// `vocab.txt`, if there is nothing else.
    WordPieces(CheckpointFile),
}

/// The resolved files of one checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointFiles {
    /// The model as the user named it.
    pub name: String,
    pub config: CheckpointFile,
    pub generation_config: Option<CheckpointFile>,
    /// `preprocessor_config.json`, or else `processor_config.json`, which has the same content under
    /// `image_processor`.
    pub preprocessor_config: CheckpointFile,
    pub tokenizer: TokenizerFiles,
    pub tokenizer_config: Option<CheckpointFile>,
    /// `model.safetensors`, or the shards of the index, sorted by name.
    pub weights: Vec<CheckpointFile>,
}

/// Progress of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub file: String,
    pub done: u64,
    pub total: u64,
}

/// Receives download progress; may be called from any thread.
pub type OnDownload = Arc<dyn Fn(Download) + Send + Sync>;

const CONFIG: &str = "config.json";
const GENERATION: &str = "generation_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const PROCESSOR: &str = "processor_config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const SENTENCEPIECE: &str = "spiece.model";
const WORD_PIECES: &str = "vocab.txt";
const INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: &str = "model.safetensors";
/// Pickled weights from older versions of transformers.
const PICKLED: [&str; 2] = ["pytorch_model.bin.index.json", "pytorch_model.bin"];

/// A place where checkpoint files are looked up.
pub(crate) trait FileSource {
    /// Finds or downloads a file. `None` if there is no such file.
    fn find(&mut self, file: &str) -> Result<Option<FileData>>;

    /// Whether the file exists, without downloading it.
    fn has(&mut self, file: &str) -> bool;

    /// Whether there is a file whose name ends in `ending`.
    fn has_ending(&mut self, ending: &str) -> bool;

    fn listing(&self) -> Listing;
}

/// How much a [`FileSource`] knows without downloads: all visible problems are reported together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Names and contents of all files.
    Files,
    /// Names of all files.
    Names,
    /// Nothing until a file is requested.
    Nothing,
}

/// Checks that decide whether a checkpoint is worth downloading.
pub struct Gate<'a> {
    /// Checks `config.json` before anything else is downloaded.
    pub config: &'a dyn Fn(&CheckpointFile) -> Vec<Refusal>,
    /// Checks all files except the weights, before those are downloaded.
    pub sizes: &'a dyn Fn(&CheckpointFiles) -> Result<()>,
}

impl Gate<'_> {
    /// Accepts everything.
    pub const OPEN: Gate<'static> = Gate {
        config: &|_| Vec::new(),
        sizes: &|_| Ok(()),
    };
}

/// Why a checkpoint's files could not be collected.
pub(crate) enum CollectError {
    /// Files are missing.
    Missing(Error),
    /// The files that exist cannot be used.
    Refused(Error),
}

impl From<Error> for CollectError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl CollectError {
    pub fn error(self) -> Error {
        match self {
            Self::Missing(error) | Self::Refused(error) => error,
        }
    }
}

struct CheckpointFolder<'a>(&'a Path);

impl FileSource for CheckpointFolder<'_> {
    fn find(&mut self, file: &str) -> Result<Option<FileData>> {
        let path = self.0.join(file);
        Ok(path.is_file().then_some(FileData::Disk(path)))
    }

    fn has(&mut self, file: &str) -> bool {
        self.0.join(file).is_file()
    }

    fn has_ending(&mut self, ending: &str) -> bool {
        let names = std::fs::read_dir(self.0).into_iter().flatten().flatten();
        let mut names = names.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().to_lowercase().ends_with(ending))
    }

    fn listing(&self) -> Listing {
        Listing::Files
    }
}

struct Embedded<'a>(&'a [(&'a str, &'static [u8])]);

impl FileSource for Embedded<'_> {
    fn find(&mut self, file: &str) -> Result<Option<FileData>> {
        let found = self.0.iter().find(|(name, _)| *name == file);
        Ok(found.map(|(_, bytes)| FileData::Embedded(bytes)))
    }

    fn has(&mut self, file: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == file)
    }

    fn has_ending(&mut self, ending: &str) -> bool {
        self.0.iter().any(|(name, _)| name.ends_with(ending))
    }

    fn listing(&self) -> Listing {
        Listing::Files
    }
}

/// The checkpoint files found so far.
#[derive(Default)]
struct FoundFiles {
    names: BTreeSet<String>,
    /// Git LFS pointers among them; `config.json` is checked by the [`Gate`].
    pointers: Vec<Refusal>,
}

impl FoundFiles {
    fn find(&mut self, source: &mut dyn FileSource, name: &str) -> Result<Option<CheckpointFile>> {
        let Some(data) = source.find(name)? else {
            return Ok(None);
        };
        let name = name.to_owned();
        let file = CheckpointFile { name, data };
        self.names.insert(file.name.clone());
        if file.name != CONFIG {
            self.pointers.extend(file.lfs_pointer());
        }
        Ok(Some(file))
    }
}

impl CheckpointFiles {
    /// Finds the files of a checkpoint folder.
    pub fn folder(folder: &Path) -> Result<Self> {
        Self::checked_folder(folder, &Gate::OPEN)
    }

    /// Finds the files of a checkpoint folder and checks them with `gate`.
    pub fn checked_folder(folder: &Path, gate: &Gate) -> Result<Self> {
        let name = folder.display().to_string();
        Self::collect(&name, &mut CheckpointFolder(folder), gate).map_err(CollectError::error)
    }

    /// A checkpoint that is built into the program: pairs of name and content.
    pub fn embedded(name: &str, files: &[(&str, &'static [u8])]) -> Result<Self> {
        Self::collect(name, &mut Embedded(files), &Gate::OPEN).map_err(CollectError::error)
    }

    /// Finds every file of a checkpoint, the weights last: a cache that has them has everything.
    pub(crate) fn collect(
        name: &str,
        source: &mut dyn FileSource,
        gate: &Gate,
    ) -> std::result::Result<Self, CollectError> {
        let mut found = FoundFiles::default();
        let mut refusals = Vec::new();
        let config = found.find(source, CONFIG)?;
        match &config {
            Some(config) => refusals.extend((gate.config)(config)),
            None => {
                let has_gguf = source.has_ending(".gguf");
                let other = refusals::not_a_checkpoint(&mut |file| source.has(file), has_gguf);
                if let Some(error) = refusals::error(name, other.into_iter().collect()) {
                    return Err(CollectError::Refused(error));
                }
            }
        }
        if let Some(error) = early_refusal(name, source, &refusals) {
            return Err(CollectError::Refused(error));
        }
        let generation_config = found.find(source, GENERATION)?;
        let mut preprocessor_config = found.find(source, PREPROCESSOR)?;
        if preprocessor_config.is_none() {
            preprocessor_config = found.find(source, PROCESSOR)?;
        }
        let tokenizer_config = found.find(source, TOKENIZER_CONFIG)?;
        let tokenizer = match found.find(source, TOKENIZER)? {
            Some(file) => Some(TokenizerFiles::Whole(file)),
            None => match (found.find(source, VOCAB)?, found.find(source, MERGES)?) {
                (Some(vocab), Some(merges)) => Some(TokenizerFiles::Parts { vocab, merges }),
                _ => match found.find(source, SENTENCEPIECE)? {
                    Some(file) => Some(TokenizerFiles::Sentencepiece(file)),
                    None => found
                        .find(source, WORD_PIECES)?
                        .map(TokenizerFiles::WordPieces),
                },
            },
        };
        let files = match (config, preprocessor_config, tokenizer) {
            (Some(config), Some(preprocessor_config), Some(tokenizer)) => Some(Self {
                name: name.to_owned(),
                config,
                generation_config,
                preprocessor_config,
                tokenizer,
                tokenizer_config,
                weights: Vec::new(),
            }),
            _ => None,
        };
        refusals.append(&mut found.pointers);
        if let Some(error) = early_refusal(name, source, &refusals) {
            return Err(CollectError::Refused(error));
        }
        if let Some(files) = &files
            && refusals.is_empty()
        {
            (gate.sizes)(files)?;
        }
        let mut weights = Vec::new();
        let mut missing_shards = Vec::new();
        match found.find(source, INDEX)? {
            Some(index) => {
                let mut shards = shards(&index)?;
                // Downloads none if the listing shows that one is missing.
                let listed = source.listing() == Listing::Names;
                if listed && !shards.iter().all(|shard| source.has(shard)) {
                    shards.retain(|shard| !source.has(shard));
                }
                for shard in shards {
                    match found.find(source, &shard)? {
                        Some(file) => weights.push(file),
                        None => missing_shards.push(shard),
                    }
                }
            }
            None => weights.extend(found.find(source, WEIGHTS)?),
        }
        let (pickled, mut missing) = missing_files(&mut |file| {
            found.names.contains(file) || PICKLED.contains(&file) && source.has(file)
        });
        missing.extend(missing_shards);
        refusals.extend(pickled);
        refusals.extend(found.pointers);
        refusals.extend(missing_refusal(&missing));
        // Further downloads cannot fix files that are unusable.
        let only_missing = !missing.is_empty() && refusals.len() == 1;
        match (refusals::error(name, refusals), files) {
            (None, Some(files)) => Ok(Self { weights, ..files }),
            (Some(error), _) if only_missing => Err(CollectError::Missing(error)),
            (Some(error), _) => Err(CollectError::Refused(error)),
            (None, None) => Err(CollectError::Missing(Error::new(
                ErrorKind::Model,
                format!("{name} is not a checkpoint"),
            ))),
        }
    }
}

/// The refusals so far and those visible in the listing, if further files need a download.
fn early_refusal(name: &str, source: &mut dyn FileSource, so_far: &[Refusal]) -> Option<Error> {
    if source.listing() == Listing::Files {
        return None;
    }
    let mut refusals = so_far.to_vec();
    if source.listing() == Listing::Names {
        let (pickled, missing) = missing_files(&mut |file| source.has(file));
        refusals.extend(pickled.into_iter().chain(missing_refusal(&missing)));
    }
    refusals::error(name, refusals)
}

/// Checks file names: returns a refusal if the weights are pickled, and the missing files.
fn missing_files(has: &mut dyn FnMut(&str) -> bool) -> (Option<Refusal>, Vec<String>) {
    let mut missing = Vec::new();
    if !has(CONFIG) {
        missing.push(CONFIG.to_owned());
    }
    if !has(PREPROCESSOR) && !has(PROCESSOR) {
        missing.push(format!("{PREPROCESSOR} (or {PROCESSOR})"));
    }
    let whole = [TOKENIZER, SENTENCEPIECE, WORD_PIECES];
    let has_tokenizer = whole.into_iter().any(&mut *has) || has(VOCAB) && has(MERGES);
    if !has_tokenizer {
        missing.push(format!("{TOKENIZER} (or {VOCAB} with {MERGES})"));
    }
    if has(INDEX) || has(WEIGHTS) {
        return (None, missing);
    }
    match PICKLED.into_iter().find(|file| has(file)) {
        Some(file) => (Some(refusals::pickled(file)), missing),
        None => {
            missing.push(format!("{WEIGHTS} (or {INDEX} with its shards)"));
            (None, missing)
        }
    }
}

fn missing_refusal(missing: &[String]) -> Option<Refusal> {
    (!missing.is_empty()).then(|| {
        Refusal::new(
            format!("it lacks {}", missing.join(", ")),
            "a checkpoint as published on the hub has these files",
        )
    })
}

/// Returns the line of an error about a field's value, since serde does not name the field.
fn line_at(bytes: &[u8], error: &serde_json::Error) -> Option<String> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.nth(error.line().checked_sub(1)?)?;
    let line = std::str::from_utf8(line).ok()?.trim().trim_end_matches(',');
    let short = line.len() <= 80 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    (error.is_data() && short && line.contains(':')).then(|| line.to_owned())
}

/// Reads the shard names of an index; each must be a plain file name.
fn shards(index: &CheckpointFile) -> Result<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let shards: BTreeSet<String> = index.json::<Index>()?.weight_map.into_values().collect();
    let bad = shards
        .iter()
        .find(|name| name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.'));
    match bad {
        Some(name) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "{} lists the shard {name:?}, which is not a file in the same folder",
                index.shown()
            ),
        )),
        None if shards.is_empty() => Err(Error::new(
            ErrorKind::Model,
            format!("{} lists no shards", index.shown()),
        )),
        None => Ok(shards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        ("preprocessor_config.json", b"{}"),
        ("vocab.json", b"{}"),
        ("merges.txt", b""),
        ("model.safetensors", b""),
    ];

    fn write(folder: &Path, files: &[(&str, &[u8])]) {
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    #[test]
    fn a_folder_with_one_weight_file() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), COMPLETE);
        let files = CheckpointFiles::folder(folder.path()).unwrap();
        assert_eq!(files.weights.len(), 1);
        assert!(matches!(files.tokenizer, TokenizerFiles::Parts { .. }));
        assert!(files.generation_config.is_none());
    }

    #[test]
    fn a_damaged_tokenizer_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for damaged in [r#"{"decoder": {1: 2}}"#, r#"{"decoder": [}"#, "", "\0"] {
            let path = folder.path().join("tokenizer.json");
            std::fs::write(&path, damaged).unwrap();
            let file = CheckpointFile {
                name: "tokenizer.json".into(),
                data: FileData::Disk(path),
            };
            let error = file.tokenizer().unwrap_err();
            assert!(error.cause.contains("not as expected"), "{}", error.cause);
        }
    }

    #[test]
    fn all_missing_files_are_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("tokenizer.json", b"{}")]);
        let error = CheckpointFiles::folder(folder.path()).unwrap_err();
        for name in [
            "config.json",
            "preprocessor_config.json",
            "model.safetensors",
        ] {
            assert!(error.cause.contains(name), "{}", error.cause);
        }
        assert!(!error.cause.contains("merges.txt"), "{}", error.cause);
    }

    #[test]
    fn a_missing_shard_is_named() {
        let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &COMPLETE[..4]);
        write(
            folder.path(),
            &[
                ("model.safetensors.index.json", index),
                ("model-1.safetensors", b""),
            ],
        );
        let error = CheckpointFiles::folder(folder.path()).unwrap_err();
        assert!(error.cause.contains("model-2.safetensors"));
        assert!(!error.cause.contains("model-1.safetensors"));
        write(folder.path(), &[("model-2.safetensors", b"")]);
        assert_eq!(
            CheckpointFiles::folder(folder.path())
                .unwrap()
                .weights
                .len(),
            2
        );
    }

    #[test]
    fn an_index_cannot_escape_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &COMPLETE[..4]);
        for shard in ["../x.safetensors", "/etc/passwd", ""] {
            let index = format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#);
            write(
                folder.path(),
                &[("model.safetensors.index.json", index.as_bytes())],
            );
            assert!(CheckpointFiles::folder(folder.path()).is_err());
        }
    }

    #[test]
    fn an_error_shows_the_invalid_field() {
        let config = b"{\n \"depth\": \"two\",\n \"heads\": 2\n}";
        let file = CheckpointFile {
            name: "config.json".into(),
            data: FileData::Embedded(config),
        };
        let error = file
            .json::<std::collections::BTreeMap<String, u32>>()
            .unwrap_err();
        assert!(error.cause.contains(r#"config.json"#), "{}", error.cause);
        assert!(
            error.cause.contains(r#""depth": "two":"#),
            "{}",
            error.cause
        );
    }

    #[test]
    fn built_in_files_are_read_from_memory() {
        let files = CheckpointFiles::embedded("demo", COMPLETE).unwrap();
        assert_eq!(&*files.config.read().unwrap(), b"{}");
    }
}
