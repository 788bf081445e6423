//! The dataset formats, one file each.

pub(super) mod format;
mod image_folder;
mod json_lines;
mod parquet_images;
mod parquet_rows;
mod sidecar;
mod table;
mod web_dataset;

use format::Format;

pub(super) fn formats() -> [Box<dyn Format>; 7] {
    [
        Box::new(image_folder::ImageFolder),
        Box::new(parquet_images::ParquetImages),
        Box::new(web_dataset::WebDataset),
        Box::new(table::Table::csv()),
        Box::new(table::Table::tsv()),
        Box::new(sidecar::Sidecar),
        Box::new(json_lines::JsonLines),
    ]
}
