//! The fixed codes: why a record is uncertain, and why an item has no record.

use super::Field;
use crate::text::said;
use crate::text::{Language, Phrase};
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
    /// Why a record is uncertain. [`Reason::source`] says what finds each.
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
        MainColorMissing = "main_color_missing",
        NothingVisible = "nothing_visible",
        NameMismatch = "name_mismatch",
        Repetition = "repetition",
        LabelTooLong = "label_too_long",
        LowConfidence = "low_confidence",
        Truncated = "truncated",
        QualityRetryFailed = "quality_retry_failed",
        UnreadLine = "unread_line",
        NotFound = "not_found",
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

/// What finds a reason, and so whether it can be found again after an edit or in an imported record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonSource {
    /// The model reports it in its answer.
    Model,
    /// The rules find it in the text, the item and the image.
    Rules,
    /// The rules find it in the model's confidence, which is not part of a record.
    Confidence,
    /// The attempt from which the text comes. It stays until an operator reviews the text.
    Attempt,
    /// The import of the record's line. It stays like that of an attempt.
    Import,
    /// The retriever, which searches for the image.
    Retriever,
}

impl Reason {
    pub fn source(self) -> ReasonSource {
        match self {
            Self::TooSmall | Self::AmbiguousIcon | Self::LowVisualSignal => ReasonSource::Model,
            Self::FewTags
            | Self::FewQueries
            | Self::LabelEqualsItemName
            | Self::ItemNameMissing
            | Self::AttributesMissing
            | Self::CommaList
            | Self::MixedScript
            | Self::DuplicateLabel
            | Self::ColorMismatch
            | Self::MainColorMissing
            | Self::NothingVisible
            | Self::NameMismatch
            | Self::Repetition
            | Self::LabelTooLong => ReasonSource::Rules,
            Self::LowConfidence => ReasonSource::Confidence,
            Self::Truncated | Self::QualityRetryFailed => ReasonSource::Attempt,
            Self::UnreadLine => ReasonSource::Import,
            Self::NotFound => ReasonSource::Retriever,
        }
    }

    /// The field that the reason concerns; `None` for the record as a whole.
    pub fn field(self) -> Option<Field> {
        match self {
            Self::LabelEqualsItemName
            | Self::ItemNameMissing
            | Self::CommaList
            | Self::DuplicateLabel
            | Self::NothingVisible
            | Self::NameMismatch
            | Self::LabelTooLong
            | Self::NotFound => Some(Field::LabelKo),
            Self::FewTags => Some(Field::TagsKo),
            Self::ColorMismatch | Self::MainColorMissing => Some(Field::Colors),
            // The last of the attributes.
            Self::AttributesMissing => Some(Field::ItemTypeGuess),
            Self::FewQueries => Some(Field::QueryVariantsKo),
            Self::TooSmall
            | Self::AmbiguousIcon
            | Self::LowVisualSignal
            | Self::MixedScript
            | Self::Repetition
            | Self::LowConfidence
            | Self::Truncated
            | Self::QualityRetryFailed
            | Self::UnreadLine => None,
        }
    }

    /// Describes the problem for display, with the words that caused it (see [`super::about`]).
    pub fn describe(self, about: &[String], language: Language) -> String {
        const MAX: usize = 6;
        let found = self.texts().found.of(language);
        let mut words = about
            .iter()
            .take(MAX)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if about.len() > MAX {
            words.push_str(", ...");
        }
        match (self, about.len()) {
            (_, 0) => found.to_owned(),
            (Self::ColorMismatch, many) => {
                let are = if many == 1 { "is" } else { "are" };
                let said = said!(
                    "{words} {are} not in the picture",
                    "{words}{은} 그림에 없습니다"
                );
                said.of(language).to_owned()
            }
            (Self::NotFound, 2..) => {
                let (place, other) = (&about[0], &about[1]);
                let said = said!(
                    "a search finds {other} first; this icon ranks {place}",
                    "검색하면 {other}{이} 먼저 나옵니다. 이 아이콘은 {place}번째입니다"
                );
                said.of(language).to_owned()
            }
            _ => format!("{found}: {words}"),
        }
    }

    /// Display texts: Korean name, problem and remedy.
    pub fn texts(self) -> ReasonTexts {
        let texts = |korean_name, found, todo| ReasonTexts {
            korean_name,
            found,
            todo,
        };
        match self {
            Self::TooSmall => texts(
                "너무 작음",
                Phrase::new(
                    "the model finds the icon too small to recognize",
                    "모델이 보기에 아이콘이 너무 작습니다",
                ),
                Phrase::new(
                    "look at the large preview; retry with a larger upscale",
                    "크게 보고, 확대 배율을 높여 다시 물으세요",
                ),
            ),
            Self::AmbiguousIcon => texts(
                "모호함",
                Phrase::new(
                    "the model sees more than one thing that the icon could be",
                    "모델이 보기에 여러 가지로 볼 수 있는 그림입니다",
                ),
                Phrase::new(
                    "check the item type; retry with a hint about what it is",
                    "종류를 확인하고, 무엇인지 힌트를 주어 다시 물으세요",
                ),
            ),
            Self::LowVisualSignal => texts(
                "단서 부족",
                Phrase::new(
                    "the model finds too little visual detail in the icon",
                    "모델이 보기에 아이콘에서 알아볼 것이 거의 없습니다",
                ),
                Phrase::new(
                    "retry on another background, or describe what is visible",
                    "다른 배경으로 다시 묻거나, 보이는 것을 직접 쓰세요",
                ),
            ),
            Self::FewTags => texts(
                "태그 부족",
                Phrase::new("fewer than 5 tags", "태그가 5개보다 적습니다"),
                Phrase::new("add tags", "태그를 추가하세요"),
            ),
            Self::FewQueries => texts(
                "검색어 부족",
                Phrase::new("fewer than 3 search queries", "검색어가 3개보다 적습니다"),
                Phrase::new("add queries", "검색어를 추가하세요"),
            ),
            Self::LabelEqualsItemName => texts(
                "이름뿐인 라벨",
                Phrase::new(
                    "the label is only the item's name",
                    "라벨이 아이템 이름 그대로입니다",
                ),
                Phrase::new(
                    "describe at least two visible things",
                    "눈에 보이는 것을 두 가지 이상 쓰세요",
                ),
            ),
            Self::ItemNameMissing => texts(
                "이름 없음",
                Phrase::new(
                    "the label does not contain the item's exact name",
                    "라벨에 아이템 이름이 그대로 들어 있지 않습니다",
                ),
                Phrase::new("put the name into the label", "라벨에 이름을 넣으세요"),
            ),
            Self::AttributesMissing => texts(
                "속성 없음",
                Phrase::new(
                    "no color, no item type, or none of theme, material and vibe",
                    "색이나 종류가 없거나, 테마·재질·분위기가 모두 비어 있습니다",
                ),
                Phrase::new("fill the empty attributes", "빈 속성을 채우세요"),
            ),
            Self::CommaList => texts(
                "쉼표 나열",
                Phrase::new(
                    "the label is a comma-separated list of keywords",
                    "라벨이 쉼표로 나열한 단어들입니다",
                ),
                Phrase::new(
                    "write one natural sentence",
                    "자연스러운 한 문장으로 쓰세요",
                ),
            ),
            Self::MixedScript => texts(
                "다른 문자",
                Phrase::new(
                    "a word is in the wrong language or script for its field",
                    "이 칸에 맞지 않는 언어나 문자로 쓴 단어가 있습니다",
                ),
                Phrase::new("write the word in Korean", "그 단어를 한국어로 쓰세요"),
            ),
            Self::DuplicateLabel => texts(
                "중복 라벨",
                Phrase::new(
                    "another image has the same label",
                    "라벨이 똑같은 다른 그림이 있습니다",
                ),
                Phrase::new(
                    "describe what sets this one apart",
                    "이 그림만의 특징을 쓰세요",
                ),
            ),
            Self::ColorMismatch => texts(
                "색 불일치",
                Phrase::new(
                    "the record names a color that the opaque pixels do not show",
                    "그림에 보이지 않는 색을 썼습니다",
                ),
                Phrase::new(
                    "compare with the palette; remove or change the color",
                    "팔레트와 견주어 색을 지우거나 바꾸세요",
                ),
            ),
            Self::MainColorMissing => texts(
                "주된 색 없음",
                Phrase::new(
                    "most of the icon has a color that the record does not name",
                    "아이콘의 대부분을 차지하는 색을 쓰지 않았습니다",
                ),
                Phrase::new(
                    "compare with the palette; name the main color",
                    "팔레트와 견주어 주된 색을 쓰세요",
                ),
            ),
            Self::NothingVisible => texts(
                "묘사 없음",
                Phrase::new(
                    "the label describes nothing visible besides the name and the type",
                    "라벨에 이름과 종류 말고는 눈에 보이는 것이 없습니다",
                ),
                Phrase::new(
                    "describe colors, parts or material",
                    "색, 부분, 재질을 묘사하세요",
                ),
            ),
            Self::NameMismatch => texts(
                "이름 불일치",
                Phrase::new(
                    "the text was written for another name of the item",
                    "아이템의 다른 이름으로 쓴 글입니다",
                ),
                Phrase::new(
                    "update the name, or edit the label",
                    "이름을 갱신하거나 라벨을 편집하세요",
                ),
            ),
            Self::Repetition => texts(
                "반복",
                Phrase::new(
                    "a word of the label, a value or a query is repeated",
                    "라벨의 단어나 값, 검색어가 되풀이됩니다",
                ),
                Phrase::new("remove the repetition", "두 번 쓴 것을 빼세요"),
            ),
            Self::LabelTooLong => texts(
                "너무 긴 라벨",
                Phrase::new(
                    "the label is estimated at over 64 tokens of a CLIP-like text encoder",
                    "라벨이 CLIP류 텍스트 인코더로 64토큰을 넘을 것으로 보입니다",
                ),
                Phrase::new("shorten the label", "라벨을 줄이세요"),
            ),
            Self::LowConfidence => texts(
                "낮은 확신",
                Phrase::new(
                    "the model is uncertain about a field",
                    "모델이 확신하지 못하는 칸이 있습니다",
                ),
                Phrase::new("check the marked words", "표시된 단어를 확인하세요"),
            ),
            Self::Truncated => texts(
                "잘린 답변",
                Phrase::new(
                    "the answer reached the token limit and was cut off",
                    "답변이 토큰 한도에 걸려 잘렸습니다",
                ),
                Phrase::new(
                    "retry with a larger --max-new-tokens, or fill what is missing",
                    "--max-new-tokens를 늘려 다시 묻거나, 빠진 것을 채우세요",
                ),
            ),
            Self::QualityRetryFailed => texts(
                "재시도 실패",
                Phrase::new(
                    "a second, stricter attempt was no better",
                    "더 엄격하게 다시 물었지만 나아지지 않았습니다",
                ),
                Phrase::new(
                    "compare the attempts, then edit by hand",
                    "답변을 비교해 직접 편집하세요",
                ),
            ),
            Self::UnreadLine => texts(
                "읽지 못한 줄",
                Phrase::new(
                    "the line of an earlier labels.jsonl cannot be read; labels_unread.jsonl holds it",
                    "이전 labels.jsonl의 줄을 읽을 수 없어 labels_unread.jsonl에 두었습니다",
                ),
                Phrase::new(
                    "check it there, then retry, or write the record by hand and commit it",
                    "거기서 확인한 뒤, 다시 묻거나 직접 써서 확정하세요",
                ),
            ),
            Self::NotFound => texts(
                "검색되지 않음",
                Phrase::new(
                    "a search by the label does not find the icon",
                    "라벨로 검색해도 이 아이콘이 나오지 않습니다",
                ),
                Phrase::new(
                    "describe what sets it apart from the icon found instead, then measure again",
                    "대신 나오는 아이콘과 다른 점을 쓰고 다시 측정하세요",
                ),
            ),
        }
    }

    /// Short display name.
    pub fn name(self, language: Language) -> String {
        match language {
            Language::English => self.code().replace('_', " "),
            Language::Korean => self.texts().korean_name.to_owned(),
        }
    }
}

/// Display texts of a reason. Its English name is its code.
#[derive(Debug, Clone, Copy)]
pub struct ReasonTexts {
    korean_name: &'static str,
    /// The problem.
    pub found: Phrase,
    /// The remedy.
    pub todo: Phrase,
}

impl FailureCode {
    /// Display name; the code in English.
    pub fn name(self, language: Language) -> &'static str {
        match (language, self) {
            (Language::English, code) => code.code(),
            (Language::Korean, Self::MissingImage) => "그림 파일 없음",
            (Language::Korean, Self::ImageLoadFailed) => "그림을 열 수 없음",
            (Language::Korean, Self::InvalidJson) => "답변 형식 오류",
            (Language::Korean, Self::ModelError) => "모델 오류",
        }
    }
}
