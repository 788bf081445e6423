//! Groups the rows of a source by image while it is read. A few threads read and hash each file
//! once, ahead of the rows. Groups are reported in the order of their first rows. Memory holds a few
//! dozen bytes for each distinct image and name, but no rows.

use super::image_file::image_bytes;
use super::notes::Notes;
use super::reading::{ItemSource, Note, RowEvent, SourceRow};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Failure, FailureCode, FailureDetail, ImageLocation, Item};
use crate::text::{Said, hex, said};
use crate::threads;
use crossbeam_channel::{Receiver, SendError, Sender, bounded};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;

/// Rows read ahead of grouping.
const ROWS_AHEAD: usize = 512;
/// Files waiting to be hashed.
const FILES_AHEAD: usize = 64;
const HASHERS: usize = 4;

/// A new group: its first row, and the image's hash or the failure to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceGroup {
    /// Position among the groups, from 0.
    pub order: u64,
    pub item: Item,
    pub sha256: Option<String>,
    /// Present if and only if `sha256` is `None`. With `--no-image` the item is labeled anyway.
    pub failure: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    New(Box<SourceGroup>),
    /// Another name of a known group. Each name is reported once.
    Name {
        order: u64,
        name: String,
        /// The group had no name before.
        is_first: bool,
    },
    /// Another path of a known group's image.
    Path {
        order: u64,
        path: String,
    },
    /// A message for the user.
    Warning(Said),
    /// The source is locked by another program. Sent again and again until it can be read.
    Locked(Said),
}

/// Counts of a finished reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceEnd {
    /// Rows that are items.
    pub rows: u64,
    /// Number of rows in each group, by order.
    pub rows_of_groups: Vec<u32>,
    /// Rows that cannot be used.
    pub refused: u64,
    /// The source was not read to its end: `max_groups` was reached, or `each` returned `Break`.
    pub cut_short: bool,
}

/// Reads a source and reports its groups to `each`. Stops at the end of the source, after
/// `max_groups` groups (`--max-samples` counts images, since one image is one record), or when
/// `each` returns `Break`. Blocks; `each` runs on the calling thread, and reading waits for it.
pub fn group(
    mut source: Box<dyn ItemSource>,
    max_groups: Option<u64>,
    each: &mut dyn FnMut(GroupEvent) -> ControlFlow<()>,
) -> Result<SourceEnd> {
    if max_groups == Some(0) {
        return Ok(SourceEnd {
            cut_short: true,
            ..SourceEnd::default()
        });
    }
    thread::scope(|scope| {
        let (jobs, waiting) = bounded::<HashJob>(FILES_AHEAD);
        let mut hashers = Vec::with_capacity(HASHERS);
        for _ in 0..HASHERS {
            let waiting = waiting.clone();
            let hasher = threads::spawn_scoped(scope, "hashing", move || hash_files(&waiting))?;
            hashers.push(hasher);
        }
        drop(waiting);
        let (rows, ahead) = bounded(ROWS_AHEAD);
        let reader = threads::spawn_scoped(scope, "reading", move || {
            let mut reader = RowReader {
                jobs,
                rows,
                files: HashMap::new(),
                images: 0,
            };
            source.read(&mut |event| reader.add(event))
        })?;
        let mut grouper = Grouper::new(max_groups, each);
        // The end of the loop drops the receiver, which stops the reader.
        let mut flow = Ok(ControlFlow::Continue(()));
        for row in ahead {
            flow = grouper.add(row);
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                break;
            }
        }
        // Joins every thread before reporting a panic: the scope would panic without a cause if an
        // unjoined thread has panicked.
        let read = reader.join();
        let hashed: Vec<_> = hashers.into_iter().map(|hasher| hasher.join()).collect();
        let read = read.map_err(|panic| threads::panicked("reading the source", panic.as_ref()))?;
        // A hasher's panic is the cause of a missing hash, so it is reported first.
        for hashed in hashed {
            hashed.map_err(|panic| threads::panicked("hashing an image", panic.as_ref()))?;
        }
        grouper.end.cut_short |= flow?.is_break();
        let end = grouper.finish();
        if !end.cut_short {
            read?;
        }
        Ok(end)
    })
}

type Hash = [u8; 32];
type Hashed = Result<Hash, Failure>;

/// An image to hash, and where to send the result.
struct HashJob {
    file: ImageLocation,
    answer: Sender<Hashed>,
}

fn hash_files(jobs: &Receiver<HashJob>) {
    for job in jobs {
        let hashed = image_bytes(&job.file).map(|bytes| Sha256::digest(bytes).into());
        // Fails if reading was cut short.
        let _ = job.answer.send(hashed);
    }
}

/// The name of a row's item, and its other name.
type RowNames = (String, Option<String>);

/// A row on its way from the reader to the grouper. Images are numbered in order of appearance.
enum ReadRow {
    /// The first row with an image.
    First(Box<SourceRow>, Receiver<Hashed>),
    Repeat {
        image: usize,
        names: RowNames,
    },
    Note {
        note: Note,
        is_refused: bool,
    },
    Warning(Said),
    Locked(Said),
}

/// Runs on the source's thread and distinguishes known images from new ones.
struct RowReader {
    jobs: Sender<HashJob>,
    rows: Sender<ReadRow>,
    /// Index of each image by a hash of its path, to save memory.
    files: HashMap<[u8; 16], usize>,
    /// Number of images so far.
    images: usize,
}

impl RowReader {
    fn add(&mut self, event: RowEvent) -> ControlFlow<()> {
        let row = match event {
            RowEvent::Warning(warning) => ReadRow::Warning(warning),
            RowEvent::Locked(text) => ReadRow::Locked(text),
            RowEvent::Refused(note) => ReadRow::Note {
                note,
                is_refused: true,
            },
            RowEvent::Noted(note) => ReadRow::Note {
                note,
                is_refused: false,
            },
            RowEvent::Item(row) => self.row(row, FailureDetail::NoFileNamed)?,
            RowEvent::Missing(row, why) => self.row(row, why)?,
        };
        sent(self.rows.send(row))
    }

    /// Looks up a row's image. `missing` is the failure if the row has no file.
    fn row(&mut self, row: SourceRow, missing: FailureDetail) -> ControlFlow<(), ReadRow> {
        let next = self.images;
        // An image embedded in a row belongs to that row alone.
        if row.sha256.is_none() {
            let image = *self.files.entry(path_key(&row.item)).or_insert(next);
            if image < next {
                let names = (row.item.item_name, row.other_name);
                return ControlFlow::Continue(ReadRow::Repeat { image, names });
            }
        }
        self.images += 1;
        let (answer, hashed) = bounded(1);
        match (&row.item.file, row.sha256) {
            (_, Some(hash)) => sent(answer.send(Ok(hash)))?,
            (Some(file), None) => {
                let file = file.clone();
                sent(self.jobs.send(HashJob { file, answer }))?;
            }
            (None, None) => {
                let code = FailureCode::MissingImage;
                let detail = missing;
                sent(answer.send(Err(Failure { code, detail })))?;
            }
        }
        ControlFlow::Continue(ReadRow::First(Box::new(row), hashed))
    }
}

fn sent<T>(result: Result<(), SendError<T>>) -> ControlFlow<()> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

fn path_key(item: &Item) -> [u8; 16] {
    let mut hash = Sha256::new();
    match &item.file {
        Some(ImageLocation::File(file)) => hash.update(file.as_os_str().as_encoded_bytes()),
        Some(part) => hash.update(part.to_string()),
        None => {
            hash.update([0]);
            hash.update(&item.image_path);
        }
    }
    let hash: Hash = hash.finalize().into();
    std::array::from_fn(|index| hash[index])
}

/// Runs on the calling thread and distinguishes known groups from new ones.
struct Grouper<'a> {
    max_groups: Option<u64>,
    each: &'a mut dyn FnMut(GroupEvent) -> ControlFlow<()>,
    /// Group of each image.
    groups: Vec<usize>,
    by_hash: HashMap<Hash, usize>,
    /// Group and hash of each reported name.
    names: HashSet<(usize, u64)>,
    /// Hashes of the paths of embedded images, which may collide.
    embedded_paths: HashSet<u64>,
    notes: Notes,
    end: SourceEnd,
}

impl<'a> Grouper<'a> {
    fn new(
        max_groups: Option<u64>,
        each: &'a mut dyn FnMut(GroupEvent) -> ControlFlow<()>,
    ) -> Self {
        Self {
            max_groups,
            each,
            groups: Vec::new(),
            by_hash: HashMap::new(),
            names: HashSet::new(),
            embedded_paths: HashSet::new(),
            notes: Notes::default(),
            end: SourceEnd::default(),
        }
    }

    fn add(&mut self, row: ReadRow) -> Result<ControlFlow<()>> {
        Ok(match row {
            ReadRow::Warning(warning) => (self.each)(GroupEvent::Warning(warning)),
            ReadRow::Locked(text) => (self.each)(GroupEvent::Locked(text)),
            ReadRow::Note { note, is_refused } => {
                match is_refused {
                    true => self.notes.add_refused(note),
                    false => self.notes.add(note),
                }
                ControlFlow::Continue(())
            }
            ReadRow::Repeat { image, names } => self.add_to_group(self.groups[image], names),
            ReadRow::First(row, hashed) => {
                let hashed = hashed
                    .recv()
                    .map_err(|_| Error::new(ErrorKind::Internal, "hashing an image panicked"))?;
                self.add_first(*row, hashed)
            }
        })
    }

    fn add_first(&mut self, row: SourceRow, hashed: Hashed) -> ControlFlow<()> {
        let SourceRow {
            mut item,
            other_name,
            sha256: _,
        } = row;
        let order = self.end.rows_of_groups.len();
        let is_free = self.is_path_free(&item);
        let (sha256, failure) = match hashed {
            Ok(hash) => {
                let sha256 = hex(&hash);
                self.check_claimed_hash(&item, &sha256);
                let known = *self.by_hash.entry(hash).or_insert(order);
                if known < order {
                    self.groups.push(known);
                    if is_free {
                        (self.each)(GroupEvent::Path {
                            order: known as u64,
                            path: item.image_path,
                        })?;
                    }
                    return self.add_to_group(known, (item.item_name, other_name));
                }
                (Some(sha256), None)
            }
            Err(failure) => (None, Some(failure)),
        };
        if !is_free {
            let of_location = || hex(&path_key(&item));
            let hash = sha256.clone().unwrap_or_else(of_location);
            item.image_path = path_with_hash(&item.image_path, &hash);
        }
        self.groups.push(order);
        self.end.rows += 1;
        self.end.rows_of_groups.push(1);
        self.names.insert((order, text_key(&item.item_name)));
        (self.each)(GroupEvent::New(Box::new(SourceGroup {
            order: order as u64,
            item,
            sha256,
            failure,
        })))?;
        if let Some(name) = other_name {
            self.add_name(order, name)?;
        }
        match self.max_groups == Some(order as u64 + 1) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn add_to_group(&mut self, group: usize, (name, other): RowNames) -> ControlFlow<()> {
        self.end.rows += 1;
        let rows = &mut self.end.rows_of_groups[group];
        *rows = rows.saturating_add(1);
        self.add_name(group, name)?;
        match other {
            Some(other) => self.add_name(group, other),
            None => ControlFlow::Continue(()),
        }
    }

    /// Reports a name of a group once.
    fn add_name(&mut self, group: usize, name: String) -> ControlFlow<()> {
        if name.is_empty() || !self.names.insert((group, text_key(&name))) {
            return ControlFlow::Continue(());
        }
        let is_first = self.names.remove(&(group, text_key("")));
        if is_first {
            self.note_inherited_name(&name);
        }
        (self.each)(GroupEvent::Name {
            order: group as u64,
            name,
            is_first,
        })
    }

    fn note_inherited_name(&mut self, name: &str) {
        let note = Note {
            file: PathBuf::new(),
            place: name.to_owned(),
            what: said!(
                "an earlier row with the same image has no name and gets this one",
                "같은 그림의 앞 행에 이름이 없어 이 이름을 씁니다"
            ),
        };
        self.notes.add(note);
    }

    /// Whether no other image has this path. Different embedded images may declare the same path.
    fn is_path_free(&mut self, item: &Item) -> bool {
        let is_embedded = item
            .file
            .as_ref()
            .is_some_and(|file| file.own_file().is_none());
        !is_embedded || self.embedded_paths.insert(text_key(&item.image_path))
    }

    /// Notes a wrong `image_sha256`, once per image.
    fn check_claimed_hash(&mut self, item: &Item, sha256: &str) {
        let claimed = item.claimed_sha256.as_ref();
        if claimed.is_none_or(|claimed| claimed.eq_ignore_ascii_case(sha256)) {
            return;
        }
        let note = Note {
            file: PathBuf::new(),
            place: item.image_path.clone(),
            what: said!(
                "image_sha256 does not match the image and is ignored",
                "image_sha256이 그림의 것과 다릅니다. 그림의 것을 씁니다"
            ),
        };
        self.notes.add(note);
    }

    /// Reports the collected notes.
    fn finish(mut self) -> SourceEnd {
        for line in self.notes.lines() {
            if (self.each)(GroupEvent::Warning(line)).is_break() {
                break;
            }
        }
        self.end.refused = self.notes.refused();
        self.end
    }
}

/// Inserts a hash into a path: `a.png` -> `a-0f3c91de.png`.
fn path_with_hash(path: &str, sha256: &str) -> String {
    let hash = &sha256[..8];
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, end) = path.split_at(name + dot);
            format!("{stem}-{hash}{end}")
        }
        _ => format!("{path}-{hash}"),
    }
}

fn text_key(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
