//! The picture pane, shared by every screen that shows one record: the icon, its size and its
//! colors with their names.

use super::View;
use super::related_records::RelatedRecords;
use crate::icon::Swatch;
use crate::record::{
    ColorHistogram, GroupDetail, Vocabulary, Word, nearest_color, to_oklab, to_rgb,
};
use crate::text::fit;
use crate::tui::picture::{BackdropChoice, PictureRequest, RenderMode, ScreenPicture, seen_in};
use crate::tui::session::Session;
use crate::tui::widgets::layout::{inner, split_right};
use crate::tui::widgets::{pane, paragraph, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Most colors named beside the icon, and the smallest share of one.
const MAX_COLORS: usize = 6;
const MIN_SHARE: f32 = 0.02;

/// The area of the pane.
#[derive(Debug, Clone, Copy)]
pub struct PicturePlace {
    pub area: Rect,
    pub borders: bool,
}

impl PicturePlace {
    fn picture_and_text(&self) -> (Rect, Rect) {
        picture_and_text(inner(self.area, self.borders))
    }
}

/// Requests the pictures of the current record, of the records that may follow it in the queue and
/// of the related records.
pub fn requests(session: &Session, place: Option<PicturePlace>) -> Vec<PictureRequest> {
    let Some(place) = place else {
        return Vec::new();
    };
    let (room, text) = place.picture_and_text();
    let request = |detail: &GroupDetail| {
        let key = session.pictures.key(detail, &session.settings.icon, room);
        PictureRequest::of(detail, key)
    };
    let ahead = session.queue.ahead(&session.records);
    let ids = session.current().into_iter().chain(ahead);
    let requests = ids.filter_map(|id| request(session.records.detail(id)?));
    let mut requests: Vec<PictureRequest> = requests.collect();
    requests.extend(RelatedRecords::new(text, session).requests(session));
    requests
}

/// Whether the picture of the current record is on screen or will never be.
pub fn is_settled(session: &Session, place: Option<PicturePlace>) -> bool {
    let Some(detail) = session.detail() else {
        return false;
    };
    match place {
        Some(place) => {
            let (room, _) = place.picture_and_text();
            let key = session.pictures.key(detail, &session.settings.icon, room);
            session.pictures.has_settled(&key, detail)
        }
        None => !session.pictures.can_show(detail),
    }
}

pub fn draw(view: &View<'_>, place: PicturePlace, zoomed: bool, buf: &mut Buffer) {
    let area = place.area;
    let session = view.session;
    let (theme, pictures, icon) = (&session.theme, &session.pictures, &session.settings.icon);
    let (room, text) = place.picture_and_text();
    let related = RelatedRecords::new(text, session);
    let text = related.text;
    let detail = session.detail();
    let loaded = detail.and_then(|detail| pictures.get(&pictures.key(detail, icon, room)));
    let words = session.words;
    let mut title = words.picture_title().to_owned();
    if let (Some(detail), Some(Ok(picture))) = (detail, loaded) {
        title.push_str(&format!(" {}", picture.scale));
        if picture.is_replaced {
            title.push_str(&format!(" ! {}", words.not_as_labeled()));
        }
        if pictures.is_model_view() {
            let view = match seen_in(detail) {
                Some(_) => words.as_model_saw(),
                None => words.as_model_would_see(),
            };
            title.push_str(&format!(" {view}"));
        }
    }
    if let Some(detail) = detail.filter(|_| zoomed) {
        title.push_str(&format!(": {}", detail.summary.title()));
    }
    let title = fit(&title, usize::from(area.width.saturating_sub(4)));
    pane(theme, area, place.borders, &title, zoomed, buf);
    related.draw(view, buf);
    let Some(detail) = detail else { return };
    if detail.item.file.is_none() {
        put(
            buf,
            room.x,
            room.y,
            room.width,
            words.no_picture_file(),
            theme.dim(),
        );
        return;
    }
    match loaded {
        Some(Ok(picture)) => {
            pictures.draw(picture, room, view.boxes, theme, buf);
            describe(
                session,
                detail,
                picture,
                pictures.mode(detail, icon),
                text,
                buf,
            );
        }
        Some(Err(why)) => {
            paragraph(
                &words.no_picture_because(words.said(why)),
                theme.bad(),
                room,
                buf,
            );
        }
        None => {
            put(buf, room.x, room.y, room.width, "...", theme.dim());
        }
    }
}

/// Draws the icon's size, its backdrop, its colors with their names, and the item's other names.
fn describe(
    session: &Session,
    detail: &GroupDetail,
    picture: &ScreenPicture,
    mode: RenderMode,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let words = session.words;
    let (width, height) = picture.pixels;
    let backdrop = match mode {
        RenderMode::Plain(choice) | RenderMode::Tile(choice) => {
            let name = picture.backdrop.name(words);
            match choice {
                BackdropChoice::Contrast => words.by_contrast(name),
                BackdropChoice::Always(_) => name.to_owned(),
            }
        }
        RenderMode::Model { upscale, .. } => words.upscale(upscale),
    };
    let mut row = 0;
    let mut line = |text: &str, style: Style, swatch: Option<[u8; 3]>| {
        if row < area.height {
            let y = area.y + row;
            let mut x = area.x;
            if let Some(color) = swatch.and_then(|rgb| theme.rgb(rgb)) {
                x = put(buf, x, y, area.width, "   ", Style::new().bg(color)) + 1;
            }
            put(buf, x, y, area.right().saturating_sub(x), text, style);
        }
        row += 1;
    };
    line(&format!("{width}x{height} px"), theme.dim(), None);
    line(&backdrop, theme.dim(), None);
    // The measured colors are those of the labeled picture.
    let measured = detail.colors.as_ref().filter(|_| !picture.is_replaced);
    for color in named_colors(session.vocabulary(), measured, &picture.swatches) {
        let name = color
            .word
            .map_or(words.unnamed(), |word| word.word.as_str());
        let korean = color.word.and_then(|word| word.ko.first());
        let korean = korean.map_or("", String::as_str);
        line(
            &format!("{:>3.0}% {name} {korean}", color.share * 100.0),
            theme.text(),
            Some(to_rgb(color.shade)),
        );
    }
    if !detail.other_names.is_empty() {
        line("", theme.dim(), None);
        line(words.also_named(), theme.dim(), None);
        for name in &detail.other_names {
            line(name, theme.text(), None);
        }
    }
}

/// A color of the icon with its share of the pixels.
struct NamedColor<'a> {
    word: Option<&'a Word>,
    share: f32,
    /// Its most frequent shade, in OKLab, and the share of that shade alone.
    shade: [f32; 3],
    shade_share: f32,
}

/// The colors of an icon, each name once, largest share first. The shares are the measured ones that
/// the rules use; if there are none, those of its swatches.
fn named_colors<'a>(
    vocabulary: &'a Vocabulary,
    measured: Option<&ColorHistogram>,
    swatches: &[Swatch],
) -> Vec<NamedColor<'a>> {
    let shades: Vec<([f32; 3], f32)> = match measured {
        Some(colors) => colors.bins.clone(),
        None => {
            let swatches = swatches.iter();
            let shade = |swatch: &Swatch| (to_oklab(swatch.rgb), swatch.share);
            swatches.map(shade).collect()
        }
    };
    let mut colors: Vec<NamedColor> = Vec::new();
    for (shade, share) in shades {
        let word = nearest_color(vocabulary, shade);
        let Some(color) = colors.iter_mut().find(|color| color.word == word) else {
            colors.push(NamedColor {
                word,
                share,
                shade,
                shade_share: share,
            });
            continue;
        };
        color.share += share;
        if share > color.shade_share {
            (color.shade, color.shade_share) = (shade, share);
        }
    }
    colors.retain(|color| color.share >= MIN_SHARE);
    colors.sort_by(|a, b| b.share.total_cmp(&a.share));
    colors.truncate(MAX_COLORS);
    colors
}

/// Splits the pane into the picture and the text beside it, or under it in a narrow or tall pane.
fn picture_and_text(inner: Rect) -> (Rect, Rect) {
    if inner.width >= 44 && inner.width > inner.height {
        let text = 24.max(inner.width / 3).min(34);
        let (image, mut text) = split_right(inner, text);
        text.x += 1;
        text.width = text.width.saturating_sub(1);
        (image, text)
    } else {
        let under = match inner.height {
            0..=7 => 0,
            8..=13 => 3,
            _ => 8,
        };
        (
            Rect {
                height: inner.height - under,
                ..inner
            },
            Rect {
                y: inner.bottom() - under,
                height: under,
                ..inner
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GroupId;
    use crate::tui::testing::Bench;

    /// The picture and the reason `main_color_missing` show the same shares.
    #[test]
    fn each_color_is_named_once_with_its_measured_share() {
        let mut bench = Bench::evening(120, 50);
        let detail = bench.world.get_mut(&GroupId(5)).unwrap();
        let colors = ColorHistogram {
            opaque: 100,
            bins: vec![
                (to_oklab([252, 252, 252]), 0.3),
                (to_oklab([27, 42, 92]), 0.4),
                (to_oklab([245, 245, 245]), 0.25),
                (to_oklab([24, 40, 90]), 0.05),
            ],
            ..ColorHistogram::default()
        };
        detail.colors = Some(colors.clone());
        let detail = detail.clone();
        let vocabulary = bench.session().vocabulary();
        let shown = named_colors(vocabulary, detail.colors.as_ref(), &[]);
        let shown: Vec<(&Word, f32)> = shown.iter().map(|c| (c.word.unwrap(), c.share)).collect();
        assert_eq!(shown, colors.measured(vocabulary));
        assert_eq!(shown.len(), 2);
        assert!(shown[0].1 > shown[1].1);
    }

    #[test]
    fn the_text_is_beside_the_picture_or_under_it_in_a_tall_pane() {
        let (picture, text) = picture_and_text(Rect::new(0, 0, 83, 23));
        assert_eq!((picture.height, text.height), (23, 23));
        let (picture, text) = picture_and_text(Rect::new(0, 0, 48, 56));
        assert_eq!((picture.width, text.width), (48, 48));
        assert_eq!(text.y, picture.bottom());
    }
}
