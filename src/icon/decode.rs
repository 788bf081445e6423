//! Decodes image files to RGBA. Images whose header declares too large a size are refused before
//! decoding.

use super::webp::frame_sizes;
use super::{Icon, Picture};
use crate::error::{Error, ErrorKind, Result};
use crate::record::FailureDetail;
use crate::source::MAX_FILE_BYTES;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat,
    ImageReader, Limits,
};
use std::borrow::Cow;
use std::io::Cursor;

/// The longest side in pixels.
pub const MAX_SIDE: u32 = 4096;
/// The largest area in pixels.
pub const MAX_PIXELS: u64 = 8 << 20;
/// Limit in bytes of a decoder's allocations besides its output. A 16-bit RGBA image of the largest
/// area fits.
const MAX_ALLOC: u64 = 128 << 20;

/// Decodes PNG, JPEG, GIF, WebP or BMP, recognized by content. Returns the first frame of an
/// animation, rotated as its EXIF orientation requires.
pub fn decode(bytes: &[u8]) -> Result<Icon, FailureDetail> {
    if bytes.is_empty() {
        return Err(FailureDetail::EmptyFile);
    }
    let (bytes_found, limit) = (bytes.len() as u64, MAX_FILE_BYTES);
    if bytes_found > limit {
        return Err(FailureDetail::TooManyBytes {
            bytes: bytes_found,
            limit,
        });
    }
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| SUPPORTED.contains(format))
        .ok_or(FailureDetail::NotAnImage)?;
    let unreadable = |error: ImageError| FailureDetail::BrokenImage {
        format: name(format).to_owned(),
        why: error.to_string(),
    };
    let bytes = match format == ImageFormat::Png && !bytes.ends_with(&PNG_END) {
        // Some programs omit the last chunk, although every pixel is present.
        true => Cow::Owned([bytes, &PNG_END].concat()),
        false => Cow::Borrowed(bytes),
    };

    if format == ImageFormat::WebP {
        for (width, height) in frame_sizes(&bytes) {
            check_size(width, height)?;
        }
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOC);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    // Damaged EXIF data must not make the image unreadable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    let rgba = image.into_rgba8();
    check_size(rgba.width(), rgba.height())?;
    Ok(Icon {
        width: rgba.width(),
        height: rgba.height(),
        rgba: rgba.into_raw(),
    })
}

/// The usual file name extension for an image, by its content; `None` for formats that [`decode`]
/// does not read.
pub fn extension(bytes: &[u8]) -> Option<&'static str> {
    let format = image::guess_format(bytes).ok()?;
    let is_supported = SUPPORTED.contains(&format);
    is_supported.then(|| format.extensions_str()[0])
}

/// Encodes a picture as a PNG file.
pub fn to_png(picture: &Picture) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(
            &picture.rgb,
            picture.width,
            picture.height,
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| Error::new(ErrorKind::Image, format!("writing a PNG: {error}")))?;
    Ok(png)
}

/// The last chunk of every PNG.
const PNG_END: [u8; 12] = *b"\0\0\0\0IEND\xaeB`\x82";

const SUPPORTED: [ImageFormat; 5] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Bmp,
];

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        _ => "BMP",
    }
}

fn check_size(width: u32, height: u32) -> Result<(), FailureDetail> {
    if width == 0 || height == 0 {
        return Err(FailureDetail::NoPixels { width, height });
    }
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(FailureDetail::TooManyPixels {
            width,
            height,
            max_side: MAX_SIDE,
            max_pixels: MAX_PIXELS,
        });
    }
    Ok(())
}
