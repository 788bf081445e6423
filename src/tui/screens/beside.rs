//! What stands beside the picture of a record, where there is room: the other icons of its drawing,
//! the one that a search finds instead, and the committed records about the icons most like it.

use super::View;
use crate::record::{GroupId, Neighbor};
use crate::tui::picture::PictureRequest;
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

/// Cells of a small picture.
const TILE: Size = Size::new(4, 2);
/// Cells of the picture of the icon that is found instead, where there is room to compare it.
const COMPARED: Size = Size::new(12, 6);
/// Lines that the size and the colors of an icon take.
const DESCRIBED: u16 = 9;

/// Where all of it is, under the text that describes the picture.
pub struct Beside {
    /// What is left for that text.
    pub text: Rect,
    /// A tile each, with a cell for a sign; a line for a title is above the first.
    siblings: Vec<Rect>,
    /// A picture of this size with its name and label; a line for a title is above it.
    confused: Option<(Rect, Size)>,
    /// A tile each, with its name and label; a line for a title is above the first.
    neighbors: Vec<Rect>,
}

impl Beside {
    pub fn new(text: Rect, session: &Session) -> Self {
        let confused = session.confused().is_some();
        let siblings = session.siblings().len();
        Self::split(text, siblings, confused, session.neighbors().len())
    }

    fn split(text: Rect, siblings: usize, confused: bool, neighbors: usize) -> Self {
        let height = TILE.height;
        let columns = text.width / (TILE.width + 2);
        let mut free = text.height.saturating_sub(DESCRIBED);
        let compared = match free > COMPARED.height && text.width > 2 * COMPARED.width {
            true => COMPARED,
            false => TILE,
        };
        let has_room = confused && free > compared.height;
        let of_confused = if has_room { 1 + compared.height } else { 0 };
        free -= of_confused;
        let mut lines_of = |wanted: usize| {
            let lines = (wanted as u16).min(free.saturating_sub(1) / height);
            let taken = if lines == 0 { 0 } else { 1 + lines * height };
            free -= taken;
            (lines, taken)
        };
        let rows = match columns {
            0 => 0,
            columns => siblings.div_ceil(usize::from(columns)),
        };
        let (sibling_lines, of_siblings) = lines_of(rows);
        let (neighbor_lines, of_neighbors) = lines_of(neighbors);
        let rest = text.height - of_confused - of_siblings - of_neighbors;
        let row = |from: u16, line: u16| Rect {
            y: text.y + from + 1 + line * height,
            height,
            ..text
        };
        let tiles = (0..sibling_lines).flat_map(|line| {
            (0..columns).map(move |column| Rect {
                x: text.x + column * (TILE.width + 2),
                width: TILE.width + 2,
                ..row(rest + of_confused, line)
            })
        });
        let below = rest + of_confused + of_siblings;
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

    /// The small pictures that are shown.
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

    /// The other icons of the drawing, each with the sign of its state: small pictures where the
    /// terminal shows any, else names.
    fn draw_siblings(&self, view: &View<'_>, buf: &mut Buffer) {
        let (Some(first), Some(last)) = (self.siblings.first(), self.siblings.last()) else {
            return;
        };
        let session = view.session;
        let theme = &session.theme;
        let width = self.text.width;
        let title = session.words.family_of(session.family().len());
        put(buf, first.x, first.y - 1, width, &title, theme.dim());
        let siblings = session.siblings();
        let members = siblings.iter().filter_map(|id| session.records.get(*id));
        if !session.pictures.draws_pixels() {
            for (y, member) in (first.y..last.bottom()).zip(members) {
                let state = theme.state(member.state);
                let x = put(buf, first.x, y, 2, sign(member.state), state) + 1;
                let left = self.text.right().saturating_sub(x);
                put(buf, x, y, left, &member.name, theme.text());
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

/// Other records, each with its picture of this size, name and label, under a title.
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
    fn the_description_comes_first_then_the_family_then_the_neighbors() {
        let text = Rect::new(50, 3, 30, 30);
        let all = Beside::split(text, 7, false, 6);
        assert_eq!(all.siblings.len(), 7);
        assert_eq!(all.siblings[4].y, all.siblings[5].y - 2);
        assert_eq!(all.neighbors.len(), 6);
        assert_eq!(all.neighbors[0].y, all.siblings[6].bottom() + 1);
        assert_eq!(all.neighbors[5].bottom(), text.bottom());
        let small = Beside::split(Rect { height: 14, ..text }, 7, false, 6);
        assert_eq!((small.siblings.len(), small.neighbors.len()), (7, 0));
        let with = Beside::split(text, 7, true, 6);
        let (confused, size) = with.confused.unwrap();
        assert_eq!((confused.height, size), (6, COMPARED));
        assert_eq!(confused.y, with.text.bottom() + 1);
        assert_eq!(with.siblings[0].y, confused.bottom() + 1);
        let low = Beside::split(Rect { height: 14, ..text }, 7, true, 6);
        assert_eq!(low.confused.unwrap().1, TILE);
        let none = Beside::split(Rect { height: 8, ..text }, 7, true, 6);
        assert_eq!(none.text.height, 8);
        assert!(none.siblings.is_empty() && none.neighbors.is_empty());
    }
}
