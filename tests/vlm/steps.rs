//! The logits of a sequence do not depend on how it is divided into steps.

use super::*;

#[test]
fn later_tokens_never_change_earlier_logits() {
    for (fixture, model) in models() {
        let case = &reference(fixture).0[1];
        let whole = prompt_logits(&model, case);
        let images = images(&model, case);
        let cut = case.token_ids.len() - 9;
        let mut changed = case.token_ids.clone();
        changed[cut..].reverse();
        let other = feed(&model, &mut new_sequence(&model, None), &changed, &images);
        let head = |x: &Tensor| x.narrow(0, 0, cut).unwrap();
        let distance = furthest(&head(&whole), &head(&other));
        assert!(distance < SAME, "{fixture}: {distance}");
        assert!(
            furthest(&whole, &other) > 0.1,
            "the change must affect later logits"
        );
    }
}

#[test]
fn a_prompt_in_chunks_equals_the_prompt_at_once() {
    for (fixture, model) in models() {
        for case in reference(fixture)
            .0
            .iter()
            .filter(|case| case.images.is_empty())
        {
            let whole = prompt_logits(&model, case);
            for size in [1, 7, 16, 33] {
                let mut sequence = new_sequence(&model, None);
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
fn a_sequence_gets_the_same_logits_in_any_batch() {
    for (fixture, model) in models() {
        let (cases, _) = reference(fixture);
        let features: Vec<Vec<ImageFeatures>> =
            cases.iter().map(|case| images(&model, case)).collect();
        // Seven sequences in different states: some start, some continue with one or more tokens.
        let pool = model.pool();
        let new = |_| model.sequence(None, Some(&pool)).unwrap();
        let mut sequences: Vec<Sequence> = (0..7).map(new).collect();
        for (i, sequence) in sequences.iter_mut().enumerate().skip(4) {
            feed(&model, sequence, &cases[i % 5].token_ids, &features[i % 5]);
        }
        let mut steps: Vec<SequenceStep> = sequences
            .iter_mut()
            .enumerate()
            .map(|(i, sequence)| {
                let continues = i >= 4;
                let tokens = match continues {
                    true => &cases[0].greedy[..i - 3],
                    false => &cases[i].token_ids[..],
                };
                SequenceStep {
                    sequence,
                    tokens,
                    images: if continues { &[] } else { &features[i] },
                    logits: 0..tokens.len(),
                }
            })
            .collect();
        let together = model.forward(&mut steps).unwrap();
        for (i, together) in together.iter().enumerate() {
            let mut alone = new_sequence(&model, None);
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
            let distance = furthest(together, &logits);
            assert!(distance < SAME, "{fixture} sequence {i}: {distance}");
        }
    }
}

#[test]
fn a_shared_prefix_does_not_change_logits() {
    for (fixture, model) in models() {
        for case in reference(fixture).0 {
            let shared = before_images(&model, &case).unwrap_or(case.token_ids.len() / 2);
            let mut sequence = new_sequence(&model, None);
            feed(&model, &mut sequence, &case.token_ids[..shared], &[]);
            let prefix = Arc::new(sequence.into_prefix().unwrap());
            let images = images(&model, &case);
            let whole = prompt_logits(&model, &case);
            for _ in 0..2 {
                let mut sequence = new_sequence(&model, Some(Arc::clone(&prefix)));
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
fn a_failed_step_leaves_the_sequence_unchanged() {
    for model in both("flat") {
        let case = &reference("flat").0[1];
        let images = images(&model, case);
        let mut sequence = new_sequence(&model, None);
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
}
