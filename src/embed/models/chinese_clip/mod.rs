//! Chinese-CLIP: the vision tower of CLIP beside a BERT that reads texts.

mod text;

pub type ChineseClip = super::clip::Clip<text::TextConfig>;
