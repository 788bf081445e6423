//! Turns parsed arguments into option structs: fills in defaults and rejects conflicting options.

use super::args::{
    AskArgs, BenchArgs, Cli, CliCommand, DataArgs, DoctorArgs, JournalCommand, LabelArgs,
    ModelArgs, ShowCommand,
};
use super::dataset_args::ExportArgs;
use super::invocation::{FrontOptions, Invocation, RunOptions};
use super::layers::Origins;
use super::values::{OutdirArgs, VocabularyArgs, hub_offline, usage};
use crate::commands::options::{
    AskOptions, BenchOptions, BuiltinFile, DoctorOptions, FixOptions, JournalAction,
    JournalOptions, ListOptions, ReportOptions, SelectionOptions,
};
use crate::engine::EngineOptions;
use crate::error::Result;
use crate::export::DatasetOptions;
use crate::icon::IconOptions;
use crate::labeler::remote::base_url;
use crate::labeler::{LabelerOptions, RemoteOptions};
use crate::outdir::{PARQUET, VOCABULARY};
use crate::prompt::PromptOptions;
use crate::source::{Mapping, SourceKind, SourceOptions};
use crate::vlm::{DeviceChoice, ModelOptions, Quantize};
use std::path::PathBuf;

const DEFAULT_MODEL: &str = "Qwen/Qwen2-VL-2B-Instruct";
const DEFAULT_NEW_TOKENS: u32 = 384;

pub fn invocation(cli: Cli, origins: &Origins) -> Result<Invocation> {
    Ok(match cli.command {
        None => Invocation::Label(Box::new(run_options(cli.label, origins)?)),
        Some(CliCommand::Ask(args)) => Invocation::Ask(Box::new(ask_options(args, origins)?)),
        Some(CliCommand::Bench(args)) => Invocation::Bench(Box::new(bench_options(args, origins)?)),
        Some(CliCommand::Doctor(args)) => {
            Invocation::Doctor(Box::new(doctor_options(args, origins)?))
        }
        Some(CliCommand::Compare(args)) => Invocation::Compare(args.into()),
        Some(CliCommand::Audit(args)) => Invocation::Audit(Box::new(args.into())),
        Some(CliCommand::List(args)) => Invocation::List(ListOptions {
            selection: selection(args.outdir, args.filter, args.vocabulary),
            json: args.json,
        }),
        Some(CliCommand::Fix(args)) => Invocation::Fix(FixOptions {
            selection: selection(args.outdir, Some(args.filter), args.vocabulary),
            dry_run: args.dry_run,
        }),
        Some(CliCommand::Export(args)) => Invocation::Export(Box::new(export_options(args)?)),
        Some(CliCommand::Retrieval(args)) => Invocation::Retrieval(Box::new(args.options()?)),
        Some(CliCommand::Embed(args)) => Invocation::Embed(Box::new(args.options()?)),
        Some(CliCommand::Report(args)) => Invocation::Report(ReportOptions {
            outdir: args.outdir.outdir,
            html: args.html,
            vocabulary: args.vocabulary.vocabulary,
        }),
        Some(CliCommand::Journal(command)) => Invocation::Journal(journal_options(command)),
        Some(CliCommand::Show(file)) => Invocation::Show(match file {
            ShowCommand::Prompt { name } => BuiltinFile::Prompt(name),
            ShowCommand::Vocabulary => BuiltinFile::Vocabulary,
            ShowCommand::Keymap { name } => BuiltinFile::Keymap(name),
            ShowCommand::Theme { name } => BuiltinFile::Theme(name),
            ShowCommand::Schema => BuiltinFile::Schema,
        }),
        Some(CliCommand::Licenses) => Invocation::Show(BuiltinFile::Licenses),
        Some(CliCommand::Completions { shell }) => Invocation::Completions(shell),
        Some(CliCommand::Man { command }) => Invocation::Man(command),
    })
}

/// Rejects two options that conflict, if neither overrides the other.
fn reject_both(origins: &Origins, a: &'static str, b: &'static str, hint: &str) -> Result<()> {
    if origins.applies(a) && origins.applies(b) {
        let cause = format!("{} conflicts with {}", origins.name(a), origins.name(b));
        return Err(usage(cause, hint));
    }
    Ok(())
}

fn run_options(args: LabelArgs, origins: &Origins) -> Result<RunOptions> {
    let Some((source, outdir)) = data_options(args.data, origins)? else {
        return Err(usage(
            "nothing to label",
            "give --db, --input or --images, or --demo to try it; --help lists everything",
        ));
    };
    reject_both(
        origins,
        "no_image",
        "no_metadata",
        "labeling needs at least one of the two",
    )?;
    reject_both(
        origins,
        "families",
        "no_image",
        "families are found by comparing images",
    )?;
    reject_both(
        origins,
        "prompt",
        "prompt_version",
        "give a built-in version or a file of your own",
    )?;
    if args.json && !args.batch {
        return Err(usage("--json needs --batch", "add --batch"));
    }
    if args.redo.is_some() && !(args.batch && args.resume) {
        return Err(usage(
            "--redo needs --batch and --resume",
            "add both; in the workstation, filter the queue and retry",
        ));
    }
    if args.no_model && args.batch {
        return Err(usage(
            "--batch cannot label with --no-model",
            "omit one of them; --no-model is for review",
        ));
    }
    let endpoints = args.model.endpoint.clone();
    if args.wait && endpoints.is_empty() {
        return Err(usage(
            "--wait needs --endpoint",
            "it waits for a server that is not up yet",
        ));
    }
    let offline = args.model.offline || hub_offline();
    let model = model_options(args.model, origins, default_model(&source.kind))?;
    let labeler = if args.no_model {
        LabelerOptions::None
    } else if endpoints.is_empty() {
        LabelerOptions::Local(model)
    } else {
        LabelerOptions::Remote(remote_options(
            endpoints,
            model.model,
            args.concurrency,
            offline,
            args.wait,
        )?)
    };
    Ok(RunOptions {
        source,
        icon: IconOptions {
            upscale: args.upscale.unwrap_or(2),
            background: args.alpha_bg.unwrap_or_default(),
            with_image: !(args.no_image && origins.applies("no_image")),
        },
        prompt: PromptOptions {
            version: args
                .prompt_version
                .filter(|_| origins.applies("prompt_version"))
                .unwrap_or_else(|| default_prompt(&labeler).to_owned()),
            file: args.prompt.filter(|_| origins.applies("prompt")),
            lang: args.lang.unwrap_or_default(),
            with_metadata: !(args.no_metadata && origins.applies("no_metadata")),
            vocabulary: args.vocabulary,
            overlay: Some(outdir.join(VOCABULARY)),
        },
        labeler,
        engine: EngineOptions {
            outdir,
            commit_automatically: args.batch,
            resume: args.resume || !args.batch,
            redo: args.redo,
            quality_retry: args.quality_retry,
            opinions: args.opinions.unwrap_or(0),
            examples: args.examples.unwrap_or(0),
            families: args.families,
            exports: args.parquet.then_some(PARQUET).into_iter().collect(),
            max_new_tokens: args.max_new_tokens.unwrap_or(DEFAULT_NEW_TOKENS) as usize,
        },
        front: FrontOptions {
            batch: args.batch,
            json: args.json,
            keymap: args.keymap,
            look: args.look.into(),
        },
        log_level: args.log_level.unwrap_or(tracing::Level::INFO),
    })
}

/// The source that the highest layer names, with the outdir; `None` if no layer names one.
fn data_options(args: DataArgs, origins: &Origins) -> Result<Option<(SourceOptions, PathBuf)>> {
    let given = [
        ("db", args.db.map(SourceKind::Database)),
        ("input", args.input.map(SourceKind::Manifest)),
        ("images", args.images.map(SourceKind::Folder)),
        ("demo", args.demo.then_some(SourceKind::Demo)),
    ];
    let mut named = Vec::new();
    let mut found = None;
    for (id, kind) in given {
        if let Some(kind) = kind
            && origins.applies(id)
        {
            named.push(origins.name(id));
            found = Some(kind);
        }
    }
    if named.len() > 1 {
        return Err(usage(
            format!("more than one source: {}", named.join(", ")),
            "give one of --db, --input, --images and --demo",
        ));
    }
    let Some(kind) = found else {
        return Ok(None);
    };
    if args.run_id.is_some() && !matches!(kind, SourceKind::Database(_)) {
        return Err(usage(
            format!("{} selects a run of a database", origins.name("run_id")),
            "use it together with --db, or leave it out",
        ));
    }
    if args.names.is_some() && !matches!(kind, SourceKind::Folder(_) | SourceKind::Manifest(_)) {
        return Err(usage(
            format!("{} is about the images of a folder", origins.name("names")),
            "use it together with --images or --input, or leave it out",
        ));
    }
    let outdir = match args.outdir {
        Some(dir) => dir,
        None => default_outdir(&kind)?,
    };
    let source = SourceOptions {
        kind,
        only: args.only_source.unwrap_or_default(),
        run_id: args.run_id,
        equipment_name: args.equipment_name.unwrap_or_default(),
        mapping: Mapping {
            image_column: args.image_column,
            name_column: args.name_column,
            source_type: args.source_type,
            names: args.names.unwrap_or_default(),
        },
        max_samples: args.max_samples,
        outdir: Some(outdir.clone()),
    };
    Ok(Some((source, outdir)))
}

fn default_model(source: &SourceKind) -> &'static str {
    match source {
        SourceKind::Demo => "demo",
        _ => DEFAULT_MODEL,
    }
}

/// The demo model was trained on its own prompt.
fn default_prompt(labeler: &LabelerOptions) -> &'static str {
    match labeler {
        LabelerOptions::Local(ModelOptions { model, .. })
        | LabelerOptions::Remote(RemoteOptions { model, .. })
            if model == "demo" =>
        {
            "demo"
        }
        _ => "v2",
    }
}

fn default_outdir(kind: &SourceKind) -> Result<PathBuf> {
    let input = match kind {
        SourceKind::Demo => return Ok(PathBuf::from("demo-labels")),
        SourceKind::Database(path) | SourceKind::Manifest(path) | SourceKind::Folder(path) => path,
    };
    // `.` and `icons/..` must be resolved before their parent is known.
    let resolved = std::path::absolute(input).unwrap_or_else(|_| input.clone());
    let resolved = resolved.canonicalize().unwrap_or(resolved);
    resolved
        .parent()
        .map(|folder| folder.join("labels"))
        .ok_or_else(|| {
            usage(
                format!("{} has no parent folder for the labels", input.display()),
                "give --outdir",
            )
        })
}

fn model_options(args: ModelArgs, origins: &Origins, default_model: &str) -> Result<ModelOptions> {
    reject_both(
        origins,
        "quantize",
        "load_4bit",
        "--load-4bit is the same as --quantize q4k",
    )?;
    let quantize = if args.load_4bit && origins.applies("load_4bit") {
        Quantize::Q4K
    } else {
        args.quantize
            .filter(|_| origins.applies("quantize"))
            .unwrap_or_default()
    };
    let model = args.model.unwrap_or_else(|| default_model.to_owned());
    if model.trim().is_empty() {
        return Err(usage(
            "--model is empty",
            "give a Hugging Face id, a checkpoint folder, or `demo`",
        ));
    }
    Ok(ModelOptions {
        model,
        revision: args.revision.unwrap_or_else(|| "main".to_owned()),
        offline: args.offline || hub_offline(),
        device: args.device.unwrap_or(DeviceChoice::Auto),
        precision: args.precision.unwrap_or_default(),
        quantize,
        batch_size: args.batch_size.unwrap_or_default().number(),
        kv_memory: args.kv_memory,
    })
}

fn remote_options(
    endpoints: Vec<String>,
    model: String,
    concurrency: Option<u32>,
    offline: bool,
    wait: bool,
) -> Result<RemoteOptions> {
    for endpoint in &endpoints {
        base_url(endpoint)?;
    }
    Ok(RemoteOptions {
        endpoints,
        model,
        concurrency: concurrency.unwrap_or(32) as usize,
        api_key: std::env::var("LABELER_API_KEY")
            .ok()
            .map(|key| clean_key(&key).to_owned())
            .filter(|key| !key.is_empty())
            .map(crate::labeler::Secret::new),
        offline,
        wait,
    })
}

/// Trims line ends, blanks and a byte order mark, which surround a key read from a file.
fn clean_key(key: &str) -> &str {
    key.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Where a command runs its model: on a server with `--endpoint`, else in this process.
fn labeler_options(
    args: ModelArgs,
    origins: &Origins,
    default_model: &str,
) -> Result<LabelerOptions> {
    let endpoints = args.endpoint.clone();
    let in_flight = args.batch_size;
    let model = model_options(args, origins, default_model)?;
    Ok(if endpoints.is_empty() {
        LabelerOptions::Local(model)
    } else {
        let offline = model.offline;
        let in_flight = in_flight.unwrap_or_default().number();
        let in_flight = in_flight.map(|number| number as u32);
        LabelerOptions::Remote(remote_options(
            endpoints,
            model.model,
            in_flight,
            offline,
            false,
        )?)
    })
}

fn ask_options(args: AskArgs, origins: &Origins) -> Result<AskOptions> {
    Ok(AskOptions {
        labeler: labeler_options(args.model, origins, DEFAULT_MODEL)?,
        question: args.question,
        images: args.image,
        system: args.system,
        max_new_tokens: args.max_new_tokens.unwrap_or(DEFAULT_NEW_TOKENS) as usize,
        temperature: args.temperature,
        seed: args.seed,
        ignore_eos: args.ignore_eos,
        json: args.json,
    })
}

fn bench_options(args: BenchArgs, origins: &Origins) -> Result<BenchOptions> {
    Ok(BenchOptions {
        labeler: labeler_options(args.model, origins, DEFAULT_MODEL)?,
        icons: args.icons.map(|icons| icons as usize),
        new_tokens: args.new_tokens as usize,
        images: args.images,
        replay: args.replay,
        retry: args.retry,
        prompt: args.prompt_version,
        json: args.json,
    })
}

fn doctor_options(args: DoctorArgs, origins: &Origins) -> Result<DoctorOptions> {
    let outdir = args.data.outdir.clone();
    let (source, outdir) = match data_options(args.data, origins)? {
        Some((source, outdir)) => (Some(source), Some(outdir)),
        None => (None, outdir),
    };
    let model = source
        .as_ref()
        .map_or(DEFAULT_MODEL, |s| default_model(&s.kind));
    Ok(DoctorOptions {
        labeler: labeler_options(args.model, origins, model)?,
        source,
        outdir,
        json: args.json,
    })
}

fn selection(
    outdir: OutdirArgs,
    filter: Option<String>,
    vocabulary: VocabularyArgs,
) -> SelectionOptions {
    SelectionOptions {
        outdir: outdir.outdir,
        filter,
        vocabulary: vocabulary.vocabulary,
    }
}

fn export_options(args: ExportArgs) -> Result<DatasetOptions> {
    let options = DatasetOptions::from(args);
    let mut names: Vec<&str> = options
        .splits
        .iter()
        .map(|share| share.name.as_str())
        .collect();
    names.sort_unstable();
    if let Some(duplicate) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let cause = format!("--split names {} twice", duplicate[0]);
        return Err(usage(cause, "give each split its own name"));
    }
    Ok(options)
}

fn journal_options(command: JournalCommand) -> JournalOptions {
    let (action, outdir) = match command {
        JournalCommand::Backup { file, outdir } => (JournalAction::Backup(file), outdir),
        JournalCommand::Restore { file, outdir } => (JournalAction::Restore(file), outdir),
        JournalCommand::Check { outdir } => (JournalAction::Check, outdir),
        JournalCommand::Rebuild { outdir } => (JournalAction::Rebuild, outdir),
    };
    JournalOptions {
        action,
        outdir: outdir.outdir,
    }
}
