//! `doctor`: checks the terminal, the machine, the model or server, the source and the outdir.

use super::options::DoctorOptions;
use crate::commands::write_out;
use crate::error::{Error, ErrorKind, Result};
use crate::labeler::{LabelerOptions, remote};
use crate::source::{self, GroupEvent, SourceKind, SourceOptions};
use crate::text::{for_json, for_lines, gibibytes, gigabytes, megabytes, plural};
use crate::vlm::checkpoint::files::{FileData, Gate};
use crate::vlm::checkpoint::weight_cache;
use crate::vlm::memory::Memory;
use crate::vlm::nn::int8;
use crate::vlm::{Checkpoint, LoadOptions, ModelOptions, checkpoint, device, models};
use crate::{export, outdir, platform, store};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;

/// With less free space than this the outdir may fill up during a run: a thousand records with
/// their journal take about 12 MB.
const LOW_SPACE: u64 = 200_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Works,
    Limited,
    Broken,
}

#[derive(Debug, Clone, Serialize)]
struct Finding {
    area: &'static str,
    verdict: Status,
    found: String,
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
    fn add(&mut self, area: &'static str, verdict: Status, found: impl Into<String>) {
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
            verdict: Status::Broken,
            found: error.cause,
            hint: error.hint,
        });
    }
}

/// Prints the findings, and returns whether nothing is broken. Downloads nothing, and removes what
/// it writes to test the outdir's file system.
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
    let works = findings.0.iter().all(|f| f.verdict != Status::Broken);
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
            Status::Works => "ok     ",
            Status::Limited => "limited",
            Status::Broken => "BROKEN ",
        };
        text.push_str(&format!("{mark}  {:<14} {}\n", finding.area, finding.found));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("{:25}-> {hint}\n", ""));
        }
    }
    // Paths and server messages are untrusted.
    for_lines(&text)
}

fn terminal(findings: &mut Findings) {
    let name = std::env::var("TERM").unwrap_or_default();
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        findings.add(
            "terminal",
            Status::Limited,
            "standard input or output is not a terminal",
        );
        findings.hint("the workstation needs one; label unattended with --batch");
        return;
    }
    match crossterm::terminal::size() {
        Ok((width, height)) if width >= 40 && height >= 10 => findings.add(
            "terminal",
            Status::Works,
            format!("{name}, {width}x{height} cells"),
        ),
        Ok((width, height)) => {
            findings.add(
                "terminal",
                Status::Limited,
                format!("{name}, {width}x{height} cells"),
            );
            findings.hint("make it 40x10 or larger");
        }
        Err(error) => {
            findings.add("terminal", Status::Broken, format!("{name}: {error}"));
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
        findings.add("characters", Status::Works, "UTF-8");
    } else {
        findings.add("characters", Status::Limited, "the locale is not UTF-8");
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
    findings.add("colors", Status::Works, colors);
    images(findings);
    if std::env::var_os("TMUX").is_some() {
        findings.add(
            "tmux",
            Status::Limited,
            "pictures and colors pass through tmux",
        );
        findings.hint("set -g allow-passthrough on, and -as terminal-features ',*:RGB:sixel'");
    }
}

fn images(findings: &mut Findings) {
    use ratatui_image::picker::{Picker, ProtocolType};
    // The terminal answers on standard input, which must be neither buffered nor echoed.
    if let Err(error) = crossterm::terminal::enable_raw_mode() {
        findings.add("pictures", Status::Broken, format!("no raw mode: {error}"));
        return;
    }
    let queried = Picker::from_query_stdio();
    let restored = crossterm::terminal::disable_raw_mode();
    match queried {
        Ok(picker) => {
            let cell = picker.font_size();
            let (width, height) = (cell.width, cell.height);
            let (verdict, name) = match picker.protocol_type() {
                ProtocolType::Kitty => (Status::Works, "kitty"),
                ProtocolType::Iterm2 => (Status::Works, "iTerm2"),
                ProtocolType::Sixel => (Status::Works, "sixel"),
                ProtocolType::Halfblocks => (Status::Limited, "half blocks"),
            };
            findings.add(
                "pictures",
                verdict,
                format!("{name}, cells of {width}x{height} pixels"),
            );
            if verdict == Status::Limited {
                findings.hint("sharper in a terminal with kitty, iTerm2 or sixel graphics");
            }
        }
        Err(error) => {
            findings.add(
                "pictures",
                Status::Limited,
                format!("half blocks: the terminal reports no graphics ({error})"),
            );
        }
    }
    if let Err(error) = restored {
        findings.add(
            "terminal",
            Status::Broken,
            format!("cannot leave raw mode: {error}"),
        );
    }
}

fn machine(findings: &mut Findings, model: &ModelOptions) -> Option<LoadOptions> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let simd = simd();
    findings.add(
        "processor",
        Status::Works,
        format!("{}, {simd}", plural(cores, "core")),
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
                None => findings.add("device", Status::Works, found),
                Some(error) => {
                    let found = format!("{found}: {}", error.cause);
                    findings.add("device", Status::Limited, found);
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

/// The SIMD instructions that the kernels use, with the measured speed of the `q8_0` kernel.
fn simd() -> String {
    match int8::measure_throughput() {
        Ok(Some((name, rate))) => format!("{name}, q8_0 at {:.0} billion operations/s", rate / 1e9),
        Ok(None) if cfg!(target_arch = "aarch64") => "NEON, without a kernel for q8_0".to_owned(),
        Ok(None) => "no SIMD instructions that the kernels support".to_owned(),
        Err(error) => format!("the kernel for q8_0 fails: {error}"),
    }
}

fn checkpoint(findings: &mut Findings, model: &ModelOptions, load: Option<&LoadOptions>) {
    let offline = ModelOptions {
        offline: true,
        ..model.clone()
    };
    let gate = Gate {
        config: &models::refusals,
        ..Gate::OPEN
    };
    let files = match checkpoint::find(&offline, &gate, std::sync::Arc::new(|_| {})) {
        Ok(files) => files,
        // Not in the local cache; the hub may have it.
        Err(error) if error.kind == ErrorKind::Network => {
            let (name, revision) = (&model.model, &model.revision);
            let found = format!("{name} ({revision}) is not complete in the local cache");
            let status = match model.offline {
                true => Status::Broken,
                false => Status::Limited,
            };
            findings.add("model", status, found);
            findings.hint(if model.offline {
                "omit --offline, or give the folder of a checkpoint"
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
                "{}: {} in {}, hidden {}, {}, every tensor in place",
                files.name,
                megabytes(checkpoint.stored_bytes()),
                plural(files.weights.len(), "file"),
                spec.hidden_size,
                plural(spec.layers, "layer"),
            );
            findings.add("model", Status::Works, found);
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
                Status::Works,
                format!(
                    "{} ({} used)",
                    folder.display(),
                    gigabytes(used_bytes(&folder))
                ),
            ),
            Err(error) => {
                findings.add("weight cache", Status::Limited, error.cause);
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
    // The weights are not loaded yet.
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
            findings.add("memory", Status::Limited, found);
            findings.hint("other programs will have to make room; see --quantize and --kv-memory");
        }
        false => findings.add("memory", Status::Works, found),
    }
}

fn used_bytes(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
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
    let mut locked = None;
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
                GroupEvent::Warning(warning) => {
                    warnings += 1;
                    first_warning.get_or_insert(warning);
                }
                GroupEvent::Locked(text) => {
                    locked = Some(text);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })
    });
    let end = match read {
        Ok(end) => end,
        Err(error) => return findings.error("source", error),
    };
    if let Some(text) = locked {
        findings.add("source", Status::Broken, text.english);
        findings.hint("close that program, then check again");
        return;
    }
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
            findings.add("source", Status::Limited, found);
            findings.hint("nothing to label; check --only-source and --run-id");
        }
        [] => findings.add("source", Status::Works, found),
        first => {
            findings.add("source", Status::Limited, found);
            findings.hint(format!("the first: {}", first.join("; ")));
        }
    }
}

fn outdir(findings: &mut Findings, outdir: &Path, source: Option<&SourceKind>) {
    let shown = outdir.display();
    let exists = outdir.exists();
    if exists && !outdir.is_dir() {
        findings.add("outdir", Status::Broken, format!("{shown} is not a folder"));
        findings.hint("choose another --outdir");
        return;
    }
    // A missing folder will be created in its nearest existing parent.
    let absolute = std::path::absolute(outdir).unwrap_or_else(|_| outdir.to_owned());
    let Some(nearest) = absolute.ancestors().find(|folder| folder.exists()) else {
        findings.add(
            "outdir",
            Status::Broken,
            format!("{shown} has no parent folder"),
        );
        findings.hint("choose another --outdir");
        return;
    };
    if let Err(error) = platform::can_write_in(nearest) {
        let found = format!("cannot write in {}: {error}", nearest.display());
        findings.add("outdir", Status::Broken, found);
        findings.hint("give write permission, or choose another --outdir");
        return;
    }
    if let Err(error) = export::check_outdir(outdir, source.and_then(SourceKind::path)) {
        return findings.error("outdir", error);
    }
    if let Err(error) =
        store::check_unlocked(outdir).and_then(|()| store::check_journal_folder(nearest))
    {
        return findings.error("outdir", error);
    }
    let state = match (exists, outdir.join(outdir::LABELS).exists()) {
        (false, _) => "will be created by the first run",
        (true, false) => "holds no labels yet",
        (true, true) => "holds labels; --batch needs --resume to continue",
    };
    let free = platform::free_space(nearest);
    let space = free.map_or_else(
        || "free space unknown".to_owned(),
        |bytes| format!("{} free", gigabytes(bytes)),
    );
    if free.is_some_and(|bytes| bytes < LOW_SPACE) {
        findings.add(
            "outdir",
            Status::Limited,
            format!("{shown} {state}; {space}"),
        );
        findings.hint("free some space before a long run");
    } else {
        findings.add("outdir", Status::Works, format!("{shown} {state}; {space}"));
    }
}

fn servers(findings: &mut Findings, server: &crate::labeler::RemoteOptions) -> Result<()> {
    for report in remote::check(server)? {
        findings.add("server", Status::Works, report.url);
        if let Some(proxy) = report.proxy {
            let found = format!("reached through {proxy}, set in the environment");
            findings.add("proxy", Status::Works, found);
        }
        let questions = [
            ("reachable", report.reachable, Status::Broken),
            ("model listed", report.model_listed, Status::Limited),
            ("images", report.takes_images, Status::Broken),
            ("schema", report.takes_schema, Status::Limited),
            ("probabilities", report.gives_probabilities, Status::Limited),
        ];
        for (area, answer, otherwise) in questions {
            match answer {
                Ok(found) => findings.add(area, Status::Works, found),
                Err(found) => findings.add(area, otherwise, found),
            }
        }
    }
    Ok(())
}
