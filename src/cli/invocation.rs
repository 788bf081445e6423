//! The result of parsing a command line.

use crate::error::Error;
use crate::settings::{
    AskOptions, AuditOptions, BenchOptions, BuiltinFile, CompareOptions, DatasetOptions,
    DoctorOptions, EmbedOptions, FixOptions, JournalOptions, ListOptions, ReportOptions,
    RetrievalOptions, RunOptions,
};
use clap_complete::Shell;

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
