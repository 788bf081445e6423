//! One image of the report.

use crate::icon;
use crate::record::{Field, GroupState, GroupSummary, ImageLocation, Item, Labels, Reason};
use crate::source::image_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::collections::HashSet;

/// Larger files are shown as a small copy.
const LARGE: usize = 48 << 10;
/// The longest side of such a copy.
const SMALL: u32 = 160;

#[derive(Debug, Serialize)]
pub struct Entry {
    name: String,
    path: String,
    part: Option<String>,
    state: usize,
    uncertainty: f32,
    reasons: Vec<usize>,
    /// By field, in the order of the table.
    values: Vec<Vec<String>>,
    /// The first text, where the present one is another.
    before: Option<Vec<Vec<String>>>,
    /// `None` also where it has no other image.
    family: Option<i64>,
    note: Option<String>,
    failure: Option<String>,
    /// The path of the image that a search by the label finds instead.
    instead: Option<String>,
    /// Its kind, and its bytes in base64.
    icon: Option<(&'static str, String)>,
}

impl Entry {
    /// `families` are those of more than one image.
    /// `first` is the first text that it had, `failure` why it has none.
    pub fn of(
        summary: &GroupSummary,
        item: &Item,
        first: Option<Labels>,
        failure: Option<String>,
        families: &HashSet<i64>,
    ) -> Self {
        let now = &summary.labels;
        let has_text = !now.label_ko().is_empty();
        let before = first.filter(|first| has_text && first != now);
        let family = summary.family.map(|family| family.0);
        let place = |state: GroupState| GroupState::ALL.iter().position(|of| *of == state);
        let number = |reason: &Reason| Reason::ALL.iter().position(|of| of == reason);
        Self {
            name: item.item_name.clone(),
            path: summary.image_path.clone(),
            part: summary.part.clone(),
            state: place(summary.state).unwrap_or_default(),
            uncertainty: (summary.uncertainty * 1000.0).round() / 1000.0,
            reasons: summary.reasons.iter().filter_map(number).collect(),
            values: values(now),
            before: before.as_ref().map(values),
            family: family.filter(|family| families.contains(family)),
            note: summary.note.clone(),
            failure,
            instead: None,
            icon: item.file.as_ref().and_then(icon_of),
        }
    }

    pub fn with_instead(self, instead: Option<String>) -> Self {
        Self { instead, ..self }
    }

    pub fn has_icon(&self) -> bool {
        self.icon.is_some()
    }
}

fn values(labels: &Labels) -> Vec<Vec<String>> {
    let fields = Field::ALL.iter();
    fields.map(|field| labels.values(*field).to_vec()).collect()
}

/// The image as its file is; a large one smaller. `None` where it cannot be read.
fn icon_of(image: &ImageLocation) -> Option<(&'static str, String)> {
    let bytes = image_bytes(image).ok()?;
    if bytes.len() <= LARGE {
        let kind = match icon::extension(&bytes)? {
            "jpg" => "image/jpeg",
            "gif" => "image/gif",
            "webp" => "image/webp",
            "bmp" => "image/bmp",
            _ => "image/png",
        };
        return Some((kind, STANDARD.encode(&bytes)));
    }
    let picture = icon::picture(&icon::decode(&bytes).ok()?, 1, Default::default());
    let longest = picture.width.max(picture.height);
    let side = |side: u32| (side * SMALL / longest).max(1);
    let small = match longest > SMALL {
        true => icon::resize_bicubic(&picture, side(picture.width), side(picture.height)),
        false => picture,
    };
    Some(("image/png", STANDARD.encode(icon::to_png(&small).ok()?)))
}
