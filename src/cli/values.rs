//! Parsers of option values, and arguments that several commands share.

use crate::error::{self, Error};
use crate::prompt::Lang;
use crate::record::{Background, SourceType};
use crate::source::{EquipmentName, NameSource, OnlySource};
use crate::text::Language;
use crate::tui::PictureChoice;
use crate::vlm::{DeviceChoice, Precision, Quantize};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use std::ffi::OsStr;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Name prefix of the environment variables of options.
pub const PREFIX: &str = "LABELER_";

/// The environment variable of an option.
pub fn variable(id: &str) -> String {
    format!("{PREFIX}{}", id.to_uppercase())
}

/// Says that an option comes from its environment variable.
pub fn set_by(id: &str) -> String {
    format!("it is set by {} in the environment", variable(id))
}

#[derive(Debug, Args)]
pub struct OutdirArgs {
    /// The folder with the labels and the journal
    #[arg(long, value_name = "DIR", env = "LABELER_OUTDIR")]
    pub outdir: PathBuf,
}

#[derive(Debug, Args)]
pub struct VocabularyArgs {
    /// A vocabulary file instead of the built-in one
    #[arg(long, value_name = "FILE", env = "LABELER_VOCABULARY")]
    pub vocabulary: Option<PathBuf>,
}

pub fn boolish() -> clap::builder::BoolishValueParser {
    clap::builder::BoolishValueParser::new()
}

/// Parses the number of a random seed.
pub fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// Parses a number from 0 to 8, of things that each cost time or a part of the prompt.
pub fn parse_few(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number <= 8);
    number.ok_or_else(|| "expected a whole number from 0 to 8".to_owned())
}

/// Parses a whole number from 1 to `max`.
pub fn whole<N>(max: Option<N>) -> impl TypedValueParser<Value = N>
where
    N: FromStr + PartialOrd + From<u8> + Display + Copy + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse().ok().filter(|n: &N| *n >= N::from(1));
        number
            .filter(|n| max.is_none_or(|max| *n <= max))
            .ok_or_else(|| match max {
                Some(max) => format!("expected a whole number from 1 to {max}"),
                None => "expected a whole number of 1 or more".to_owned(),
            })
    }
}

/// Parses a word from a closed list into its value, ignoring case.
#[derive(Debug, Clone)]
pub struct NamedValues<T: 'static> {
    table: &'static [(&'static str, T)],
    /// Words of other programs, each with the word of the table that it means.
    aliases: &'static [(&'static str, &'static str)],
}

impl<T> NamedValues<T> {
    fn with_aliases(self, aliases: &'static [(&'static str, &'static str)]) -> Self {
        Self { aliases, ..self }
    }
}

pub fn named_values<T>(table: &'static [(&'static str, T)]) -> NamedValues<T> {
    NamedValues {
        table,
        aliases: &[],
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for NamedValues<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let given = value.to_string_lossy().to_ascii_lowercase();
        let alias = self.aliases.iter().find(|(alias, _)| *alias == given);
        let given = alias.map_or(given.as_str(), |(_, word)| word);
        if let Some((_, value)) = self.table.iter().find(|(word, _)| *word == given) {
            return Ok(value.clone());
        }
        let words = PossibleValuesParser::new(self.table.iter().map(|(word, _)| *word));
        let refused = words.parse_ref(command, arg, value).err();
        Err(refused.unwrap_or_else(|| clap::Error::new(ErrorKind::InvalidValue)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = self.table.iter().map(|(word, _)| PossibleValue::new(*word));
        Some(Box::new(words))
    }
}

pub fn equipment_name() -> NamedValues<EquipmentName> {
    named_values(&[
        ("shape", EquipmentName::Shape),
        ("item", EquipmentName::Item),
    ])
}

pub fn only_source() -> NamedValues<OnlySource> {
    named_values(&[
        ("equipment_shape", OnlySource::EquipmentShape),
        ("cash", OnlySource::Cash),
        ("all", OnlySource::All),
    ])
}

pub fn names() -> NamedValues<NameSource> {
    named_values(&[
        ("auto", NameSource::Auto),
        ("stem", NameSource::Stem),
        ("sidecar", NameSource::Sidecar),
        ("none", NameSource::None),
    ])
}

pub fn source_type() -> NamedValues<SourceType> {
    named_values(&[
        ("equipment_shape", SourceType::EquipmentShape),
        ("cash", SourceType::Cash),
    ])
}

pub fn background() -> NamedValues<Background> {
    named_values(&[
        ("white", Background::White),
        ("black", Background::Black),
        ("none", Background::None),
    ])
}

pub fn lang() -> NamedValues<Lang> {
    named_values(&[("ko", Lang::Ko), ("en", Lang::En), ("both", Lang::Both)])
}

pub fn precision() -> NamedValues<Precision> {
    named_values(&[
        ("auto", Precision::Auto),
        ("fp32", Precision::Fp32),
        ("bf16", Precision::Bf16),
        ("fp16", Precision::Fp16),
    ])
    .with_aliases(&[
        ("float32", "fp32"),
        ("float", "fp32"),
        ("bfloat16", "bf16"),
        ("float16", "fp16"),
        ("half", "fp16"),
    ])
}

pub fn quantize() -> NamedValues<Quantize> {
    named_values(&[
        ("auto", Quantize::Auto),
        ("none", Quantize::None),
        ("q8_0", Quantize::Q8_0),
        ("q4k", Quantize::Q4K),
    ])
    .with_aliases(&[
        ("int8", "q8_0"),
        ("8bit", "q8_0"),
        ("int4", "q4k"),
        ("4bit", "q4k"),
        ("q4_k", "q4k"),
    ])
}

pub fn pictures() -> NamedValues<PictureChoice> {
    named_values(&[
        ("auto", PictureChoice::Auto),
        ("kitty", PictureChoice::Kitty),
        ("sixel", PictureChoice::Sixel),
        ("iterm", PictureChoice::Iterm),
        ("blocks", PictureChoice::Blocks),
        ("none", PictureChoice::None),
    ])
}

pub fn ui_lang() -> NamedValues<Language> {
    named_values(&[("ko", Language::Korean), ("en", Language::English)])
}

pub fn log_level() -> NamedValues<tracing::Level> {
    named_values(&[
        ("error", tracing::Level::ERROR),
        ("warn", tracing::Level::WARN),
        ("info", tracing::Level::INFO),
        ("debug", tracing::Level::DEBUG),
        ("trace", tracing::Level::TRACE),
    ])
}

pub fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "auto" => Ok(DeviceChoice::Auto),
        "cpu" => Ok(DeviceChoice::Cpu),
        "cuda" => Ok(DeviceChoice::Cuda(0)),
        // PyTorch calls it `mps`.
        "metal" | "mps" => Ok(DeviceChoice::Metal),
        _ => text
            .strip_prefix("cuda:")
            .and_then(|n| n.parse().ok())
            .map(DeviceChoice::Cuda)
            .ok_or_else(|| "expected auto, cpu, cuda, cuda:N or metal".to_owned()),
    }
}

/// `--batch-size`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BatchSize {
    #[default]
    Auto,
    Fixed(u16),
}

impl BatchSize {
    pub fn number(self) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::Fixed(number) => Some(number.into()),
        }
    }
}

pub fn parse_batch_size(text: &str) -> Result<BatchSize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=1024).contains(number));
    match (text, number) {
        ("auto", _) => Ok(BatchSize::Auto),
        (_, Some(number)) => Ok(BatchSize::Fixed(number)),
        _ => Err("expected auto or a whole number from 1 to 1024".to_owned()),
    }
}

/// Parses a size with a unit into bytes: `2GiB`, `512 MiB`, `8G`, `500MB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as 4GiB or 512MiB");
    let digits = text
        .trim()
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(wrong)?;
    let (number, unit) = text.trim().split_at(digits);
    let unit: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * unit;
    match (1e6..1e15).contains(&bytes) {
        true => Ok(bytes as u64),
        false => Err(format!("`{text}` is not between 1MB and 1000TB")),
    }
}

/// Parses a fraction between 0 and 1, such as 0.05.
pub fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a number between 0 and 1, such as 0.05".to_owned()),
    }
}

pub fn parse_temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t.is_finite() && t >= 0.0 => Ok(t),
        _ => Err("expected a number of 0 or more".to_owned()),
    }
}

pub fn usage(cause: impl std::fmt::Display, hint: &str) -> Error {
    Error::new(error::ErrorKind::Usage, cause).with_hint(hint)
}

/// Whether `HF_HUB_OFFLINE` is set, which counts as `--offline`.
pub fn hub_offline() -> bool {
    std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| {
        ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
    })
}
