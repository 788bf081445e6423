//! Related records beside the picture of a record, where there is room: the other icons of its
//! family, the icon that a search finds instead, and committed records of the most similar icons.

use super::View;
use crate::record::{GroupId, Neighbor};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

/// Size of a small picture in cells.
const TILE: Size = Size::new(4, 2);
/// Size in cells of the icon that a search finds instead, where there is room to compare it.
const COMPARED: Size = Size::new(12, 6);
/// Lines for the size and the colors of an icon.
const DESCRIPTION_LINES: u16 = 9;

/// Layout of the related records under the text that describes the picture. Each list has a line
/// for its title above its first rectangle.
pub struct RelatedRecords {
    /// The room that is left for the text.
    pub text: Rect,
    /// Each has a tile and a cell for the sign of its state, or a name in each line.
    siblings: Vec<Rect>,
    /// A picture of this size with its name and label.
    confused: Option<(Rect, Size)>,
    /// Each has a tile with its name and label.
    neighbors: Vec<Rect>,
}

impl RelatedRecords {
    pub fn new(text: Rect, session: &Session) -> Self {
        let confused = session.confused().is_some();
        let siblings = session.siblings().len();
        let pixels = session.pictures.draws_pixels();
        Self::split(text, pixels, siblings, confused, session.neighbors().len())
    }

    fn split(text: Rect, pixels: bool, siblings: usize, confused: bool, neighbors: usize) -> Self {
        let height = TILE.height;
        // A row has pictures side by side, or a name in each of its lines.
        let columns = if pixels {
            text.width / (TILE.width + 2)
        } else {
            1
        };
        let in_row = if pixels { columns } else { height };
        let mut free = text.height.saturating_sub(DESCRIPTION_LINES);
        let compared = match free > COMPARED.height && text.width > 2 * COMPARED.width {
            true => COMPARED,
            false => TILE,
        };
        let has_room = confused && free > compared.height;
        let confused_height = if has_room { 1 + compared.height } else { 0 };
        free -= confused_height;
        let mut lines_for = |wanted: usize| {
            let lines = (wanted as u16).min(free.saturating_sub(1) / height);
            let taken = if lines == 0 { 0 } else { 1 + lines * height };
            free -= taken;
            (lines, taken)
        };
        let rows = match in_row {
            0 => 0,
            in_row => siblings.div_ceil(usize::from(in_row)),
        };
        let (sibling_lines, siblings_height) = lines_for(rows);
        let (neighbor_lines, neighbors_height) = lines_for(neighbors);
        let rest = text.height - confused_height - siblings_height - neighbors_height;
        let row = |from: u16, line: u16| Rect {
            y: text.y + from + 1 + line * height,
            height,
            ..text
        };
        let tiles = (0..sibling_lines).flat_map(|line| {
            (0..columns).map(move |column| Rect {
                x: text.x + column * (TILE.width + 2),
                width: TILE.width + 2,
                ..row(rest + confused_height, line)
            })
        });
        let below = rest + confused_height + siblings_height;
        Self {
            text: Rect {
                height: rest,
                ..text
            },
            siblings: tiles.take(siblings).collect(),
            confused: has_room.then(|| {
                let room = Rect {
                    height: compared.height,
                    ..row(rest, 0)
                };
                (room, compared)
            }),
            neighbors: (0..neighbor_lines).map(|line| row(below, line)).collect(),
        }
    }

    /// Requests the pictures of all related records that are shown.
    pub fn requests(&self, session: &Session) -> Vec<PictureRequest> {
        if !session.pictures.draws_pixels() {
            return Vec::new();
        }
        let siblings = session.siblings().into_iter().take(self.siblings.len());
        let neighbors = session.neighbors().into_iter().take(self.neighbors.len());
        let ids: Vec<GroupId> = siblings.chain(neighbors).collect();
        let mut requests = session.tiles_of(&ids, TILE);
        if let (Some(other), Some((_, size))) = (session.confused(), self.confused) {
            requests.extend(session.tiles_of(&[other], size));
        }
        requests
    }

    pub fn draw(&self, view: &View<'_>, buf: &mut Buffer) {
        self.draw_siblings(view, buf);
        let Some(detail) = view.session.detail() else {
            return;
        };
        let words = view.session.words;
        if let (Some((room, size)), Some(other)) = (self.confused, &detail.confused) {
            let others = std::slice::from_ref(other);
            draw_records(view, words.found_instead(), &[room], size, others, buf);
        }
        let (title, rooms) = (words.nearest_committed(), &self.neighbors);
        draw_records(view, title, rooms, TILE, &detail.neighbors, buf);
    }

    /// Draws the other icons of the family, each with the sign of its state: as small pictures
    /// where the terminal can show them, else as names.
    fn draw_siblings(&self, view: &View<'_>, buf: &mut Buffer) {
        let (Some(first), Some(last)) = (self.siblings.first(), self.siblings.last()) else {
            return;
        };
        let session = view.session;
        let theme = &session.theme;
        let width = self.text.width;
        let (family, siblings) = (session.family().len(), session.siblings());
        let room = match session.pictures.draws_pixels() {
            true => self.siblings.len(),
            false => usize::from(last.bottom() - first.y),
        };
        let shown = room.min(siblings.len());
        let title = match shown < family - 1 {
            true => session.words.family_first(family, shown),
            false => session.words.family_of(family),
        };
        put(buf, first.x, first.y - 1, width, &title, theme.dim());
        let members = siblings.iter().filter_map(|id| session.records.get(*id));
        if !session.pictures.draws_pixels() {
            for (y, member) in (first.y..last.bottom()).zip(members) {
                let state = theme.state(member.state);
                let x = put(buf, first.x, y, 2, sign(member.state), state) + 1;
                let left = self.text.right().saturating_sub(x);
                put(buf, x, y, left, member.title(), theme.text());
            }
            return;
        }
        for (room, member) in self.siblings.iter().zip(members) {
            tile(view, member.id, *room, TILE, buf);
            let x = room.x + TILE.width;
            let state = theme.state(member.state);
            put(buf, x, room.y, 1, sign(member.state), state);
        }
    }
}

/// Draws a title and records under it, each with its picture, name and label.
fn draw_records(
    view: &View<'_>,
    title: &str,
    rooms: &[Rect],
    size: Size,
    records: &[Neighbor],
    buf: &mut Buffer,
) {
    let Some(first) = rooms.first() else {
        return;
    };
    let theme = &view.session.theme;
    put(buf, first.x, first.y - 1, first.width, title, theme.dim());
    let indent = match view.session.pictures.draws_pixels() {
        true => size.width + 1,
        false => 0,
    };
    for (room, record) in rooms.iter().zip(records) {
        if indent > 0 {
            tile(view, record.group, *room, size, buf);
        }
        let (x, left) = (room.x + indent, room.width.saturating_sub(indent));
        put(buf, x, room.y, left, &record.item_name, theme.text());
        put(buf, x, room.y + 1, left, &record.label, theme.dim());
    }
}

fn tile(view: &View<'_>, id: GroupId, room: Rect, size: Size, buf: &mut Buffer) {
    let pictures = &view.session.pictures;
    if let Some(Ok(picture)) = pictures.get(&pictures.tile_key(id, size)) {
        let room = Rect::from((room.as_position(), size));
        pictures.draw(picture, room, view.boxes, &view.session.theme, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_gets_room_first_then_the_family_then_the_neighbors() {
        let text = Rect::new(50, 3, 30, 30);
        let all = RelatedRecords::split(text, true, 7, false, 6);
        assert_eq!(all.siblings.len(), 7);
        assert_eq!(all.siblings[4].y, all.siblings[5].y - 2);
        assert_eq!(all.neighbors.len(), 6);
        assert_eq!(all.neighbors[0].y, all.siblings[6].bottom() + 1);
        assert_eq!(all.neighbors[5].bottom(), text.bottom());
        let small = RelatedRecords::split(Rect { height: 14, ..text }, true, 7, false, 6);
        assert_eq!((small.siblings.len(), small.neighbors.len()), (7, 0));
        let with = RelatedRecords::split(text, true, 7, true, 6);
        let (confused, size) = with.confused.unwrap();
        assert_eq!((confused.height, size), (6, COMPARED));
        assert_eq!(confused.y, with.text.bottom() + 1);
        assert_eq!(with.siblings[0].y, confused.bottom() + 1);
        let low = RelatedRecords::split(Rect { height: 14, ..text }, true, 7, true, 6);
        assert_eq!(low.confused.unwrap().1, TILE);
        let none = RelatedRecords::split(Rect { height: 8, ..text }, true, 7, true, 6);
        assert_eq!(none.text.height, 8);
        assert!(none.siblings.is_empty() && none.neighbors.is_empty());
    }
}
