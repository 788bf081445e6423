//! The model against the reference's answers in `tests/fixtures`, and against itself.

use candle_core::{DType, Device, Tensor};
use labeler_tui::icon::{self, Picture};
use labeler_tui::qwen2vl::{
    CheckpointFiles, Grid, ImageFeatures, ImagePatches, LoadOptions, Quantization, Qwen2Vl,
    Sequence, SequenceStep,
};
use labeler_tui::record::Background;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FIXTURES: [&str; 3] = ["flat", "nested", "parts"];

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    images: Vec<String>,
    token_ids: Vec<u32>,
    grids: Vec<[usize; 3]>,
    logit_rows: Vec<usize>,
    greedy: Vec<u32>,
    logprobs: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn load(fixture: &str, quantization: Option<Quantization>) -> Qwen2Vl {
    let files = CheckpointFiles::folder(&fixtures().join(fixture)).unwrap();
    Qwen2Vl::load(&files, &options(quantization), &mut |_, _| {}).unwrap()
}

fn options(quantization: Option<Quantization>) -> LoadOptions {
    LoadOptions {
        device: Device::Cpu,
        dtype: DType::F32,
        quantization,
        cache: None,
    }
}

fn reference(fixture: &str) -> (Vec<Case>, HashMap<String, Tensor>) {
    let folder = fixtures().join(fixture).join("reference");
    let cases = std::fs::read(folder.join("cases.json")).unwrap();
    let reference: Reference = serde_json::from_slice(&cases).unwrap();
    let answers = folder.join("answers.safetensors");
    let answers = candle_core::safetensors::load(answers, &Device::Cpu).unwrap();
    (reference.cases, answers)
}

fn picture(file: &str) -> Picture {
    let bytes = std::fs::read(fixtures().join("images").join(file)).unwrap();
    icon::picture(&icon::decode(&bytes).unwrap(), 1, Background::White)
}

fn patches(model: &Qwen2Vl, case: &Case) -> Vec<ImagePatches> {
    let files = case.images.iter();
    files
        .map(|file| ImagePatches::new(&picture(file), &model.config().image).unwrap())
        .collect()
}

fn images(model: &Qwen2Vl, case: &Case) -> Vec<ImageFeatures> {
    model.encode_images(&patches(model, case)).unwrap()
}

fn furthest(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let distance = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    distance.max(0).unwrap().to_scalar().unwrap()
}

fn rows(x: &Tensor, rows: &[usize]) -> Tensor {
    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    let rows = Tensor::new(rows, &Device::Cpu).unwrap();
    x.index_select(&rows, 0).unwrap()
}

fn feed(
    model: &Qwen2Vl,
    sequence: &mut Sequence,
    tokens: &[u32],
    images: &[ImageFeatures],
) -> Tensor {
    let mut step = [SequenceStep {
        sequence,
        tokens,
        images,
        logits: 0..tokens.len(),
    }];
    model.forward(&mut step).unwrap().remove(0)
}

/// Logits of every token of a case's prompt.
fn prompt_logits(model: &Qwen2Vl, case: &Case) -> Tensor {
    let images = images(model, case);
    feed(model, &mut model.sequence(None), &case.token_ids, &images)
}

fn last_row(logits: &Tensor) -> Vec<f32> {
    let last = logits.dim(0).unwrap() - 1;
    logits.get(last).unwrap().to_vec1().unwrap()
}

fn best(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.unwrap() as u32
}

fn log_probability(logits: &[f32], token: u32) -> f32 {
    logits[token as usize] - labeler_tui::qwen2vl::ops::log_sum_exp(logits)
}

#[test]
fn pixels_are_those_of_the_reference() {
    for fixture in FIXTURES {
        let model = load(fixture, None);
        let image = &model.config().image;
        let (cases, answers) = reference(fixture);
        for case in &cases {
            for ((file, patches), grid) in case
                .images
                .iter()
                .zip(patches(&model, case))
                .zip(&case.grids)
            {
                let [t, h, w] = *grid;
                assert_eq!(patches.grid, Grid { t, h, w });
                let name = file.trim_end_matches(".png");
                let levels: Vec<u8> = answers[&format!("{name}.levels")]
                    .flatten_all()
                    .unwrap()
                    .to_vec1()
                    .unwrap();
                assert_eq!(levels.len(), patches.pixels.len());
                let per_channel = 2 * 14 * 14;
                for (i, (level, pixel)) in levels.iter().zip(&patches.pixels).enumerate() {
                    let channel = i / per_channel % 3;
                    let ours = (pixel * image.std[channel] + image.mean[channel]) * 255.0;
                    assert!(
                        (ours - f32::from(*level)).abs() < 1.01,
                        "{fixture} {file} number {i}: {ours}, not {level}"
                    );
                }
                if let Some(pixels) = answers.get(&format!("{name}.pixels")) {
                    let ours = Tensor::from_slice(&patches.pixels, pixels.dims(), &Device::Cpu);
                    let one_step = 1.01 / 255.0 / 0.26;
                    assert!(furthest(&ours.unwrap(), pixels) < one_step);
                }
            }
        }
    }
}

#[test]
fn features_and_logits_are_those_of_the_reference() {
    for fixture in FIXTURES {
        let model = load(fixture, None);
        let (cases, answers) = reference(fixture);
        for case in &cases {
            let images = images(&model, case);
            if !images.is_empty() {
                let all: Vec<&Tensor> = images.iter().map(|image| &image.features).collect();
                let features = Tensor::cat(&all, 0).unwrap();
                let distance = furthest(&features, &answers[&format!("{}.features", case.name)]);
                assert!(
                    distance < 1e-4,
                    "{fixture} {}: features off by {distance}",
                    case.name
                );
            }
            let logits = prompt_logits(&model, case);
            let expected = &answers[&format!("{}.logits", case.name)];
            let distance = furthest(&rows(&logits, &case.logit_rows), expected);
            assert!(
                distance < 1e-4,
                "{fixture} {}: logits off by {distance}",
                case.name
            );
        }
    }
}

#[test]
fn greedy_answers_are_those_of_the_reference() {
    for fixture in FIXTURES {
        let model = load(fixture, None);
        for case in reference(fixture).0 {
            let mut sequence = model.sequence(None);
            let images = images(&model, &case);
            let mut logits = last_row(&feed(&model, &mut sequence, &case.token_ids, &images));
            for (token, logprob) in case.greedy.iter().zip(&case.logprobs) {
                assert_eq!(best(&logits), *token, "{fixture} {}", case.name);
                assert!((log_probability(&logits, *token) - logprob).abs() < 1e-4);
                logits = last_row(&feed(&model, &mut sequence, &[*token], &[]));
            }
        }
    }
}

/// Two different orders of the same sums agree to this.
const SAME: f32 = 5e-5;

#[test]
fn later_tokens_never_change_earlier_logits() {
    let model = load("flat", None);
    let case = &reference("flat").0[1];
    let whole = prompt_logits(&model, case);
    let images = images(&model, case);
    let cut = case.token_ids.len() - 9;
    let mut changed = case.token_ids.clone();
    changed[cut..].reverse();
    let other = feed(&model, &mut model.sequence(None), &changed, &images);
    let head = |x: &Tensor| x.narrow(0, 0, cut).unwrap();
    assert!(furthest(&head(&whole), &head(&other)) < SAME);
    assert!(
        furthest(&whole, &other) > 0.1,
        "the change does reach later ones"
    );
}

#[test]
fn a_prompt_in_chunks_equals_the_prompt_at_once() {
    for fixture in FIXTURES {
        let model = load(fixture, None);
        for case in reference(fixture)
            .0
            .iter()
            .filter(|case| case.images.is_empty())
        {
            let whole = prompt_logits(&model, case);
            for size in [1, 7, 16, 33] {
                let mut sequence = model.sequence(None);
                let parts: Vec<Tensor> = case
                    .token_ids
                    .chunks(size)
                    .map(|chunk| feed(&model, &mut sequence, chunk, &[]))
                    .collect();
                let parts = Tensor::cat(&parts, 0).unwrap();
                let distance = furthest(&parts, &whole);
                assert!(distance < SAME, "{fixture} in pieces of {size}: {distance}");
            }
        }
    }
}

#[test]
fn a_sequence_alone_equals_itself_among_others() {
    let model = load("parts", None);
    let (cases, _) = reference("parts");
    let features: Vec<Vec<ImageFeatures>> = cases.iter().map(|case| images(&model, case)).collect();
    // Seven sequences at different points: some begin, some go on with one token or a few.
    let mut sequences: Vec<Sequence> = (0..7).map(|_| model.sequence(None)).collect();
    for (i, sequence) in sequences.iter_mut().enumerate().skip(4) {
        feed(&model, sequence, &cases[i % 5].token_ids, &features[i % 5]);
    }
    let mut steps: Vec<SequenceStep> = sequences
        .iter_mut()
        .enumerate()
        .map(|(i, sequence)| {
            let going_on = i >= 4;
            let tokens = match going_on {
                true => &cases[0].greedy[..i - 3],
                false => &cases[i].token_ids[..],
            };
            SequenceStep {
                sequence,
                tokens,
                images: if going_on { &[] } else { &features[i] },
                logits: 0..tokens.len(),
            }
        })
        .collect();
    let together = model.forward(&mut steps).unwrap();
    for (i, together) in together.iter().enumerate() {
        let mut alone = model.sequence(None);
        let logits = if i >= 4 {
            feed(
                &model,
                &mut alone,
                &cases[i % 5].token_ids,
                &features[i % 5],
            );
            feed(&model, &mut alone, &cases[0].greedy[..i - 3], &[])
        } else {
            feed(&model, &mut alone, &cases[i].token_ids, &features[i])
        };
        assert!(furthest(together, &logits) < SAME, "sequence {i}");
    }
}

#[test]
fn a_shared_prefix_equals_none() {
    for fixture in FIXTURES {
        let model = load(fixture, None);
        for case in reference(fixture).0 {
            let first_image = model.config().vision_start_token_id;
            let end = case
                .token_ids
                .iter()
                .position(|token| *token == first_image);
            let shared = end.unwrap_or(case.token_ids.len() / 2);
            let mut sequence = model.sequence(None);
            feed(&model, &mut sequence, &case.token_ids[..shared], &[]);
            let prefix = Arc::new(sequence.into_prefix().unwrap());
            let images = images(&model, &case);
            let whole = prompt_logits(&model, &case);
            for _ in 0..2 {
                let mut sequence = model.sequence(Some(Arc::clone(&prefix)));
                let rest = feed(&model, &mut sequence, &case.token_ids[shared..], &images);
                let expected = whole
                    .narrow(0, shared, case.token_ids.len() - shared)
                    .unwrap();
                assert!(furthest(&rest, &expected) < SAME, "{fixture} {}", case.name);
                assert_eq!(sequence.len(), case.token_ids.len());
            }
        }
    }
}

#[test]
fn going_back_equals_never_having_gone_there() {
    let model = load("nested", None);
    let case = &reference("nested").0[2];
    let images = images(&model, case);
    let mut sequence = model.sequence(None);
    feed(&model, &mut sequence, &case.token_ids, &images);
    let straight = feed(&model, &mut sequence, &case.greedy[..5], &[]);
    for detour in [1, 20, 40] {
        sequence.truncate(case.token_ids.len()).unwrap();
        feed(&model, &mut sequence, &case.greedy[5..5 + detour], &[]);
        sequence.truncate(case.token_ids.len()).unwrap();
        let again = feed(&model, &mut sequence, &case.greedy[..5], &[]);
        assert_eq!(furthest(&straight, &again), 0.0);
    }
    assert!(sequence.truncate(10_000).is_err());
}

#[test]
fn a_step_that_cannot_be_computed_leaves_the_sequence_as_it_was() {
    let model = load("flat", None);
    let case = &reference("flat").0[1];
    let images = images(&model, case);
    let mut sequence = model.sequence(None);
    let refused = |sequence: &mut Sequence, tokens: &[u32], images: &[ImageFeatures]| {
        let mut steps = [SequenceStep {
            sequence,
            tokens,
            images,
            logits: 0..1,
        }];
        model.forward(&mut steps).unwrap_err().to_string()
    };
    let twice = [images.clone(), images.clone()].concat();
    let error = refused(&mut sequence, &case.token_ids, &twice);
    assert!(error.contains("more images"), "{error}");
    let error = refused(&mut sequence, &[1, 2, 3], &images);
    assert!(error.contains("image"), "{error}");
    let error = refused(&mut sequence, &[1_000_000], &[]);
    assert!(error.contains("vocabulary"), "{error}");
    let error = refused(&mut sequence, &[1; 5000], &[]);
    assert!(error.contains("5000"), "{error}");
    assert!(sequence.is_empty());
    let logits = feed(&model, &mut sequence, &case.token_ids, &images);
    assert_eq!(furthest(&logits, &prompt_logits(&model, case)), 0.0);
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn eight_bit_weights_stay_close() {
    for fixture in FIXTURES {
        let exact = load(fixture, None);
        let coarse = load(fixture, Some(Quantization::Q8_0));
        assert!(coarse.step_bytes() < exact.step_bytes());
        for case in reference(fixture).0 {
            let numbers = |model| {
                let logits = prompt_logits(model, &case).flatten_all().unwrap();
                logits.to_vec1::<f32>().unwrap()
            };
            let cosine = cosine(&numbers(&exact), &numbers(&coarse));
            assert!(cosine >= 0.999, "{fixture} {}: {cosine}", case.name);
        }
    }
}

#[test]
fn half_precision_weights_need_no_half_precision_sums() {
    // This checkpoint is stored as bf16, so keeping that loses nothing.
    let files = CheckpointFiles::folder(&fixtures().join("nested")).unwrap();
    let mut options = options(None);
    options.dtype = DType::BF16;
    let model = Qwen2Vl::load(&files, &options, &mut |_, _| {}).unwrap();
    let (cases, answers) = reference("nested");
    for case in &cases {
        let logits = rows(&prompt_logits(&model, case), &case.logit_rows);
        assert!(furthest(&logits, &answers[&format!("{}.logits", case.name)]) < 1e-4);
    }
}

/// A copy of a fixture, to be spoilt.
fn copy(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures().join(fixture)).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    folder
}

/// What loading says of a folder; it must not succeed.
fn refusal(folder: &Path) -> String {
    let loaded = CheckpointFiles::folder(folder)
        .and_then(|files| Qwen2Vl::load(&files, &options(None), &mut |_, _| {}));
    loaded.unwrap_err().cause
}

fn edit_config(folder: &Path, file: &str, edit: impl Fn(&mut serde_json::Value)) {
    let path = folder.join(file);
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = copy("flat");
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(folder.path());
        assert!(
            error.contains("model.safetensors"),
            "{length} bytes: {error}"
        );
    }
    let mut noise = whole;
    noise[8..40].fill(b'x');
    std::fs::write(&path, noise).unwrap();
    assert!(refusal(folder.path()).contains("model.safetensors"));
}

#[test]
fn tensors_that_do_not_fit_are_listed() {
    let folder = copy("flat");
    edit_config(folder.path(), "config.json", |config| {
        config["num_hidden_layers"] = 3.into();
        config["vision_config"]["depth"] = 1.into();
    });
    let error = refusal(folder.path());
    let (missing, unused) = error.split_once("; not used: ").unwrap();
    assert!(
        missing.contains("model.layers.2.self_attn.q_proj.weight [64, 64]"),
        "{error}"
    );
    assert!(unused.contains("visual.blocks.1."), "{error}");

    let folder = copy("flat");
    edit_config(folder.path(), "config.json", |config| {
        config["intermediate_size"] = 96.into();
    });
    let error = refusal(folder.path());
    assert!(
        error.contains("[64, 96] (the file has [64, 128])"),
        "{error}"
    );
}

#[test]
fn a_configuration_that_makes_no_sense_is_an_error() {
    let edits: [(&str, &str, serde_json::Value, &str); 9] = [
        ("config.json", "/model_type", "llama".into(), "llama"),
        ("config.json", "/num_attention_heads", 5.into(), "heads"),
        ("config.json", "/num_key_value_heads", 3.into(), "key/value"),
        ("config.json", "/num_key_value_heads", 0.into(), "key/value"),
        ("config.json", "/hidden_size", 0.into(), "hidden_size"),
        (
            "config.json",
            "/rope_scaling/mrope_section",
            vec![1, 1, 1].into(),
            "mrope_section",
        ),
        ("config.json", "/rope_scaling/type", "yarn".into(), "yarn"),
        (
            "config.json",
            "/image_token_id",
            5_000_000.into(),
            "5000000",
        ),
        (
            "preprocessor_config.json",
            "/max_pixels",
            1.into(),
            "pixels",
        ),
    ];
    for (file, pointer, value, expected) in edits {
        let folder = copy("flat");
        edit_config(folder.path(), file, |config| {
            *config.pointer_mut(pointer).unwrap() = value.clone();
        });
        let error = refusal(folder.path());
        assert!(error.contains(expected), "{pointer}: {error}");
        assert!(error.contains(file), "{pointer}: {error}");
    }
    let folder = copy("flat");
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(refusal(folder.path()).contains("config.json"));
}
