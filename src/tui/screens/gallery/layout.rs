//! Layout of the gallery for any size, with or without a dialog. Drawing and input read the same
//! rectangles.

use ratatui::layout::{Position, Rect, Size};

/// Least height of a dialog below the tiles, in lines.
const MIN_DIALOG_HEIGHT: u16 = 12;
/// Height that is enough for every dialog, in lines.
const MAX_DIALOG_HEIGHT: u16 = 25;

/// The gallery: a line with title and filter, the tiles, and the record under the cursor below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileGrid {
    pub title: Rect,
    pub filter: Rect,
    pub tiles: Rect,
    /// Has no height where there is no room.
    pub record: Rect,
    /// The area of a dialog, in place of the record and the lower tiles. Everything where the
    /// screen has no room for tiles above a dialog.
    pub dialog: Rect,
    pub columns: usize,
    pub lines: usize,
    /// Size of a tile in cells: the picture and a line for its name.
    pub tile: Size,
}

impl TileGrid {
    /// The rectangle of the tile in a slot of the screen.
    pub fn tile_at(&self, slot: usize) -> Rect {
        let (column, line) = (slot % self.columns, slot / self.columns);
        Rect {
            x: self.tiles.x + column as u16 * self.tile.width,
            y: self.tiles.y + line as u16 * self.tile.height,
            width: self.tile.width,
            height: self.tile.height,
        }
    }

    /// The size of a tile's picture.
    pub fn picture(&self) -> Size {
        Size::new(
            self.tile.width.saturating_sub(2),
            self.tile.height.saturating_sub(1),
        )
    }

    pub fn slot_at(&self, at: Position) -> Option<usize> {
        let column = usize::from(at.x.checked_sub(self.tiles.x)? / self.tile.width);
        let line = usize::from(at.y.checked_sub(self.tiles.y)? / self.tile.height);
        (column < self.columns && line < self.lines).then_some(line * self.columns + column)
    }
}

pub fn grid(body: Rect, fine: bool, has_dialog: bool) -> TileGrid {
    let title_width = (body.width / 2).min(36);
    let title = Rect {
        width: title_width,
        height: 1,
        ..body
    };
    let filter = Rect {
        x: body.x + title_width,
        width: body.width - title_width,
        height: 1,
        ..body
    };
    // Below the title and a line of the smaller tiles.
    let record_height = if body.height >= 9 { 3 } else { 0 };
    let mut tiles = Rect {
        y: body.y + 1,
        height: body.height.saturating_sub(1 + record_height),
        ..body
    };
    let mut record = Rect {
        y: tiles.bottom(),
        height: record_height,
        ..body
    };
    // Fits an icon of 32 pixels at its own size. Half blocks are coarser and need more cells.
    let (width, height) = if fine { (16, 6) } else { (20, 9) };
    let (width, height) = if tiles.width >= 60 && tiles.height >= height {
        (width, height)
    } else {
        (13, 5)
    };
    // The upper half, but at least a line of tiles, stays beside a dialog.
    let room = (body.height / 2).max(body.height.saturating_sub(MAX_DIALOG_HEIGHT));
    let upper = (room.saturating_sub(1) / height).max(1) * height;
    let y = tiles.y + upper;
    let mut dialog = Rect {
        y,
        height: body.bottom().saturating_sub(y),
        ..body
    };
    if dialog.height < MIN_DIALOG_HEIGHT {
        dialog = body;
    } else if has_dialog {
        tiles.height = upper;
        record.height = 0;
    }
    TileGrid {
        title,
        filter,
        tiles,
        record,
        dialog,
        columns: usize::from((tiles.width / width).max(1)),
        lines: usize::from((tiles.height / height).max(1)),
        tile: Size::new(width, height.min(tiles.height)),
    }
}
