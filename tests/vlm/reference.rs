//! Pixels, features, logits and answers match the reference.

use super::*;

#[test]
fn pixels_match_the_reference() {
    for (fixture, model) in models() {
        let [mean, std] = normalization(fixture);
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
                let Some(levels) = answers.get(&format!("{name}.levels")) else {
                    continue;
                };
                let per_channel = levels.dim(1).unwrap() / 3;
                let levels: Vec<u8> = levels.flatten_all().unwrap().to_vec1().unwrap();
                assert_eq!(levels.len(), patches.pixels.len());
                for (i, (level, pixel)) in levels.iter().zip(&patches.pixels).enumerate() {
                    let channel = i / per_channel % 3;
                    let ours = (pixel * std[channel] + mean[channel]) * 255.0;
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
fn features_and_logits_match_the_reference() {
    for (fixture, model) in models() {
        let (cases, answers) = reference(fixture);
        for case in &cases {
            let images = images(&model, case);
            if !images.is_empty() {
                // The placeholders' embeddings, and the additions after each layer.
                let mut parts = vec!["features".to_owned()];
                let count = images[0].features.additions.len();
                parts.extend((0..count).map(|layer| format!("additions.{layer}")));
                let one_more = format!("{}.additions.{count}", case.name);
                assert!(!answers.contains_key(&one_more), "{fixture}: {count}");
                for (i, part) in parts.iter().enumerate() {
                    let of = |image: &ImageFeatures| match i {
                        0 => image.features.embeddings.clone(),
                        layer => image.features.additions[layer - 1].clone(),
                    };
                    let all: Vec<Tensor> = images.iter().map(of).collect();
                    let features = Tensor::cat(&all, 0).unwrap();
                    let expected = &answers[&format!("{}.{part}", case.name)];
                    let distance = furthest(&features, expected);
                    assert!(
                        distance < 1e-4,
                        "{fixture} {}: {part} off by {distance}",
                        case.name
                    );
                }
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
fn greedy_answers_match_the_reference() {
    for (fixture, model) in models() {
        for case in reference(fixture).0 {
            let mut sequence = new_sequence(&model, None);
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

#[test]
fn eight_bit_weights_stay_close() {
    for fixture in FIXTURES {
        let exact = load(fixture, None);
        let coarse = load(fixture, Some(Quantization::Q8_0));
        assert!(coarse.step_bytes() < exact.step_bytes());
        for case in reference(fixture).0 {
            let logits = |model| {
                let logits = prompt_logits(model, &case).flatten_all().unwrap();
                logits.to_vec1::<f32>().unwrap()
            };
            let cosine = cosine(&logits(&exact), &logits(&coarse));
            assert!(cosine >= 0.999, "{fixture} {}: {cosine}", case.name);
        }
    }
}

#[test]
fn half_precision_tensors_stay_close() {
    for fixture in FIXTURES {
        let exact = load(fixture, None);
        for (dtype, least) in [(DType::BF16, 0.998), (DType::F16, 0.9999)] {
            let mut options = options(None);
            (options.backend, options.dtype) = (Backend::Tensors, dtype);
            let coarse = load_with(fixture, &options);
            for case in reference(fixture).0 {
                let logits = |model| {
                    let logits = prompt_logits(model, &case).flatten_all().unwrap();
                    logits.to_vec1::<f32>().unwrap()
                };
                let cosine = cosine(&logits(&exact), &logits(&coarse));
                assert!(
                    cosine >= least,
                    "{fixture} {} {dtype:?}: {cosine}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn half_precision_weights_are_multiplied_in_f32() {
    // This checkpoint is stored as bf16, so loading it as bf16 loses nothing.
    let files = CheckpointFiles::folder(&fixtures().join("nested")).unwrap();
    let mut options = options(None);
    options.dtype = DType::BF16;
    let model = vlm::load(&files, &options, &mut |_, _| {}).unwrap();
    let (cases, answers) = reference("nested");
    for case in &cases {
        let logits = rows(&prompt_logits(&model, case), &case.logit_rows);
        assert!(furthest(&logits, &answers[&format!("{}.logits", case.name)]) < 1e-4);
    }
}
