//! `csv` and `tsv`: one row per caption of an image, with the columns that OpenCLIP reads.

use super::format::{Format, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::export::dataset::destination::Part;
use crate::export::dataset::example::{Example, ImageName, Split};
use crate::export::dataset::options::{DatasetOptions, PathStyle};
use crate::export::dataset::shards::{Shards, images};
use crate::export::target::{ExportSink, Target};
use crate::outdir::file_error;
use std::path::{Component, Path, PathBuf};

pub struct Table {
    name: &'static str,
    describe: &'static str,
    delimiter: u8,
}

impl Table {
    pub fn csv() -> Self {
        Self {
            name: "csv",
            describe: "filepath,title with one row per caption, for OpenCLIP",
            delimiter: b',',
        }
    }

    pub fn tsv() -> Self {
        Self {
            name: "tsv",
            describe: "the same with tabs, OpenCLIP's default",
            delimiter: b'\t',
        }
    }

    fn file(&self, split: &Split) -> String {
        format!("{}.{}", split.name, self.name)
    }
}

impl Format for Table {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> &'static str {
        self.describe
    }

    fn names_paths(&self) -> bool {
        true
    }

    fn check_image(&self, options: &DatasetOptions, image: &ImageName) -> Result<()> {
        check_path(options, image)
    }

    fn parts(&self, split: &Split) -> Vec<Part> {
        parts_with_images(split, self.file(split))
    }

    fn begin<'a>(&self, split: &'a Split<'a>) -> Result<Box<dyn Writer + 'a>> {
        let pending = split.destination.begin_file(&self.file(split))?;
        let (sink, target) = pending.into_parts();
        let mut rows = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .from_writer(sink);
        rows.write_record(["filepath", "title"])
            .map_err(|error| failed(&target, &error))?;
        Ok(Box::new(TableRows {
            images: ImagePaths::new(split),
            rows,
            target,
        }))
    }
}

struct TableRows<'a> {
    images: ImagePaths<'a>,
    rows: csv::Writer<ExportSink>,
    target: Target,
}

impl Writer for TableRows<'_> {
    fn add(&mut self, example: &Example) -> Result<()> {
        let path = self.images.resolve(example)?;
        for caption in &example.captions {
            self.rows
                .write_record([path.as_str(), caption.as_str()])
                .map_err(|error| failed(&self.target, &error))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.images.close()?;
        let sink = self.rows.into_inner().map_err(|error| {
            file_error("writing", self.target.path())(std::io::Error::other(error.to_string()))
        })?;
        self.target.replace(sink.finish()?)
    }
}

fn failed(target: &Target, error: &csv::Error) -> Error {
    let cause = format!("writing {}: {error}", target.path().display());
    Error::new(ErrorKind::Store, cause)
}

/// Checks that a table can name an image.
pub(super) fn check_path(options: &DatasetOptions, image: &ImageName) -> Result<()> {
    let root = resolved(&options.to);
    let path = match options.copies_images() {
        true => root.clone(),
        false => image.original()?.to_owned(),
    };
    path_text(&path, options.paths, &root).map(drop)
}

/// Resolves the image paths in a dataset: the original files, or copies in the dataset.
pub(super) struct ImagePaths<'a> {
    split: &'a Split<'a>,
    copies: Option<Shards<'a>>,
    root: PathBuf,
}

impl<'a> ImagePaths<'a> {
    pub fn new(split: &'a Split<'a>) -> Self {
        let copies = split.options.copies_images();
        Self {
            copies: copies.then(|| Shards::new(split, folder, images)),
            root: resolved(split.destination.root()),
            split,
        }
    }

    /// Returns the path of an example's image. Copies it into the dataset with `--copy-images`.
    pub fn resolve(&mut self, example: &Example) -> Result<String> {
        let path = match &mut self.copies {
            Some(copies) => {
                copies.add(example)?;
                let folder = folder(self.split, copies.number()).name;
                self.root.join(folder).join(example.file_name())
            }
            None => example.name().original()?.to_owned(),
        };
        path_text(&path, self.split.options.paths, &self.root)
    }

    pub fn close(&mut self) -> Result<()> {
        self.copies.as_mut().map_or(Ok(()), Shards::close)
    }
}

/// Returns the parts of a split: its file of rows, and the folders of its copied images.
pub(super) fn parts_with_images(split: &Split, rows: String) -> Vec<Part> {
    let shards = match split.options.copies_images() {
        true => split.shard_count(),
        false => 0,
    };
    let folders = (0..shards).map(|number| folder(split, number));
    folders.chain([Part::file(rows)]).collect()
}

fn folder(split: &Split, number: usize) -> Part {
    let name = format!("images/{}/{number:04}", split.name);
    Part::folder(name, split.shard_len(number))
}

/// Links are resolved, since `..` in a relative path follows them. A path that cannot be resolved is
/// used as it is.
fn resolved(root: &Path) -> PathBuf {
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

fn path_text(path: &Path, style: PathStyle, root: &Path) -> Result<String> {
    let path = match style {
        PathStyle::Absolute => path.to_owned(),
        PathStyle::Relative => relative(path, root),
    };
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let cause = format!(
            "{} is not UTF-8 and cannot be written to a table",
            path.display()
        );
        Error::new(ErrorKind::Usage, cause).with_hint("rename it, or give --copy-images")
    })
}

/// Returns `path` relative to `folder`; both are absolute.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let mut to = path.components().peekable();
    let mut from = folder.components().peekable();
    while let (Some(a), Some(b)) = (to.peek(), from.peek())
        && a == b
    {
        to.next();
        from.next();
    }
    let up = from.map(|_| Component::ParentDir);
    up.chain(to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_dataset() {
        for (path, folder, expected) in [
            ("/a/b/c.png", "/a/b", "c.png"),
            ("/a/icons/c.png", "/a/set", "../icons/c.png"),
            ("/x/c.png", "/a/set", "../../x/c.png"),
        ] {
            let found = relative(Path::new(path), Path::new(folder));
            assert_eq!(found, Path::new(expected));
        }
    }
}
