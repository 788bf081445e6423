//! What a command line comes to.

use crate::error::Error;
use crate::settings::{
    AskOptions, AuditOptions, BenchOptions, BuiltinFile, CompareOptions, DatasetOptions,
    DoctorOptions, EmbedOptions, FixOptions, JournalOptions, ListOptions, ReportOptions,
    RetrievalOptions, RunOptions,
};
use clap_complete::Shell;

/// What the user asked for, checked.
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
    /// Of one command, named by its words, or of the program.
    Man(Vec<String>),
}

/// Why there is no [`Invocation`].
#[derive(Debug)]
pub enum Rejected {
    /// clap's own words: `--help`, `--version` or a mistake with its usage line.
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
