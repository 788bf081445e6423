//! Where a checkpoint's files are: a local folder, the hub's cache, or inside the program.

use super::refusals::{self, Refusal};
use crate::error::{Context, Error, ErrorKind, Result};
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes of a file: on disk or inside the program.
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
    /// Reads the whole file. Meant for small ones; weights are mapped.
    pub fn read(&self) -> Result<Cow<'static, [u8]>> {
        match &self.data {
            FileData::Disk(path) => std::fs::read(path)
                .map(Cow::Owned)
                .context(ErrorKind::Model, format!("cannot read {}", path.display())),
            FileData::Embedded(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Parses the file as JSON; an error names the file.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let bytes = self.read()?;
        serde_json::from_slice(&bytes).map_err(|error| match field_at(&bytes, &error) {
            Some(field) => self.unreadable(format_args!("{field}: {error}")),
            None => self.unreadable(error),
        })
    }

    /// Reads a whole tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<tokenizers::Tokenizer> {
        let text = self.read()?;
        // Its reader panics where the text is no JSON, and on some values.
        serde_json::from_slice::<IgnoredAny>(&text).map_err(|error| self.unreadable(error))?;
        match catch_unwind(|| tokenizers::Tokenizer::from_bytes(&text)) {
            Ok(read) => read.map_err(|error| self.unreadable(error)),
            Err(_) => Err(self.unreadable("it is damaged")),
        }
    }

    /// The error of a file that is not what it should be.
    pub(crate) fn unreadable(&self, why: impl std::fmt::Display) -> Error {
        match self.lfs_pointer() {
            Some(pointer) => Error::new(ErrorKind::Model, pointer.cause).with_hint(pointer.hint),
            None => {
                let cause = format!("{} is not as expected: {why}", self.shown());
                Error::new(ErrorKind::Model, cause)
            }
        }
    }

    /// What is wrong with it if Git LFS has left only a pointer.
    pub(crate) fn lfs_pointer(&self) -> Option<Refusal> {
        let FileData::Disk(path) = &self.data else {
            return None;
        };
        let mut start = [0; 64];
        let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
        // One that cannot be read is an error where it is read.
        let start = &start[..read.unwrap_or(0)];
        refusals::lfs_pointer(&self.shown(), start)
    }

    /// The file as shown to people: its path, or its name where it is built in.
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
    /// `spiece.model`, where there is nothing else.
    Sentencepiece(CheckpointFile),
    /// `vocab.txt`, where there is nothing else.
    WordPieces(CheckpointFile),
}

/// The resolved files of one checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointFiles {
    /// The model as the user named it.
    pub name: String,
    pub config: CheckpointFile,
    pub generation_config: Option<CheckpointFile>,
    /// `preprocessor_config.json`, or where there is only that `processor_config.json`, which
    /// holds the same under `image_processor`.
    pub preprocessor_config: CheckpointFile,
    pub tokenizer: TokenizerFiles,
    pub tokenizer_config: Option<CheckpointFile>,
    /// `model.safetensors`, or the shards of the index in the order of their names.
    pub weights: Vec<CheckpointFile>,
}

/// The progress of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub file: String,
    pub done: u64,
    pub total: u64,
}

/// Receives the progress of downloads; called from any thread.
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
/// What older versions of transformers write.
const PICKLED: [&str; 2] = ["pytorch_model.bin.index.json", "pytorch_model.bin"];

/// Where the files of a checkpoint are looked for.
pub(crate) trait Find {
    /// `None` where there is no such file.
    fn find(&mut self, file: &str) -> Result<Option<FileData>>;

    /// Whether there is such a file, without fetching it.
    fn has(&mut self, file: &str) -> bool;

    /// Whether there is a file whose name ends so.
    fn has_ending(&mut self, ending: &str) -> bool;

    fn reach(&self) -> Reach;
}

/// How much of a place is known at no cost: all that is wrong is told at once, as far as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All files.
    Files,
    /// The names of all files.
    Names,
    /// Only what is found.
    Nothing,
}

/// What decides whether a checkpoint is worth fetching.
pub struct Gate<'a> {
    /// By `config.json` alone, before anything else is fetched.
    pub config: &'a dyn Fn(&CheckpointFile) -> Vec<Refusal>,
    /// By all files but the weights.
    pub sizes: &'a dyn Fn(&CheckpointFiles) -> Result<()>,
}

impl Gate<'_> {
    /// Lets everything pass.
    pub const OPEN: Gate<'static> = Gate {
        config: &|_| Vec::new(),
        sizes: &|_| Ok(()),
    };
}

/// Why there is no checkpoint.
pub(crate) enum NoFiles {
    /// Files are missing.
    Missing(Error),
    /// What is there cannot be used.
    Refused(Error),
}

impl From<Error> for NoFiles {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl NoFiles {
    pub fn error(self) -> Error {
        match self {
            Self::Missing(error) | Self::Refused(error) => error,
        }
    }
}

struct Folder<'a>(&'a Path);

impl Find for Folder<'_> {
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

    fn reach(&self) -> Reach {
        Reach::Files
    }
}

struct Embedded<'a>(&'a [(&'a str, &'static [u8])]);

impl Find for Embedded<'_> {
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

    fn reach(&self) -> Reach {
        Reach::Files
    }
}

/// What was found of a checkpoint.
#[derive(Default)]
struct Found {
    names: BTreeSet<String>,
    /// Of files other than the configuration, which is judged by itself.
    pointers: Vec<Refusal>,
}

impl Found {
    fn find(&mut self, place: &mut dyn Find, name: &str) -> Result<Option<CheckpointFile>> {
        let Some(data) = place.find(name)? else {
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
    /// The files of a checkpoint folder.
    pub fn folder(folder: &Path) -> Result<Self> {
        Self::checked_folder(folder, &Gate::OPEN)
    }

    /// The files of a checkpoint folder that passes `gate`.
    pub fn checked_folder(folder: &Path, gate: &Gate) -> Result<Self> {
        let name = folder.display().to_string();
        Self::collect(&name, &mut Folder(folder), gate).map_err(NoFiles::error)
    }

    /// The files of a checkpoint inside the program: pairs of name and content.
    pub fn embedded(name: &str, files: &[(&str, &'static [u8])]) -> Result<Self> {
        Self::collect(name, &mut Embedded(files), &Gate::OPEN).map_err(NoFiles::error)
    }

    /// Finds each file that a checkpoint can have. The weights come last, so that a cache that has
    /// them has everything, and nothing is fetched in vain.
    pub(crate) fn collect(
        name: &str,
        place: &mut dyn Find,
        gate: &Gate,
    ) -> std::result::Result<Self, NoFiles> {
        let mut found = Found::default();
        let mut refusals = Vec::new();
        let config = found.find(place, CONFIG)?;
        match &config {
            Some(config) => refusals.extend((gate.config)(config)),
            None => {
                let gguf = place.has_ending(".gguf");
                let other = refusals::no_checkpoint(&mut |file| place.has(file), gguf);
                if let Some(error) = refusals::error(name, other.into_iter().collect()) {
                    return Err(NoFiles::Refused(error));
                }
            }
        }
        if let Some(error) = refused_early(name, place, &refusals) {
            return Err(NoFiles::Refused(error));
        }
        let generation_config = found.find(place, GENERATION)?;
        let mut preprocessor_config = found.find(place, PREPROCESSOR)?;
        if preprocessor_config.is_none() {
            preprocessor_config = found.find(place, PROCESSOR)?;
        }
        let tokenizer_config = found.find(place, TOKENIZER_CONFIG)?;
        let tokenizer = match found.find(place, TOKENIZER)? {
            Some(file) => Some(TokenizerFiles::Whole(file)),
            None => match (found.find(place, VOCAB)?, found.find(place, MERGES)?) {
                (Some(vocab), Some(merges)) => Some(TokenizerFiles::Parts { vocab, merges }),
                _ => match found.find(place, SENTENCEPIECE)? {
                    Some(file) => Some(TokenizerFiles::Sentencepiece(file)),
                    None => found
                        .find(place, WORD_PIECES)?
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
        if let Some(error) = refused_early(name, place, &refusals) {
            return Err(NoFiles::Refused(error));
        }
        if let Some(files) = &files
            && refusals.is_empty()
        {
            (gate.sizes)(files)?;
        }
        let mut weights = Vec::new();
        let mut missing_shards = Vec::new();
        match found.find(place, INDEX)? {
            Some(index) => {
                let mut shards = shards(&index)?;
                // None is fetched where the names tell that another is missing.
                if place.reach() == Reach::Names && !shards.iter().all(|shard| place.has(shard)) {
                    shards.retain(|shard| !place.has(shard));
                }
                for shard in shards {
                    match found.find(place, &shard)? {
                        Some(file) => weights.push(file),
                        None => missing_shards.push(shard),
                    }
                }
            }
            None => weights.extend(found.find(place, WEIGHTS)?),
        }
        let (pickled, mut missing) = absent(&mut |file| {
            found.names.contains(file) || PICKLED.contains(&file) && place.has(file)
        });
        missing.extend(missing_shards);
        refusals.extend(pickled);
        refusals.extend(found.pointers);
        refusals.extend(lacks(&missing));
        // What cannot be used will not get better by files that are missing.
        let only_missing = !missing.is_empty() && refusals.len() == 1;
        match (refusals::error(name, refusals), files) {
            (None, Some(files)) => Ok(Self { weights, ..files }),
            (Some(error), _) if only_missing => Err(NoFiles::Missing(error)),
            (Some(error), _) => Err(NoFiles::Refused(error)),
            (None, None) => Err(NoFiles::Missing(Error::new(
                ErrorKind::Model,
                format!("{name} is no checkpoint"),
            ))),
        }
    }
}

/// What is wrong so far, and what names tell, where contents of further files have a cost.
fn refused_early(name: &str, place: &mut dyn Find, so_far: &[Refusal]) -> Option<Error> {
    if place.reach() == Reach::Files {
        return None;
    }
    let mut refusals = so_far.to_vec();
    if place.reach() == Reach::Names {
        let (pickled, missing) = absent(&mut |file| place.has(file));
        refusals.extend(pickled.into_iter().chain(lacks(&missing)));
    }
    refusals::error(name, refusals)
}

/// By the names of a checkpoint's files: weights that cannot be read, and what is missing.
fn absent(has: &mut dyn FnMut(&str) -> bool) -> (Option<Refusal>, Vec<String>) {
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

fn lacks(missing: &[String]) -> Option<Refusal> {
    (!missing.is_empty()).then(|| {
        Refusal::new(
            format!("it lacks {}", missing.join(", ")),
            "a checkpoint as published on the hub has these files",
        )
    })
}

/// The line that an error about a field's value is in: serde does not say which field it is.
fn field_at(bytes: &[u8], error: &serde_json::Error) -> Option<String> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.nth(error.line().checked_sub(1)?)?;
    let line = std::str::from_utf8(line).ok()?.trim().trim_end_matches(',');
    let short = line.len() <= 80 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    (error.is_data() && short && line.contains(':')).then(|| line.to_owned())
}

/// The shard names of an index, each a plain file name.
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
                "{} names the shard {name:?}, which is not a file beside it",
                index.shown()
            ),
        )),
        None if shards.is_empty() => Err(Error::new(
            ErrorKind::Model,
            format!("{} names no shards", index.shown()),
        )),
        None => Ok(shards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[(&str, &[u8])] = &[
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
        write(folder.path(), PLAIN);
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
    fn everything_that_is_missing_is_named_at_once() {
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
        write(folder.path(), &PLAIN[..4]);
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
    fn an_index_cannot_reach_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &PLAIN[..4]);
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
    fn an_error_shows_the_field_that_it_is_about() {
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
    fn built_in_files_need_no_disk() {
        let files = CheckpointFiles::embedded("demo", PLAIN).unwrap();
        assert_eq!(&*files.config.read().unwrap(), b"{}");
    }
}
