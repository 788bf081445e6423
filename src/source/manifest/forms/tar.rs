//! WebDataset tars: members of one name before the first dot make one row, an image with its text
//! in `.txt` and its metadata in `.json`. Images are read in place, never unpacked to a file; of a tar
//! that gzip has compressed, a place is that in its content.

use super::json_lines::read_object;
use crate::error::{Error, Result};
use crate::record::ImageLocation;
use crate::settings::MAX_FILE_BYTES;
use crate::source::checks::{MAX_ROW, NO_ENCODING};
use crate::source::cp949::Texts;
use crate::source::folder::is_image_extension;
use crate::source::manifest::columns::Column;
use crate::source::manifest::embedded::Embedded;
use crate::source::manifest::file::Manifest;
use crate::source::manifest::row::Row;
use crate::source::reading::{ItemSource, Sink};
use crate::text::{Phrase, Said, said};
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use tar::{Archive, Entry};

#[derive(Debug)]
struct Tar(Manifest);

pub(super) fn open(manifest: Manifest) -> Result<Box<dyn ItemSource>> {
    manifest.open()?;
    Ok(Box::new(Tar(manifest)))
}

impl ItemSource for Tar {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let path = self.0.absolute_path()?;
        let mut archive = Archive::new(BufReader::new(self.0.content()?));
        let mut reader = Reader {
            manifest: &self.0,
            path,
            texts: Texts::default(),
            sample: None,
        };
        let entries = archive.entries().map_err(|error| self.broken(&error))?;
        for entry in entries {
            let taken = entry.and_then(|entry| reader.take(entry, sink));
            if taken.map_err(|error| self.broken(&error))?.is_break() {
                return Ok(());
            }
        }
        if reader.end_sample(sink).is_continue() {
            reader.texts.end(&self.0.path, sink);
        }
        Ok(())
    }
}

impl Tar {
    fn broken(&self, error: &io::Error) -> Error {
        self.0
            .unreadable(error)
            .with_hint("a WebDataset shard is a tar file, plain or compressed by gzip")
    }
}

/// Members of one key, while they are met.
struct Sample {
    key: String,
    image: Option<(String, ImageLocation, Vec<u8>)>,
    text: Option<Vec<u8>>,
    json: Option<Vec<u8>>,
}

struct Reader<'a> {
    manifest: &'a Manifest,
    /// Absolute.
    path: PathBuf,
    texts: Texts,
    sample: Option<Sample>,
}

impl Reader<'_> {
    fn take(
        &mut self,
        mut entry: Entry<impl Read>,
        sink: &mut Sink,
    ) -> io::Result<ControlFlow<()>> {
        if !entry.header().entry_type().is_file() {
            return Ok(ControlFlow::Continue(()));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").to_owned();
        let file_name = name.rsplit('/').next().unwrap_or_default();
        let folder = name.len() - file_name.len();
        let Some((stem, end)) = file_name
            .split_once('.')
            .filter(|(stem, _)| !stem.is_empty())
        else {
            return Ok(ControlFlow::Continue(()));
        };
        let key = &name[..folder + stem.len()];
        if self.sample.as_ref().is_none_or(|sample| sample.key != key) {
            if self.end_sample(sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.sample = Some(Sample {
                key: key.to_owned(),
                image: None,
                text: None,
                json: None,
            });
        }
        let Some(sample) = &mut self.sample else {
            return Ok(ControlFlow::Continue(()));
        };
        let last = end.rsplit('.').next().unwrap_or_default();
        if is_image_extension(last) && sample.image.is_none() {
            let location = ImageLocation::Slice {
                file: self.path.clone(),
                offset: entry.raw_file_position(),
                length: entry.size(),
            };
            let bytes = read_up_to(&mut entry, MAX_FILE_BYTES + 1)?;
            sample.image = Some((name, location, bytes));
        } else if end == "txt" {
            sample.text = Some(read_up_to(&mut entry, MAX_ROW as u64 + 1)?);
        } else if end == "json" {
            sample.json = Some(read_up_to(&mut entry, MAX_ROW as u64 + 1)?);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands on the members that were met last. Those without an image are none of ours.
    fn end_sample(&mut self, sink: &mut Sink) -> ControlFlow<()> {
        let Some(sample) = self.sample.take() else {
            return ControlFlow::Continue(());
        };
        let Some((name, location, bytes)) = sample.image else {
            return ControlFlow::Continue(());
        };
        let mut row = Ok(self.manifest.row());
        if let (Some(json), Ok(taken)) = (&sample.json, &mut row)
            && let Err(why) = read_object(json.trim_ascii(), json.len(), taken, &mut self.texts)
        {
            let Said { english, korean } = why;
            row = Err(said!("its .json is {english}", ".json: {korean}"));
        }
        if let (Some(text), Ok(taken)) = (&sample.text, &mut row) {
            match self.texts.read(text) {
                Some(text) => add_text(taken, &text),
                None => {
                    let Phrase { english, korean } = NO_ENCODING;
                    row = Err(said!("its .txt is {english}", ".txt: {korean}"));
                }
            }
        }
        let place = name.clone();
        let image = Embedded::new(location, Some(name), &bytes);
        self.texts.end_row(&self.manifest.path, sink)?;
        self.manifest.give_with(row, Some(image), &place, sink)
    }
}

/// The first line of the text is the name, where the metadata has none.
fn add_text(row: &mut Row, text: &str) {
    let line = text.trim_start_matches('\u{feff}').lines().next();
    let line = line.map(str::trim).unwrap_or_default();
    if !line.is_empty() && line.len() <= MAX_ROW {
        row.set_missing(Column::Name, line.to_owned());
    }
}

fn read_up_to(reader: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
