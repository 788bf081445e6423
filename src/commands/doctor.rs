//! `doctor`: what of this machine, terminal, model and server works, what does not, and why.

use crate::commands::write_out;
use crate::error::{Error, ErrorKind, Result};
use crate::labeler::remote;
use crate::platform;
use crate::settings::{DoctorOptions, LabelerOptions, ModelOptions, SourceKind, SourceOptions};
use crate::source::{self, GroupEvent};
use crate::text::{for_json, for_lines, gibibytes, gigabytes, megabytes};
use crate::vlm::checkpoint::files::{FileData, Gate};
use crate::vlm::checkpoint::weight_cache;
use crate::vlm::memory::Memory;
use crate::vlm::nn::int8;
use crate::vlm::{Checkpoint, LoadOptions, checkpoint, device, models};
use crate::{export, outdir, store};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;

/// With less room than this the outdir may fill up during a run: a thousand records with their
/// journal take about twelve megabytes.
const LITTLE_SPACE: u64 = 200_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Works,
    /// Works with a limit.
    Limited,
    Broken,
}

#[derive(Debug, Clone, Serialize)]
struct Finding {
    area: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do, where there is something to do.
    hint: Option<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    works: bool,
    findings: &'a [Finding],
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, area: &'static str, verdict: Verdict, found: impl Into<String>) {
        self.0.push(Finding {
            area,
            verdict,
            found: found.into(),
            hint: None,
        });
    }

    fn hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.0.last_mut() {
            last.hint = Some(hint.into());
        }
    }

    fn error(&mut self, area: &'static str, error: Error) {
        self.0.push(Finding {
            area,
            verdict: Verdict::Broken,
            found: error.cause,
            hint: error.hint,
        });
    }
}

/// Prints what was found; true where nothing is broken. Nothing is downloaded, and nothing that is
/// written to try the outdir's file system stays.
pub fn run(options: &DoctorOptions, out: &mut dyn Write) -> Result<bool> {
    let mut findings = Findings(Vec::new());
    terminal(&mut findings);
    match &options.labeler {
        LabelerOptions::Local(model) => {
            let load = machine(&mut findings, model);
            checkpoint(&mut findings, model, load.as_ref());
        }
        LabelerOptions::Remote(server) => {
            if let Err(error) = servers(&mut findings, server) {
                findings.error("server", error);
            }
        }
        LabelerOptions::None => {}
    }
    if let Some(options) = &options.source {
        source_rows(&mut findings, options);
    }
    if let Some(folder) = &options.outdir {
        let source = options.source.as_ref().map(|source| &source.kind);
        outdir(&mut findings, folder, source);
    }
    let works = findings.0.iter().all(|f| f.verdict != Verdict::Broken);
    let text = if options.json {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            works,
            findings: &findings.0,
        };
        let json = serde_json::to_string(&report)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("writing JSON: {error}")))?;
        for_json(&json) + "\n"
    } else {
        table(&findings.0)
    };
    write_out(out, text.as_bytes())?;
    Ok(works)
}

fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Works => "ok     ",
            Verdict::Limited => "limited",
            Verdict::Broken => "BROKEN ",
        };
        text.push_str(&format!("{mark}  {:<14} {}\n", finding.area, finding.found));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("{:25}-> {hint}\n", ""));
        }
    }
    // Paths and a server's words come from outside.
    for_lines(&text)
}

fn terminal(findings: &mut Findings) {
    let name = std::env::var("TERM").unwrap_or_default();
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        findings.add(
            "terminal",
            Verdict::Limited,
            "standard input or output is no terminal",
        );
        findings.hint("the workstation needs one; label unattended with --batch");
        return;
    }
    match crossterm::terminal::size() {
        Ok((width, height)) if width >= 40 && height >= 10 => findings.add(
            "terminal",
            Verdict::Works,
            format!("{name}, {width}x{height} cells"),
        ),
        Ok((width, height)) => {
            findings.add(
                "terminal",
                Verdict::Limited,
                format!("{name}, {width}x{height} cells"),
            );
            findings.hint("make it 40x10 or larger");
        }
        Err(error) => {
            findings.add("terminal", Verdict::Broken, format!("{name}: {error}"));
        }
    }
    let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        });
    if utf8 {
        findings.add("characters", Verdict::Works, "UTF-8");
    } else {
        findings.add("characters", Verdict::Limited, "the locale is not UTF-8");
        findings.hint("Korean may look wrong; set for example LANG=C.UTF-8");
    }
    let colors = crossterm::style::available_color_count();
    let colors = if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        "none (NO_COLOR)".to_owned()
    } else if colors > 256 {
        "24 bit".to_owned()
    } else {
        colors.to_string()
    };
    findings.add("colors", Verdict::Works, colors);
    images(findings);
    if std::env::var_os("TMUX").is_some() {
        findings.add(
            "tmux",
            Verdict::Limited,
            "pictures and colors pass through tmux",
        );
        findings.hint("set -g allow-passthrough on, and -as terminal-features ',*:RGB:sixel'");
    }
}

fn images(findings: &mut Findings) {
    use ratatui_image::picker::{Picker, ProtocolType};
    // The terminal answers on standard input, unbuffered and unechoed.
    if let Err(error) = crossterm::terminal::enable_raw_mode() {
        findings.add("pictures", Verdict::Broken, format!("no raw mode: {error}"));
        return;
    }
    let asked = Picker::from_query_stdio();
    let left = crossterm::terminal::disable_raw_mode();
    match asked {
        Ok(picker) => {
            let cell = picker.font_size();
            let (width, height) = (cell.width, cell.height);
            let (verdict, name) = match picker.protocol_type() {
                ProtocolType::Kitty => (Verdict::Works, "kitty"),
                ProtocolType::Iterm2 => (Verdict::Works, "iTerm2"),
                ProtocolType::Sixel => (Verdict::Works, "sixel"),
                ProtocolType::Halfblocks => (Verdict::Limited, "half blocks"),
            };
            findings.add(
                "pictures",
                verdict,
                format!("{name}, cells of {width}x{height} pixels"),
            );
            if verdict == Verdict::Limited {
                findings.hint("sharper in a terminal with kitty, iTerm2 or sixel graphics");
            }
        }
        Err(error) => {
            findings.add(
                "pictures",
                Verdict::Limited,
                format!("half blocks: the terminal does not say more ({error})"),
            );
        }
    }
    if let Err(error) = left {
        findings.add(
            "terminal",
            Verdict::Broken,
            format!("cannot leave raw mode: {error}"),
        );
    }
}

fn machine(findings: &mut Findings, model: &ModelOptions) -> Option<LoadOptions> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let simd = simd();
    findings.add(
        "processor",
        Verdict::Works,
        format!("{cores} cores, {simd}"),
    );
    let built: Vec<&str> = [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
        ("accelerate", cfg!(feature = "accelerate")),
        ("mkl", cfg!(feature = "mkl")),
    ]
    .into_iter()
    .filter_map(|(name, built)| built.then_some(name))
    .collect();
    let built = if built.is_empty() {
        "CPU only".to_owned()
    } else {
        built.join(", ")
    };
    match device::load_options(model) {
        Ok((load, missing)) => {
            let found = format!(
                "{} with {} (this build: {built})",
                device::describe(&load.device),
                load.quantization.map_or_else(
                    || format!("{:?}", load.dtype).to_lowercase(),
                    |kind| kind.name().to_owned()
                ),
            );
            match missing {
                None => findings.add("device", Verdict::Works, found),
                Some(error) => {
                    let found = format!("{found}: {}", error.cause);
                    findings.add("device", Verdict::Limited, found);
                    if let Some(hint) = error.hint {
                        findings.hint(hint);
                    }
                }
            }
            Some(load)
        }
        Err(error) => {
            findings.error("device", error);
            None
        }
    }
}

/// The instructions that the kernels use, and what the one for `q8_0` reaches.
fn simd() -> String {
    match int8::reach() {
        Ok(Some((name, rate))) => format!("{name}, q8_0 at {:.0} billion operations/s", rate / 1e9),
        Ok(None) if cfg!(target_arch = "aarch64") => {
            "NEON, no kernel of its own for q8_0".to_owned()
        }
        Ok(None) => "no SIMD that the kernels know".to_owned(),
        Err(error) => format!("the kernel for q8_0 fails: {error}"),
    }
}

fn checkpoint(findings: &mut Findings, model: &ModelOptions, load: Option<&LoadOptions>) {
    let only_here = ModelOptions {
        offline: true,
        ..model.clone()
    };
    let gate = Gate {
        config: &models::refusals,
        ..Gate::OPEN
    };
    let files = match checkpoint::find(&only_here, &gate, std::sync::Arc::new(|_| {})) {
        Ok(files) => files,
        // Only the hub could have it.
        Err(error) if error.kind == ErrorKind::Network => {
            let (name, revision) = (&model.model, &model.revision);
            let found = format!("{name} ({revision}) is not whole in the local cache");
            findings.add("model", Verdict::Limited, found);
            findings.hint(if model.offline {
                "take --offline away, or give the folder of a checkpoint"
            } else {
                "the first run downloads it; --model demo needs no download"
            });
            return;
        }
        Err(error) => return findings.error("model", error),
    };
    match Checkpoint::open(&files) {
        Ok(checkpoint) => {
            let spec = checkpoint.architecture.spec();
            let found = format!(
                "{}: {} in {} file(s), hidden {}, {} layers, every tensor in place",
                files.name,
                megabytes(checkpoint.stored_bytes()),
                files.weights.len(),
                spec.hidden_size,
                spec.layers,
            );
            findings.add("model", Verdict::Works, found);
            if let Some(load) = load {
                memory_needed(findings, &checkpoint.memory(load, model), load);
            }
        }
        Err(error) => findings.error("model", error),
    }
    let on_disk = files
        .weights
        .iter()
        .any(|file| matches!(file.data, FileData::Disk(_)));
    if on_disk {
        match weight_cache::default_folder() {
            Ok(folder) => findings.add(
                "weight cache",
                Verdict::Works,
                format!(
                    "{} ({} used)",
                    folder.display(),
                    gigabytes(used_bytes(&folder))
                ),
            ),
            Err(error) => {
                findings.add("weight cache", Verdict::Limited, error.cause);
                if let Some(hint) = error.hint {
                    findings.hint(hint);
                }
            }
        }
    }
}

fn memory_needed(findings: &mut Findings, memory: &Memory, load: &LoadOptions) {
    if let Err(error) = memory.check() {
        return findings.error("memory", error);
    }
    let weights = memory.weight_bytes();
    let free = device::free_memory(&load.device);
    // Nothing is loaded yet.
    let left = free.map(|free| free.saturating_sub(weights));
    let caches = memory.kv_bytes(left);
    let step = memory.step_bytes(memory.step_tokens(left));
    let mut found = format!(
        "weights {}, keys and values up to {}",
        gibibytes(weights),
        gibibytes(caches)
    );
    if step > 0 {
        found.push_str(&format!(", steps {}", gibibytes(step)));
    }
    if let Some(free) = free {
        found.push_str(&format!(", {} free", gibibytes(free)));
    }
    match free.is_some_and(|free| weights + caches + step > free) {
        true => {
            findings.add("memory", Verdict::Limited, found);
            findings.hint("other programs will have to make room; see --quantize and --kv-memory");
        }
        false => findings.add("memory", Verdict::Works, found),
    }
}

fn used_bytes(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|about| about.len())
        .sum()
}

/// Reads the whole source and every image file, as a run would.
fn source_rows(findings: &mut Findings, options: &SourceOptions) {
    let name = match &options.kind {
        SourceKind::Database(path) | SourceKind::Manifest(path) | SourceKind::Folder(path) => {
            path.display().to_string()
        }
        SourceKind::Demo => "built-in sample".to_owned(),
    };
    let (mut images, mut absent, mut warnings) = (0u64, 0u64, 0u64);
    let (mut first_absent, mut first_warning) = (None, None);
    let read = source::open(options).and_then(|source| {
        source::group(source, options.max_samples, &mut |event| {
            match event {
                GroupEvent::New(group) => match group.failure {
                    None => images += 1,
                    Some(failure) => {
                        absent += 1;
                        let name = &group.item.item_name;
                        first_absent.get_or_insert(format!("{name}: {}", failure.detail));
                    }
                },
                GroupEvent::Name { .. } | GroupEvent::Path { .. } => {}
                GroupEvent::Warning(words) => {
                    warnings += 1;
                    first_warning.get_or_insert(words);
                }
            }
            ControlFlow::Continue(())
        })
    });
    let end = match read {
        Ok(end) => end,
        Err(error) => return findings.error("source", error),
    };
    let mut found = format!("{name}, rows: {}, images: {images}", end.rows);
    if absent > 0 {
        found.push_str(&format!(", items without an image: {absent}"));
    }
    if end.refused > 0 {
        found.push_str(&format!(", rows refused: {}", end.refused));
    }
    if warnings > 0 {
        found.push_str(&format!(", warnings: {warnings}"));
    }
    let first: Vec<String> = first_warning
        .map(|warning| warning.english)
        .into_iter()
        .chain(first_absent)
        .collect();
    match first.as_slice() {
        [] if end.rows == 0 => {
            findings.add("source", Verdict::Limited, found);
            findings.hint("nothing to label; look at --only-source and --run-id");
        }
        [] => findings.add("source", Verdict::Works, found),
        first => {
            findings.add("source", Verdict::Limited, found);
            findings.hint(format!("the first: {}", first.join("; ")));
        }
    }
}

fn outdir(findings: &mut Findings, outdir: &Path, source: Option<&SourceKind>) {
    let shown = outdir.display();
    let there = outdir.exists();
    if there && !outdir.is_dir() {
        findings.add("outdir", Verdict::Broken, format!("{shown} is no folder"));
        findings.hint("choose another --outdir");
        return;
    }
    // A folder that is not there yet is made in the nearest one that is.
    let absolute = std::path::absolute(outdir).unwrap_or_else(|_| outdir.to_owned());
    let Some(nearest) = absolute.ancestors().find(|folder| folder.exists()) else {
        findings.add("outdir", Verdict::Broken, format!("{shown} has no place"));
        findings.hint("choose another --outdir");
        return;
    };
    if let Err(error) = platform::can_write_in(nearest) {
        let found = format!("cannot write in {}: {error}", nearest.display());
        findings.add("outdir", Verdict::Broken, found);
        findings.hint("give write permission, or choose another --outdir");
        return;
    }
    if let Err(error) = export::check_outdir(outdir, source.and_then(SourceKind::path)) {
        return findings.error("outdir", error);
    }
    if let Err(error) = store::check_free(outdir).and_then(|()| store::try_folder(nearest)) {
        return findings.error("outdir", error);
    }
    let state = match (there, outdir.join(outdir::LABELS).exists()) {
        (false, _) => "is made by the first run",
        (true, false) => "holds no labels yet",
        (true, true) => "holds labels; --batch goes on with --resume",
    };
    let free = platform::free_space(nearest);
    let space = free.map_or_else(
        || "free space unknown".to_owned(),
        |bytes| format!("{} free", gigabytes(bytes)),
    );
    if free.is_some_and(|bytes| bytes < LITTLE_SPACE) {
        findings.add(
            "outdir",
            Verdict::Limited,
            format!("{shown} {state}; {space}"),
        );
        findings.hint("free some space before a long run");
    } else {
        findings.add(
            "outdir",
            Verdict::Works,
            format!("{shown} {state}; {space}"),
        );
    }
}

fn servers(findings: &mut Findings, server: &crate::settings::RemoteOptions) -> Result<()> {
    for report in remote::check(server)? {
        findings.add("server", Verdict::Works, report.url);
        if let Some(proxy) = report.proxy {
            let found = format!("reached through {proxy}, as the environment says");
            findings.add("proxy", Verdict::Works, found);
        }
        let questions = [
            ("reachable", report.reachable, Verdict::Broken),
            ("model listed", report.model_listed, Verdict::Limited),
            ("images", report.takes_images, Verdict::Broken),
            ("schema", report.takes_schema, Verdict::Limited),
            (
                "probabilities",
                report.gives_probabilities,
                Verdict::Limited,
            ),
        ];
        for (area, found, otherwise) in questions {
            match found {
                Ok(words) => findings.add(area, Verdict::Works, words),
                Err(words) => findings.add(area, otherwise, words),
            }
        }
    }
    Ok(())
}
