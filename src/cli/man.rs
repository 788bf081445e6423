//! Renders manual pages in roff.

use super::args::Cli;
use super::pages::{ENVIRONMENT, EXAMPLES, EXIT_STATUS, Section, files};
use crate::commands::write_out;
use crate::error::{Error, ErrorKind, Result};
use clap::CommandFactory;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::Write;

/// Writes the manual page of `command`, or of the program, in roff.
pub fn write_man(command: &[String], out: &mut dyn Write) -> Result<()> {
    let mut table = Cli::command();
    // Gives the subcommands their full names.
    table.build();
    let mut target = &table;
    for name in command {
        let Some(inner) = target.find_subcommand(name) else {
            let names = target.get_subcommands().map(clap::Command::get_name);
            let names: Vec<_> = names.collect();
            let error = Error::new(ErrorKind::Usage, format!("there is no command {name:?}"));
            return Err(match names[..] {
                [] => error,
                _ => error.with_hint(format!("one of {}", names.join(", "))),
            });
        };
        target = inner;
    }
    let files = files();
    let sections: &[Section] = match command {
        [] => &[EXAMPLES, ("Files", &files), ENVIRONMENT, EXIT_STATUS],
        _ => &[ENVIRONMENT],
    };
    let mut page = Vec::new();
    render(target, sections, &mut page)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("rendering the manual: {e}")))?;
    write_out(out, &page)
}

fn render(
    command: &clap::Command,
    sections: &[Section],
    page: &mut dyn Write,
) -> std::io::Result<()> {
    let man = clap_mangen::Man::new(command.clone())
        .source(concat!("labeler-tui ", env!("CARGO_PKG_VERSION")));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    let mut roff = Roff::new();
    for (heading, entries) in sections {
        roff.control("SH", [heading.to_uppercase().as_str()]);
        for (term, what) in *entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*what)]);
        }
    }
    roff.to_writer(page)?;
    match command.get_version() {
        // The version section needs one.
        None => Ok(()),
        Some(_) => man.render_version_section(page),
    }
}
