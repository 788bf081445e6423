//! Chinese-CLIP: CLIP's vision tower with BERT as the text tower.

mod text;

pub type ChineseClip = super::clip::Clip<text::TextConfig>;
