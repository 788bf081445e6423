//! Icons on the screen: loaded pictures, pending requests, drawing.

mod backdrop;
mod graphics;
mod loader;

pub use backdrop::BackdropChoice;
pub use graphics::Graphics;
pub use loader::{LoadedPicture, PictureKey, PictureRequest, RenderMode, ScreenPicture, spawn};

#[cfg(test)]
pub use loader::load;

use super::theme::Theme;
use super::widgets::layout::centered;
use crate::icon::IconOptions;
use crate::record::{Attempt, GroupDetail, GroupId};
use crate::text::Said;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::widgets::Widget as _;
use ratatui_image::Image;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most pictures kept in memory. Beyond it, pictures that are not requested are dropped.
const MAX_PICTURES: usize = 400;

/// The attempt behind the draft, else the last one, if a model saw the icon in it. An imported
/// record has none.
pub fn seen_in(detail: &GroupDetail) -> Option<&Attempt> {
    let attempt = match detail.draft_attempt() {
        Some(at) => detail.attempts.get(at),
        None => detail.attempts.last(),
    };
    attempt.filter(|attempt| attempt.settings.with_image)
}

#[derive(Default)]
pub struct Pictures {
    loaded: HashMap<PictureKey, Result<Arc<ScreenPicture>, Said>>,
    requested: Vec<PictureRequest>,
    /// The groups whose picture was found to be another one than the labeled one.
    replaced: HashSet<GroupId>,
    /// Whether the terminal draws real pixels.
    draws_pixels: bool,
    backdrop: BackdropChoice,
    /// Set by `--pictures none`.
    off: bool,
    /// Whether pictures are shown as the model received them.
    model_view: bool,
}

impl Pictures {
    pub fn draws_pixels(&self) -> bool {
        self.draws_pixels
    }

    pub fn set_draws_pixels(&mut self, draws_pixels: bool) {
        self.draws_pixels = draws_pixels;
        self.clear();
    }

    pub fn are_off(&self) -> bool {
        self.off
    }

    pub fn turn_off(&mut self) {
        self.off = true;
    }

    /// Drops all pictures after a change of the terminal or its size.
    pub fn clear(&mut self) {
        self.loaded.clear();
        self.requested.clear();
    }

    /// Takes a loaded picture. Returns whether it is the first one of its group that is not the
    /// labeled picture.
    pub fn insert(&mut self, picture: LoadedPicture) -> bool {
        let LoadedPicture { key, picture } = picture;
        let is_replaced = matches!(&picture, Ok(picture) if picture.is_replaced);
        self.loaded.insert(key, picture);
        is_replaced && self.replaced.insert(key.group)
    }

    pub fn get(&self, key: &PictureKey) -> Option<&Result<Arc<ScreenPicture>, Said>> {
        self.loaded.get(key)
    }

    /// Whether a record has a picture that can be shown.
    pub fn can_show(&self, detail: &GroupDetail) -> bool {
        !self.off && detail.item.file.is_some()
    }

    /// Whether a record's picture has been loaded or failed to load, or will never be.
    pub fn has_settled(&self, key: &PictureKey, detail: &GroupDetail) -> bool {
        !self.can_show(detail) || self.loaded.contains_key(key)
    }

    /// Whether a requested picture is still missing.
    pub fn are_loading(&self) -> bool {
        let is_loaded = |request: &PictureRequest| self.loaded.contains_key(&request.key);
        !self.requested.iter().all(is_loaded)
    }

    pub fn is_model_view(&self) -> bool {
        self.model_view
    }

    pub fn toggle_model_view(&mut self) {
        self.model_view = !self.model_view;
    }

    /// Switches to the next backdrop, and to the plain view.
    pub fn next_backdrop(&mut self) -> BackdropChoice {
        self.backdrop = self.backdrop.next();
        self.model_view = false;
        self.backdrop
    }

    /// How a record's icon is drawn: plain or, in the model view, with the settings of the attempt
    /// in which a model saw it, else of the run.
    pub fn mode(&self, detail: &GroupDetail, run: &IconOptions) -> RenderMode {
        if !self.model_view {
            return RenderMode::Plain(self.backdrop);
        }
        let seen = seen_in(detail).map(|attempt| &attempt.settings);
        let (upscale, background) = seen.map_or((run.upscale, run.background), |seen| {
            (seen.upscale, seen.background)
        });
        RenderMode::Model {
            upscale,
            background,
        }
    }

    pub fn key(&self, detail: &GroupDetail, run: &IconOptions, room: Rect) -> PictureKey {
        PictureKey {
            group: detail.summary.id,
            mode: self.mode(detail, run),
            width: room.width,
            height: room.height,
        }
    }

    /// Key of the plain icon of a group.
    pub fn plain_key(&self, group: GroupId, room: Rect) -> PictureKey {
        PictureKey {
            group,
            mode: RenderMode::Plain(self.backdrop),
            width: room.width,
            height: room.height,
        }
    }

    pub fn tile_key(&self, group: GroupId, room: Size) -> PictureKey {
        PictureKey {
            group,
            mode: RenderMode::Tile(self.backdrop),
            width: room.width,
            height: room.height,
        }
    }

    /// The wanted pictures that are not loaded; `None` if they are the same as at the last request.
    pub fn missing(&mut self, wanted: Vec<PictureRequest>) -> Option<Vec<PictureRequest>> {
        if self.off {
            return None;
        }
        let mut missing = wanted;
        missing.retain(|request| !self.loaded.contains_key(&request.key));
        if self.loaded.len() > MAX_PICTURES {
            let keep: HashSet<_> = self.requested.iter().map(|request| request.key).collect();
            self.loaded.retain(|key, _| keep.contains(key));
        }
        if missing == self.requested {
            return None;
        }
        self.requested.clone_from(&missing);
        (!missing.is_empty()).then_some(missing)
    }

    /// Draws an icon in the center of an area. A terminal redraws all pixels of a picture when its
    /// first cell changes, so a picture partly under a box would cover the box or keep a piece of
    /// it. Such a picture is left out until the box closes.
    pub fn draw(
        &self,
        picture: &ScreenPicture,
        room: Rect,
        boxes: &[Rect],
        theme: &Theme,
        buf: &mut Buffer,
    ) {
        let size = picture.protocol.size();
        let place = centered(room, size.width, size.height);
        if !(self.draws_pixels && boxes.iter().any(|area| area.intersects(place))) {
            Image::new(&picture.protocol).render(place, buf);
        }
        if !self.draws_pixels {
            for at in place.intersection(buf.area).positions() {
                theme.draw_pixels(&mut buf[at]);
            }
        }
    }
}
