//! Loads icons off the UI thread, newest request first, and enlarges them by whole numbers.

use super::backdrop::{Backdrop, BackdropChoice};
use super::graphics::Graphics;
use crate::error::Error;
use crate::icon::{self, Icon, Swatch};
use crate::record::{Background, GroupDetail, GroupId, ImageLocation};
use crate::text::{Said, said};
use crate::threads;
use image::RgbaImage;
use ratatui_image::FontSize;
use ratatui_image::protocol::Protocol;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How an icon is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenderMode {
    Plain(BackdropChoice),
    /// On a backdrop that fills the whole area, so that icons in a grid line up.
    Tile(BackdropChoice),
    /// As the pixels that the model sees.
    Model {
        upscale: u32,
        background: Background,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PictureKey {
    pub group: GroupId,
    pub mode: RenderMode,
    /// Size of the available area in cells.
    pub width: u16,
    pub height: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRequest {
    pub key: PictureKey,
    pub file: ImageLocation,
    /// The hash of the labeled picture, if it is known.
    pub labeled: Option<String>,
}

impl PictureRequest {
    /// Requests the picture of a group; `None` if it has none.
    pub fn of(detail: &GroupDetail, key: PictureKey) -> Option<Self> {
        Some(Self {
            key,
            file: detail.item.file.clone()?,
            labeled: detail.image_sha256.clone(),
        })
    }
}

/// Scale of an icon on the screen; a whole number, so that pixel art stays sharp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Screen pixels per pixel of the icon.
    Up(u32),
    /// Icon pixels per screen pixel, where the icon does not fit.
    Down(u32),
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Up(n) => write!(f, "x{n}"),
            Self::Down(n) => write!(f, "1:{n}"),
        }
    }
}

pub struct ScreenPicture {
    pub protocol: Protocol,
    /// Size in pixels of the icon, or of the image that the model received.
    pub pixels: (u32, u32),
    pub scale: Scale,
    pub backdrop: Backdrop,
    pub swatches: Vec<Swatch>,
    /// Whether this is not the picture that was labeled: its file has been replaced since.
    pub is_replaced: bool,
}

pub struct LoadedPicture {
    pub key: PictureKey,
    /// The picture, or the reason why there is none.
    pub picture: Result<Arc<ScreenPicture>, Said>,
}

/// Reads, decodes and encodes one icon.
pub fn load(graphics: &Graphics, request: &PictureRequest) -> LoadedPicture {
    let picture = || {
        let (icon, sha256) = read(&request.file)?;
        let picture = draw(graphics, &icon, request.key)?;
        let labeled = request.labeled.as_ref();
        Ok(ScreenPicture {
            is_replaced: labeled.is_some_and(|labeled| *labeled != sha256),
            ..picture
        })
    };
    // A panic in a decoder fails one picture, not the thread.
    let picture = catch_unwind(AssertUnwindSafe(picture)).unwrap_or_else(|_| {
        Err(said!(
            "decoding failed; see the log",
            "풀지 못했습니다. 로그에 이유가 있습니다"
        ))
    });
    LoadedPicture {
        key: request.key,
        picture: picture.map(Arc::new),
    }
}

/// The icon and the hash of its file.
fn read(file: &ImageLocation) -> Result<(Icon, String), Said> {
    let bytes = crate::engine::image_bytes(file).map_err(|failure| failure.detail.said())?;
    let icon = icon::decode(&bytes).map_err(|detail| detail.said())?;
    Ok((icon, icon::sha256(&bytes)))
}

fn draw(graphics: &Graphics, icon: &Icon, key: PictureKey) -> Result<ScreenPicture, Said> {
    let swatches = icon::palette(icon).swatches;
    let (source, backdrop) = match key.mode {
        RenderMode::Plain(choice) | RenderMode::Tile(choice) => {
            (icon.clone(), choice.for_icon(icon))
        }
        RenderMode::Model {
            upscale,
            background,
        } => {
            let picture = icon::picture(icon, upscale, background);
            let rgba = picture
                .rgb
                .as_chunks::<3>()
                .0
                .iter()
                .flat_map(|&[r, g, b]| [r, g, b, 255])
                .collect();
            let backdrop = match background {
                Background::White => Backdrop::White,
                _ => Backdrop::Black,
            };
            (
                Icon {
                    width: picture.width,
                    height: picture.height,
                    rgba,
                },
                backdrop,
            )
        }
    };
    let pixels = (source.width, source.height);
    let (image, scale) = compose(&source, backdrop, graphics.cell(), key)?;
    Ok(ScreenPicture {
        protocol: graphics
            .encode(image)
            .map_err(|error| said!("{error}", "{error}"))?,
        pixels,
        scale,
        backdrop,
        swatches,
        is_replaced: false,
    })
}

/// Draws the scaled icon in the center of whole cells, on its backdrop.
fn compose(
    icon: &Icon,
    backdrop: Backdrop,
    cell: FontSize,
    key: PictureKey,
) -> Result<(RgbaImage, Scale), Said> {
    let (cell_width, cell_height) = (u32::from(cell.width), u32::from(cell.height));
    let room = (
        u32::from(key.width) * cell_width,
        u32::from(key.height) * cell_height,
    );
    if room.0 == 0 || room.1 == 0 || icon.width == 0 || icon.height == 0 {
        return Err(said!("not enough room", "자리가 없습니다"));
    }
    let factor = (room.0 / icon.width).min(room.1 / icon.height).min(64);
    let scale = match factor {
        0 => Scale::Down((icon.width.div_ceil(room.0)).max(icon.height.div_ceil(room.1))),
        n => Scale::Up(n),
    };
    let scaled = match scale {
        Scale::Up(n) => {
            let scaled = icon::scale_nearest(icon, n);
            RgbaImage::from_raw(scaled.width, scaled.height, scaled.rgba)
        }
        Scale::Down(n) => {
            RgbaImage::from_raw(icon.width, icon.height, icon.rgba.clone()).map(|image| {
                match key.mode {
                    RenderMode::Tile(_) => fit(&image, room),
                    RenderMode::Plain(_) | RenderMode::Model { .. } => shrink(&image, n),
                }
            })
        }
    }
    .ok_or_else(|| {
        said!(
            "the icon's pixel data does not match its size",
            "아이콘의 픽셀이 크기와 맞지 않습니다"
        )
    })?;
    let (full_width, full_height) = match key.mode {
        RenderMode::Tile(_) => room,
        _ => (
            scaled.width().next_multiple_of(cell_width),
            scaled.height().next_multiple_of(cell_height),
        ),
    };
    let square = if cell_width == 1 { 2 } else { 8 };
    let mut out = RgbaImage::from_fn(full_width, full_height, |x, y| {
        let value = backdrop.brightness(x, y, square);
        image::Rgba([value, value, value, 255])
    });
    image::imageops::overlay(
        &mut out,
        &scaled,
        i64::from((full_width - scaled.width()) / 2),
        i64::from((full_height - scaled.height()) / 2),
    );
    Ok((out, scale))
}

/// Scales an image smoothly to fill a tile.
fn fit(image: &RgbaImage, (room_width, room_height): (u32, u32)) -> RgbaImage {
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    let (most_width, most_height) = (u64::from(room_width), u64::from(room_height));
    let (width, height) = if width * most_height > height * most_width {
        (most_width, (height * most_width / width).max(1))
    } else {
        ((width * most_height / height).max(1), most_height)
    };
    image::imageops::thumbnail(image, width as u32, height as u32)
}

/// Shrinks an image by keeping the middle pixel of every `n` by `n` block, which mixes no colors.
fn shrink(image: &RgbaImage, n: u32) -> RgbaImage {
    let middle = |at: u32, size: u32| (at * n + n / 2).min(size - 1);
    let (width, height) = image.dimensions();
    RgbaImage::from_fn(width.div_ceil(n), height.div_ceil(n), |x, y| {
        *image.get_pixel(middle(x, width), middle(y, height))
    })
}

/// Starts a thread that loads the newest list of requests in order.
pub fn spawn(
    graphics: Graphics,
    requests: crossbeam_channel::Receiver<Vec<PictureRequest>>,
    loaded: crossbeam_channel::Sender<LoadedPicture>,
    failed: impl FnOnce(Error) + Send + 'static,
) -> crate::error::Result<()> {
    let work = move || {
        let mut list: std::collections::VecDeque<PictureRequest> = Default::default();
        loop {
            let newer = if list.is_empty() {
                match requests.recv() {
                    Ok(newer) => Some(newer),
                    Err(_) => return,
                }
            } else {
                None
            };
            if let Some(newest) = requests.try_iter().last().or(newer) {
                list = newest.into();
            }
            if let Some(request) = list.pop_front()
                && loaded.send(load(&graphics, &request)).is_err()
            {
                return;
            }
        }
    };
    threads::spawn("tui-pictures", work, failed).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_image::picker::Picker;

    fn dot() -> Icon {
        // Two by two pixels: red and transparent, in a checkerboard.
        Icon {
            width: 2,
            height: 2,
            rgba: vec![255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 255],
        }
    }

    fn key(mode: RenderMode, width: u16, height: u16) -> PictureKey {
        PictureKey {
            group: GroupId(1),
            mode,
            width,
            height,
        }
    }

    #[test]
    fn icons_are_enlarged_by_a_whole_number_without_smoothing() {
        let cell = FontSize::new(8, 16);
        let white = BackdropChoice::Always(Backdrop::White);
        for (mode, size) in [
            (RenderMode::Plain(white), (48, 48)),
            (RenderMode::Tile(white), (64, 48)),
        ] {
            let (image, scale) = compose(&dot(), Backdrop::White, cell, key(mode, 8, 3)).unwrap();
            assert_eq!(scale.to_string(), "x24");
            assert_eq!(image.dimensions(), size);
            let colors: std::collections::HashSet<_> = image.pixels().map(|p| p.0).collect();
            assert_eq!(
                colors,
                [[255, 0, 0, 255], [255, 255, 255, 255]]
                    .into_iter()
                    .collect()
            );
        }
    }

    #[test]
    fn large_icons_are_shrunk_by_a_whole_number() {
        let large = icon::scale_nearest(&dot(), 50);
        let half_blocks = FontSize::new(1, 2);
        let mode = RenderMode::Plain(BackdropChoice::Contrast);
        let (image, scale) =
            compose(&large, Backdrop::Black, half_blocks, key(mode, 11, 6)).unwrap();
        assert_eq!(scale.to_string(), "1:10");
        assert_eq!(image.dimensions(), (10, 10));
        // No mixed colors at the borders of the large pixels.
        for (x, y, pixel) in image.enumerate_pixels() {
            let red = (x < 5) == (y < 5);
            assert_eq!(pixel.0, [if red { 255 } else { 0 }, 0, 0, 255]);
        }
        assert!(compose(&large, Backdrop::Black, half_blocks, key(mode, 0, 5)).is_err());
        // A tile is not bound to a whole number: it fills its area.
        let tile = key(RenderMode::Tile(BackdropChoice::Contrast), 12, 6);
        let (image, _) = compose(&large, Backdrop::Black, half_blocks, tile).unwrap();
        assert!(image.get_pixel(0, 0).0[0] > 0 && image.get_pixel(11, 11).0[0] > 0);
    }

    #[test]
    fn an_unreadable_icon_is_an_error() {
        let request = PictureRequest {
            key: key(RenderMode::Plain(BackdropChoice::Contrast), 10, 5),
            file: ImageLocation::File("no/such.png".into()),
            labeled: None,
        };
        assert!(
            load(&Graphics::new(Picker::halfblocks()), &request)
                .picture
                .is_err()
        );
    }
}
