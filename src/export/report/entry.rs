//! The data of one image in the report.

use crate::icon;
use crate::record::{Field, GroupState, GroupSummary, ImageLocation, Item, Labels, Reason};
use crate::source::image_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::collections::HashSet;

/// Larger image files are replaced with a thumbnail.
const MAX_ICON_BYTES: usize = 48 << 10;
/// Longest side of a thumbnail.
const THUMBNAIL_SIDE: u32 = 160;

#[derive(Debug, Serialize)]
pub struct ReportEntry {
    name: String,
    path: String,
    part: Option<String>,
    state: usize,
    uncertainty: f32,
    reasons: Vec<usize>,
    /// Values of each field, in the order of [`Field::ALL`].
    values: Vec<Vec<String>>,
    /// Values of the first version, if they differ.
    before: Option<Vec<Vec<String>>>,
    /// `None` also for a family with a single image.
    family: Option<i64>,
    note: Option<String>,
    failure: Option<String>,
    /// Path of the image that a search by the label finds instead.
    #[serde(rename = "instead")]
    confused: Option<String>,
    /// Media type, and bytes in base64.
    icon: Option<(&'static str, String)>,
}

impl ReportEntry {
    /// `first` is the first version of the text, `failure` why there is no text. `families` are the
    /// families of more than one image.
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
        let index = |state: GroupState| GroupState::ALL.iter().position(|of| *of == state);
        let code = |reason: &Reason| Reason::ALL.iter().position(|of| of == reason);
        Self {
            name: item.item_name.clone(),
            path: summary.image_path.clone(),
            part: summary.part.clone(),
            state: index(summary.state).unwrap_or_default(),
            uncertainty: (summary.uncertainty * 1000.0).round() / 1000.0,
            reasons: summary.reasons.iter().filter_map(code).collect(),
            values: values(now),
            before: before.as_ref().map(values),
            family: family.filter(|family| families.contains(family)),
            note: summary.note.clone(),
            failure,
            confused: None,
            icon: item.file.as_ref().and_then(icon_of),
        }
    }

    pub fn with_confused(self, confused: Option<String>) -> Self {
        Self { confused, ..self }
    }

    pub fn has_icon(&self) -> bool {
        self.icon.is_some()
    }
}

fn values(labels: &Labels) -> Vec<Vec<String>> {
    let fields = Field::ALL.iter();
    fields.map(|field| labels.values(*field).to_vec()).collect()
}

/// Returns the media type and the base64 of an image, or of a thumbnail if the file is large.
/// `None` if it cannot be read.
fn icon_of(image: &ImageLocation) -> Option<(&'static str, String)> {
    let bytes = image_bytes(image).ok()?;
    if bytes.len() <= MAX_ICON_BYTES {
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
    let side = |side: u32| (side * THUMBNAIL_SIDE / longest).max(1);
    let small = match longest > THUMBNAIL_SIDE {
        true => icon::resize_bicubic(&picture, side(picture.width), side(picture.height)),
        false => picture,
    };
    Some(("image/png", STANDARD.encode(icon::to_png(&small).ok()?)))
}
