//! The fixed codes: why a record is uncertain, and why an item has no record.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $code)] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code),+ }
            }

            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    /// Why a record is uncertain. The first three are said by the model, the others found by rules.
    Reason {
        TooSmall = "too_small",
        AmbiguousIcon = "ambiguous_icon",
        LowVisualSignal = "low_visual_signal",
        FewTags = "few_tags",
        FewQueries = "few_queries",
        LabelEqualsItemName = "label_equals_item_name",
        ItemNameMissing = "item_name_missing",
        AttributesMissing = "attributes_missing",
        CommaList = "comma_list",
        MixedScript = "mixed_script",
        DuplicateLabel = "duplicate_label",
        ColorMismatch = "color_mismatch",
        LabelTooLong = "label_too_long",
        LowConfidence = "low_confidence",
        Truncated = "truncated",
        QualityRetryFailed = "quality_retry_failed",
    }
}

codes! {
    /// Why an item has no record.
    FailureCode {
        MissingImage = "missing_image",
        ImageLoadFailed = "image_load_failed",
        InvalidJson = "invalid_json",
        ModelError = "model_error",
    }
}

impl Reason {
    /// Whether the model says this one of an icon; the rules find all others.
    pub fn said_by_model(self) -> bool {
        matches!(
            self,
            Self::TooSmall | Self::AmbiguousIcon | Self::LowVisualSignal
        )
    }
}
