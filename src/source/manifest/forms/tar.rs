//! Reads WebDataset tars. Members with the same name before the first dot are one row: an image, its
//! text in `.txt` and its metadata in `.json`. Images are read in place, never extracted; offsets in
//! a compressed tar are those in the decompressed content.

use super::json_lines::read_object;
use crate::error::{Error, Result};
use crate::record::ImageLocation;
use crate::source::checks::{MAX_ROW, NO_ENCODING};
use crate::source::cp949::TextDecoder;
use crate::source::folder::is_image_extension;
use crate::source::manifest::columns::Column;
use crate::source::manifest::embedded::EmbeddedImage;
use crate::source::manifest::file::Manifest;
use crate::source::manifest::row::Row;
use crate::source::options::MAX_FILE_BYTES;
use crate::source::reading::{ItemSource, Sink};
use crate::text::{Phrase, Said, said};
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use tar::{Archive, Entry, PaxExtensions};

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
            decoder: TextDecoder::default(),
            long_name: None,
            sample: None,
        };
        // Raw, because the library reads long names and attributes into memory whatever their size.
        let entries = archive.entries().map(|entries| entries.raw(true));
        for entry in entries.map_err(|error| self.broken(&error))? {
            let flow = entry.and_then(|entry| reader.add(entry, sink));
            if flow.map_err(|error| self.broken(&error))?.is_break() {
                return Ok(());
            }
        }
        if reader.end_sample(sink).is_continue() {
            reader.decoder.end(&self.0.path, sink);
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

/// Members with the same key.
struct Sample {
    key: String,
    image: Option<(String, ImageLocation, Vec<u8>)>,
    text: Option<Vec<u8>>,
    json: Option<Vec<u8>>,
}

struct Reader<'a> {
    manifest: &'a Manifest,
    /// Absolute path of the tar.
    path: PathBuf,
    decoder: TextDecoder,
    /// The name of the next member, if its header is too short for it.
    long_name: Option<Vec<u8>>,
    sample: Option<Sample>,
}

impl Reader<'_> {
    fn add(&mut self, mut entry: Entry<impl Read>, sink: &mut Sink) -> io::Result<ControlFlow<()>> {
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            let name = read_attributes(&mut entry)?;
            self.long_name = name.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
            return Ok(ControlFlow::Continue(()));
        }
        if kind.is_pax_local_extensions() {
            let attributes = read_attributes(&mut entry)?;
            for attribute in PaxExtensions::new(&attributes) {
                let attribute = attribute?;
                if attribute.key_bytes() == b"path" {
                    self.long_name = Some(attribute.value_bytes().to_vec());
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        // Others that describe the next member, such as its link's target.
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            return Ok(ControlFlow::Continue(()));
        }
        let long_name = self.long_name.take();
        if !kind.is_file() {
            return Ok(ControlFlow::Continue(()));
        }
        let name = long_name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = String::from_utf8_lossy(&name).into_owned();
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

    /// Emits the current sample, if it has an image.
    fn end_sample(&mut self, sink: &mut Sink) -> ControlFlow<()> {
        let Some(sample) = self.sample.take() else {
            return ControlFlow::Continue(());
        };
        let Some((name, location, bytes)) = sample.image else {
            return ControlFlow::Continue(());
        };
        let mut row = Ok(self.manifest.row());
        if let (Some(json), Ok(cells)) = (&sample.json, &mut row)
            && let Err(why) = read_object(json.trim_ascii(), json.len(), cells, &mut self.decoder)
        {
            let Said { english, korean } = why;
            row = Err(said!("its .json is {english}", ".json: {korean}"));
        }
        if let (Some(text), Ok(cells)) = (&sample.text, &mut row) {
            match self.decoder.read(text) {
                Some(text) => add_text(cells, &text),
                None => {
                    let Phrase { english, korean } = NO_ENCODING;
                    row = Err(said!("its .txt is {english}", ".txt: {korean}"));
                }
            }
        }
        let place = name.clone();
        let image = EmbeddedImage::new(location, Some(name), &bytes);
        self.decoder.end_row(&self.manifest.path, sink)?;
        self.manifest
            .emit_with_image(row, Some(image), &place, sink)
    }
}

/// Uses the first line of the text as the name if the metadata has none.
fn add_text(row: &mut Row, text: &str) {
    let line = text.trim_start_matches('\u{feff}').lines().next();
    let line = line.map(str::trim).unwrap_or_default();
    if !line.is_empty() && line.len() <= MAX_ROW {
        row.set_missing(Column::Name, line.to_owned());
    }
}

/// Maximum size of a member's long name or attributes.
const MAX_ATTRIBUTES: u64 = 1 << 20;

/// Reads a member that describes the next one.
fn read_attributes(entry: &mut Entry<impl Read>) -> io::Result<Vec<u8>> {
    match entry.size() {
        0..=MAX_ATTRIBUTES => read_up_to(entry, MAX_ATTRIBUTES),
        size => Err(io::Error::other(format!(
            "the name of a member takes {size} bytes"
        ))),
    }
}

fn read_up_to(reader: &mut impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
