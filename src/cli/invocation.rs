//! The result of parsing a command line.

use crate::commands::options::{
    AskOptions, AuditOptions, BenchOptions, BuiltinFile, CompareOptions, DoctorOptions,
    EmbedOptions, FixOptions, JournalOptions, ListOptions, ReportOptions, RetrievalOptions,
};
use crate::engine::EngineOptions;
use crate::error::Error;
use crate::export::DatasetOptions;
use crate::icon::IconOptions;
use crate::labeler::LabelerOptions;
use crate::prompt::PromptOptions;
use crate::source::SourceOptions;
use crate::tui::LookOptions;
use clap_complete::Shell;

/// Options of the front ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontOptions {
    pub batch: bool,
    /// With `batch`: events as JSON lines on standard output.
    pub json: bool,
    /// Name of a built-in key map, or a file.
    pub keymap: Option<String>,
    pub look: LookOptions,
}

/// Everything a labeling run needs, one struct per stage.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    pub source: SourceOptions,
    pub icon: IconOptions,
    pub prompt: PromptOptions,
    pub labeler: LabelerOptions,
    pub engine: EngineOptions,
    pub front: FrontOptions,
    pub log_level: tracing::Level,
}

/// A command to run, with its checked options.
#[derive(Debug, Clone, PartialEq)]
pub enum Invocation {
    Label(Box<RunOptions>),
    Ask(Box<AskOptions>),
    Bench(Box<BenchOptions>),
    Doctor(Box<DoctorOptions>),
    Compare(CompareOptions),
    Audit(Box<AuditOptions>),
    List(ListOptions),
    Fix(FixOptions),
    Export(Box<DatasetOptions>),
    Retrieval(Box<RetrievalOptions>),
    Embed(Box<EmbedOptions>),
    Report(ReportOptions),
    Journal(JournalOptions),
    Show(BuiltinFile),
    Completions(Shell),
    /// The manual page of the subcommand with these words; with none, of the program.
    Man(Vec<String>),
}

/// Why a command line gives no [`Invocation`].
#[derive(Debug)]
pub enum Rejected {
    /// Text from clap: `--help`, `--version` or an error with its usage line.
    Clap(Box<clap::Error>),
    Error(Error),
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<clap::Error> for Rejected {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}
