use super::invocation::RunOptions;
use super::*;
use crate::labeler::LabelerOptions;
use crate::outdir::PARQUET;
use crate::record::Background;
use crate::source::SourceKind;
use crate::vlm::{DeviceChoice, Precision, Quantize};
use std::path::PathBuf;

fn run(args: &[&str]) -> Result<Invocation, Rejected> {
    let mut all = vec![OsString::from("labeler-tui")];
    all.extend(args.iter().map(OsString::from));
    parse(all)
}

fn label(args: &[&str]) -> RunOptions {
    match run(args) {
        Ok(Invocation::Label(options)) => *options,
        other => panic!("{args:?} gave {other:?}"),
    }
}

fn usage_error(args: &[&str]) -> String {
    match run(args) {
        Err(Rejected::Error(e)) => {
            assert_eq!(e.exit_status(), 2);
            e.cause
        }
        Err(Rejected::Clap(e)) => {
            assert_eq!(e.exit_code(), 2);
            e.to_string()
        }
        Ok(other) => panic!("{args:?} gave {other:?}"),
    }
}

fn config(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labeler.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn the_clap_table_is_valid() {
    Cli::command().debug_assert();
}

#[test]
fn every_labeling_option_is_read_from_the_environment_too() {
    for arg in Cli::command().get_arguments() {
        let Some(name) = arg
            .get_long()
            .filter(|name| !["help", "version"].contains(name))
        else {
            continue;
        };
        let variable = format!("LABELER_{}", name.replace('-', "_").to_uppercase());
        assert_eq!(arg.get_env(), Some(variable.as_ref()), "--{name}");
    }
}

#[test]
fn defaults_are_as_documented() {
    let options = label(&["--db", "x/db.sqlite"]);
    assert_eq!(
        options.source.kind,
        SourceKind::Database(PathBuf::from("x/db.sqlite"))
    );
    assert!(options.engine.outdir.ends_with("x/labels"));
    assert_eq!(options.icon.upscale, 2);
    assert_eq!(options.icon.background, Background::White);
    assert_eq!(options.prompt.version, "v2");
    assert_eq!(options.engine.max_new_tokens, 384);
    assert!(!options.engine.commit_automatically);
    assert!(options.engine.resume, "the workstation always resumes");
    let LabelerOptions::Local(model) = options.labeler else {
        panic!("not local")
    };
    assert_eq!(model.model, "Qwen/Qwen2-VL-2B-Instruct");
    assert_eq!(model.revision, "main");
    assert_eq!(model.batch_size, None);
    assert_eq!(model.quantize, Quantize::Auto);
}

#[test]
fn the_demo_has_its_own_defaults() {
    let options = label(&["--demo", "--batch"]);
    assert_eq!(options.source.kind, SourceKind::Demo);
    assert_eq!(options.engine.outdir, PathBuf::from("demo-labels"));
    assert_eq!(options.prompt.version, "demo");
    assert!(options.engine.commit_automatically && !options.engine.resume);
    let LabelerOptions::Local(model) = options.labeler else {
        panic!("not local")
    };
    assert_eq!(model.model, "demo");
}

#[test]
fn kv_memory_is_a_number_with_a_unit() {
    let given = |size: &str| {
        let options = label(&["--demo", "--kv-memory", size]);
        match options.labeler {
            LabelerOptions::Local(model) => model.kv_memory.unwrap(),
            _ => panic!("not local"),
        }
    };
    assert_eq!(given("4GiB"), 4 << 30);
    assert_eq!(given("1.5 g"), 3 << 29);
    assert_eq!(given("512mib"), 512 << 20);
    assert_eq!(given("500MB"), 500_000_000);
    for wrong in ["4", "GiB", "4 potatoes", "1kb"] {
        let message = usage_error(&["--demo", "--kv-memory", wrong]);
        assert!(message.contains("--kv-memory"), "{wrong}: {message}");
    }
}

#[test]
fn a_number_out_of_its_range_is_refused_with_the_range() {
    let ask = |args: &[&'static str]| [&["ask", "what?"], args].concat();
    for (args, expected) in [
        (vec!["--demo", "--opinions", "1000"], "from 0 to 8"),
        (vec!["--demo", "--examples", "-1"], "from 0 to 8"),
        (
            vec!["--demo", "--kv-memory", "-1GiB"],
            "is not a size such as 4GiB",
        ),
        (ask(&["--seed", "-1"]), "from 0 to 18446744073709551615"),
        (ask(&["--temperature", "-1"]), "a number of 0 or more"),
    ] {
        let message = usage_error(&args);
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}

#[test]
fn values_of_other_programs_are_accepted() {
    let model = |args: &[&str]| {
        let args = [&["--demo"], args].concat();
        match label(&args).labeler {
            LabelerOptions::Local(model) => model,
            other => panic!("{other:?}"),
        }
    };
    for (word, precision) in [
        ("float32", Precision::Fp32),
        ("bfloat16", Precision::Bf16),
        ("float16", Precision::Fp16),
        ("BF16", Precision::Bf16),
    ] {
        assert_eq!(model(&["--precision", word]).precision, precision, "{word}");
    }
    for (word, quantize) in [
        ("int4", Quantize::Q4K),
        ("4bit", Quantize::Q4K),
        ("int8", Quantize::Q8_0),
        ("Q4K", Quantize::Q4K),
        ("None", Quantize::None),
    ] {
        assert_eq!(model(&["--quantize", word]).quantize, quantize, "{word}");
    }
    for (word, device) in [
        ("mps", DeviceChoice::Metal),
        ("CPU", DeviceChoice::Cpu),
        ("CUDA:1", DeviceChoice::Cuda(1)),
    ] {
        assert_eq!(model(&["--device", word]).device, device, "{word}");
    }
    let options = label(&["--demo", "--log-level", "INFO", "--lang", "KO"]);
    assert_eq!(options.log_level, tracing::Level::INFO);
}

#[test]
fn exactly_one_source() {
    assert!(usage_error(&[]).contains("nothing to label"));
    assert!(usage_error(&["--db", "a", "--input", "b"]).contains("--db, --input"));
}

#[test]
fn conflicting_options_are_usage_errors() {
    for args in [
        &["--demo", "--no-image", "--no-metadata"][..],
        &["--demo", "--json"],
        &["--demo", "--run-id", "r"],
        &["--demo", "--batch", "--no-model"],
        &["--demo", "--quantize", "none", "--load-4bit"],
        &["--demo", "--prompt", "p.toml", "--prompt-version", "v1"],
        &["--demo", "--upscale", "9"],
        &["--demo", "--upscale", "0"],
        &["--demo", "--alpha-bg", "pink"],
        &["--demo", "--device", "cuda:x"],
        &["--demo", "--endpoint", "host:8000"],
        &["--demo", "--model", " "],
        &["--demo", "ask", "what?"],
        &["--nonsense"],
    ] {
        usage_error(args);
    }
}

#[test]
fn flags_override_the_config_file() {
    let (_dir, path) = config(
        "db = \"a.sqlite\"\nbatch-size = 4\nupscale = 3\nparquet = true\nresume = false\n\
         endpoint = [\"http://a/v1\", \"http://b/v1\"]\nquantize = \"none\"\n",
    );
    let options = label(&[
        "--config",
        &path,
        "--upscale",
        "5",
        "--batch",
        "--load-4bit",
    ]);
    assert_eq!(
        options.source.kind,
        SourceKind::Database(PathBuf::from("a.sqlite"))
    );
    assert_eq!(options.icon.upscale, 5);
    assert!(!options.engine.resume);
    assert_eq!(options.engine.exports, [PARQUET]);
    let LabelerOptions::Remote(remote) = options.labeler else {
        panic!("not remote")
    };
    assert_eq!(remote.endpoints, ["http://a/v1", "http://b/v1"]);
}

#[test]
fn a_source_on_the_command_line_overrides_the_source_in_the_file() {
    let (_dir, path) = config("db = \"a.sqlite\"\nno-image = true\n");
    let options = label(&["--config", &path, "--images", "icons", "--no-metadata"]);
    assert_eq!(
        options.source.kind,
        SourceKind::Folder(PathBuf::from("icons"))
    );
    assert!(options.icon.with_image && !options.prompt.with_metadata);
}

#[test]
fn mistakes_in_the_file_are_usage_errors() {
    for text in [
        "batchsize = 4\n",
        "config = \"other.toml\"\n",
        "batch-size = \"many\"\n",
        "batch-size = [1, 2]\n",
        "parquet = \"yes\"\n",
        "outdir = 3\n",
        "parquet = \n",
        "db = \"a\"\ninput = \"b\"\n",
    ] {
        let (_dir, path) = config(text);
        usage_error(&["--demo", "--config", &path][if text.starts_with("db") { 1.. } else { 0.. }]);
    }
    assert!(usage_error(&["--demo", "--config", "/nowhere/x.toml"]).contains("/nowhere/x.toml"));
}

#[test]
fn one_file_serves_all_commands() {
    let (_dir, path) = config("db = \"a.sqlite\"\nmodel = \"m\"\ndevice = \"cuda:1\"\n");
    let Ok(Invocation::Ask(ask)) = run(&["ask", "--config", &path, "what?", "--image", "i.png"])
    else {
        panic!("not ask")
    };
    let LabelerOptions::Local(model) = ask.labeler else {
        panic!("not local")
    };
    assert_eq!(model.model, "m");
    assert_eq!(model.device, DeviceChoice::Cuda(1));
    assert_eq!(ask.images, [PathBuf::from("i.png")]);
}

#[test]
fn completions_and_manual_list_the_options() {
    let mut out = Vec::new();
    write_completions(Shell::Bash, &mut out).unwrap();
    assert!(String::from_utf8_lossy(&out).contains("--quality-retry"));
    out.clear();
    write_man(&[], &mut out).unwrap();
    assert!(String::from_utf8_lossy(&out).contains("quality\\-retry"));
}

#[test]
fn the_manual_page_has_the_usual_sections() {
    let page = |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let mut out = Vec::new();
        write_man(&command, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let full = page(&[]);
    for section in [
        "SYNOPSIS",
        "OPTIONS",
        "EXAMPLES",
        "FILES",
        "ENVIRONMENT",
        "\"EXIT STATUS\"",
    ] {
        assert!(
            full.contains(&format!(".SH {section}")),
            "{section} in\n{full}"
        );
    }
    assert!(page(&["journal", "backup"]).contains("labeler\\-tui journal backup"));
}

#[test]
fn the_long_help_has_sections_that_the_short_help_lacks() {
    let help = |flag: &str| match run(&[flag]) {
        Err(Rejected::Clap(text)) => text.to_string(),
        other => panic!("{flag} gave {other:?}"),
    };
    let (short, long) = (help("-h"), help("--help"));
    assert!(short.contains("See --help") && !short.contains("Examples:"));
    for part in [
        "Examples:",
        "Environment:",
        "Exit status:",
        "HF_HUB_OFFLINE",
    ] {
        assert!(long.contains(part), "{part} in\n{long}");
    }
    assert!(help("help").contains("Examples:"));
}
