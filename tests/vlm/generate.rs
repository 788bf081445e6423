//! The generator with many requests in flight, as the labeler uses it.

use super::*;
use labeler_tui::error::{Error, ErrorKind, Result};
use labeler_tui::vlm::{
    Constraint, FinishReason, GenerateEvent, GenerateRequest, GeneratedToken, Generator,
    GeneratorOptions, Sampling,
};
use std::collections::BTreeMap;

const NEW_TOKENS: usize = 48;

fn generator(model: &Model, slots: usize, step_tokens: usize) -> Generator<'_> {
    let options = GeneratorOptions {
        slots,
        step_tokens,
        cache_bytes: 64 << 20,
    };
    Generator::new(model, options)
}

/// A case as a request, with its first `shared` tokens as the shared prefix.
fn request(model: &Model, case: &Case, ticket: u64, shared: usize) -> GenerateRequest {
    let (prefix, tokens) = case.token_ids.split_at(shared);
    GenerateRequest {
        ticket,
        prefix: prefix.into(),
        tokens: tokens.to_vec(),
        images: patches(model, case),
        max_new_tokens: NEW_TOKENS,
        sampling: Sampling::GREEDY,
        ignore_eos: false,
        keep_prompt: false,
        urgent: false,
        constraint: None,
    }
}

#[derive(Default, Debug)]
struct Answer {
    tokens: Vec<GeneratedToken>,
    end: Option<(FinishReason, Option<u32>)>,
    error: Option<Error>,
    prompt: usize,
}

impl Answer {
    fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }
}

/// Steps until idle.
fn finish(generator: &mut Generator) -> BTreeMap<u64, Answer> {
    finish_after(Vec::new(), generator)
}

/// Like [`finish`], starting with the events of earlier steps.
fn finish_after(
    mut events: Vec<GenerateEvent>,
    generator: &mut Generator,
) -> BTreeMap<u64, Answer> {
    let mut answers: BTreeMap<u64, Answer> = BTreeMap::new();
    while !events.is_empty() || !generator.is_idle() {
        for event in std::mem::take(&mut events) {
            match event {
                GenerateEvent::Token { ticket, token } => {
                    answers.entry(ticket).or_default().tokens.push(token);
                }
                GenerateEvent::Done {
                    ticket,
                    reason,
                    end,
                    counts,
                    ..
                } => {
                    let answer = answers.entry(ticket).or_default();
                    assert_eq!(counts.generated, answer.tokens.len());
                    answer.end = Some((reason, end.map(|token| token.id)));
                    answer.prompt = counts.prompt;
                }
                GenerateEvent::Failed { ticket, error } => {
                    answers.entry(ticket).or_default().error = Some(error);
                }
            }
        }
        events = generator.step();
    }
    answers
}

/// The reference answer up to the first end token.
fn expected(model: &Model, case: &Case) -> Vec<u32> {
    let ends = &model.spec().end_tokens;
    let tokens = case.greedy.iter().copied();
    tokens.take_while(|token| !ends.contains(token)).collect()
}

fn shared_len(model: &Model, case: &Case) -> usize {
    before_images(model, case).unwrap_or(case.token_ids.len() / 2)
}

#[test]
fn batched_requests_get_the_reference_answers() {
    for (fixture, model) in models() {
        let cases = reference(fixture).0;
        // Fewer slots than requests, and steps too small for a whole prompt.
        for (slots, step_tokens) in [(1, 512), (3, 20), (20, 64)] {
            let mut generator = generator(&model, slots, step_tokens);
            for ticket in 0..12 {
                let case = &cases[ticket % cases.len()];
                let shared = if ticket < 6 {
                    shared_len(&model, case)
                } else {
                    0
                };
                generator.add(request(&model, case, ticket as u64, shared));
            }
            let answers = finish(&mut generator);
            assert_eq!(answers.len(), 12);
            for (ticket, answer) in answers {
                let case = &cases[ticket as usize % cases.len()];
                let expected = expected(&model, case);
                assert_eq!(answer.ids(), expected, "{fixture} {} {slots}", case.name);
                assert_eq!(answer.prompt, case.token_ids.len());
                let (reason, end) = answer.end.unwrap();
                match expected.len() {
                    NEW_TOKENS => assert_eq!((reason, end), (FinishReason::Length, None)),
                    n => assert_eq!((reason, end), (FinishReason::Stop, Some(case.greedy[n]))),
                }
                for (token, logprob) in answer.tokens.iter().zip(&case.logprobs) {
                    assert!((token.logprob.unwrap() - logprob).abs() < 1e-4);
                    assert!(!token.forced);
                }
            }
        }
    }
}

/// Steps until idle; returns the answers and the number of prompt tokens computed.
fn finish_and_count(generator: &mut Generator) -> (BTreeMap<u64, Vec<u32>>, usize) {
    let mut answers: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut prompt = 0;
    while !generator.is_idle() {
        for event in generator.step() {
            match event {
                GenerateEvent::Token { ticket, token } => {
                    answers.entry(ticket).or_default().push(token.id);
                }
                GenerateEvent::Done { .. } => {}
                GenerateEvent::Failed { error, .. } => panic!("{error}"),
            }
        }
        prompt += generator.last_step().prompt_tokens;
    }
    (answers, prompt)
}

#[test]
fn a_kept_prompt_is_not_computed_again() {
    for (fixture, model) in models() {
        // One with text alone and one with an icon.
        for case in &reference(fixture).0[..2] {
            let mut generator = generator(&model, 4, 512);
            let shared = shared_len(&model, case);
            let kept = |ticket| GenerateRequest {
                keep_prompt: true,
                ..request(&model, case, ticket, shared)
            };
            generator.add(kept(0));
            let (first, all) = finish_and_count(&mut generator);
            assert!(all >= case.token_ids.len());
            // The greedy answer again, a sampled one, and the same sample without a kept prompt.
            let sampled = |ticket| GenerateRequest {
                sampling: Sampling {
                    temperature: 1.5,
                    seed: 7,
                },
                ..request(&model, case, ticket, shared)
            };
            generator.add(request(&model, case, 1, shared));
            generator.add(sampled(2));
            let (again, computed) = finish_and_count(&mut generator);
            assert_eq!(again[&1], first[&0], "{fixture} {}", case.name);
            assert_eq!(computed, 2, "the last token of each prompt");
            let mut fresh = self::generator(&model, 4, 512);
            fresh.add(sampled(3));
            assert_eq!(again[&2], finish_and_count(&mut fresh).0[&3]);
            // A different prompt is computed.
            let mut other = request(&model, case, 4, shared);
            other.tokens.insert(0, case.token_ids[0]);
            generator.add(other);
            assert!(finish_and_count(&mut generator).1 > 1);
        }
    }
}

#[test]
fn an_urgent_request_pauses_all_others() {
    for (fixture, model) in models() {
        let cases = reference(fixture).0;
        let mut generator = generator(&model, 3, 512);
        for ticket in 0..4 {
            generator.add(request(
                &model,
                &cases[ticket % cases.len()],
                ticket as u64,
                0,
            ));
        }
        let mut events = Vec::new();
        for _ in 0..5 {
            events.extend(generator.step());
        }
        let urgent = GenerateRequest {
            urgent: true,
            ..request(&model, &cases[0], 9, 0)
        };
        generator.add(urgent);
        let mut steps = 0;
        while !events
            .iter()
            .any(|event| matches!(event, GenerateEvent::Done { ticket: 9, .. }))
        {
            events.extend(generator.step());
            steps += 1;
            if !model.pads_rows() {
                assert_eq!(generator.last_step().sequences, 1, "{fixture}");
            }
        }
        let expected = expected(&model, &cases[0]).len();
        if !model.pads_rows() {
            assert!(steps <= expected + 1, "{steps} steps for {expected} tokens");
        }
        let answers = finish_after(events, &mut generator);
        assert_eq!(answers.len(), 5);
        for (ticket, answer) in answers {
            let case = &cases[ticket as usize % 9 % cases.len()];
            assert_eq!(
                answer.ids(),
                self::expected(&model, case),
                "{fixture} {ticket}"
            );
        }
    }
}

#[test]
fn end_tokens_can_be_suppressed() {
    for model in both("flat") {
        let ends = model.spec().end_tokens.clone();
        let mut generator = generator(&model, 8, 512);
        for (ticket, case) in (0..).zip(&reference("flat").0) {
            let mut request = request(&model, case, ticket, 0);
            request.ignore_eos = true;
            request.max_new_tokens = 200;
            generator.add(request);
        }
        for answer in finish(&mut generator).values() {
            assert_eq!(answer.tokens.len(), 200);
            assert!(!answer.ids().iter().any(|id| ends.contains(id)));
        }
    }
}

#[test]
fn a_seed_gives_the_same_answer_in_any_batch() {
    for model in both("parts") {
        let cases = reference("parts").0;
        let answer = |others: usize, seed: u64| {
            let mut generator = generator(&model, 8, 512);
            for ticket in 0..=others {
                let mut request = request(&model, &cases[ticket % 5], ticket as u64, 0);
                request.sampling = Sampling {
                    temperature: 1.0,
                    seed,
                };
                generator.add(request);
            }
            finish(&mut generator)[&0].ids()
        };
        assert_eq!(answer(0, 3), answer(5, 3));
        assert_ne!(answer(0, 3), answer(0, 4));
    }
}

/// A grammar that lists the allowed tokens of each position; a single one is forced.
struct PositionGrammar {
    positions: Vec<Vec<u32>>,
    at: usize,
    mask: Vec<u32>,
    fails_at: Option<usize>,
}

impl PositionGrammar {
    fn new(positions: Vec<Vec<u32>>) -> Self {
        Self {
            positions,
            at: 0,
            mask: Vec::new(),
            fails_at: None,
        }
    }
}

impl Constraint for PositionGrammar {
    fn forced(&mut self) -> Result<Vec<u32>> {
        let forced = self.positions[self.at..].iter();
        let forced = forced.take_while(|tokens| tokens.len() == 1);
        Ok(forced.map(|tokens| tokens[0]).collect())
    }

    fn allowed(&mut self) -> Result<&[u32]> {
        if self.fails_at.is_some_and(|at| at <= self.at) {
            return Err(Error::new(ErrorKind::Internal, "the grammar failed"));
        }
        self.mask = vec![0; 32];
        for token in &self.positions[self.at] {
            self.mask[*token as usize / 32] |= 1 << (token % 32);
        }
        Ok(&self.mask)
    }

    fn advance(&mut self, token: u32) -> Result<()> {
        assert!(self.positions[self.at].contains(&token));
        self.at += 1;
        Ok(())
    }

    fn finished(&self) -> bool {
        self.at == self.positions.len()
    }
}

#[test]
fn a_constraint_is_obeyed_and_forced_tokens_take_no_extra_step() {
    for model in both("nested") {
        let case = &reference("nested").0[1];
        let free = || vec![40, 41, 42, 43];
        let forced = |tokens: std::ops::Range<u32>| tokens.map(|token| vec![token]);
        let mut positions: Vec<Vec<u32>> = forced(50..55).collect();
        positions.extend([free(), free()]);
        positions.extend(forced(60..70));
        positions.push(free());
        positions.extend(forced(70..73));

        let mut generator = generator(&model, 4, 512);
        let mut constrained = request(&model, case, 1, 0);
        constrained.constraint = Some(Box::new(PositionGrammar::new(positions.clone())));
        generator.add(constrained);
        generator.add(request(&model, case, 2, 0));
        let mut steps = 0;
        let mut tokens = Vec::new();
        let mut others = Vec::new();
        let mut done = false;
        while !done {
            steps += 1;
            for event in generator.step() {
                match event {
                    GenerateEvent::Token { ticket: 1, token } => tokens.push(token),
                    GenerateEvent::Done {
                        ticket: 1, reason, ..
                    } => {
                        assert_eq!(reason, FinishReason::Stop);
                        done = true;
                    }
                    other => others.push(other),
                }
            }
        }
        assert_eq!(steps, 3, "one for each choice");
        assert_eq!(tokens.len(), positions.len());

        // Replay: feed every token and check the allowed logits at each free position.
        let mut sequence = new_sequence(&model, None);
        let images = images(&model, case);
        let mut logits = last_row(&feed(&model, &mut sequence, &case.token_ids, &images));
        for (token, options) in tokens.iter().zip(&positions) {
            assert!(options.contains(&token.id));
            assert_eq!(token.forced, options.len() == 1);
            if token.forced {
                assert_eq!(token.logprob, None);
            } else {
                let best = options
                    .iter()
                    .copied()
                    .max_by(|a, b| logits[*a as usize].total_cmp(&logits[*b as usize]));
                assert_eq!(Some(token.id), best);
                // The probability is among the allowed tokens only.
                let allowed: Vec<f32> = options.iter().map(|i| logits[*i as usize]).collect();
                let at = options.iter().position(|i| *i == token.id).unwrap();
                let logprob = log_probability(&allowed, at as u32);
                assert!((token.logprob.unwrap() - logprob).abs() < 1e-4);
            }
            logits = last_row(&feed(&model, &mut sequence, &[token.id], &[]));
        }
        let others = finish_after(others, &mut generator);
        assert_eq!(
            others[&2].ids(),
            expected(&model, case),
            "the other request is not affected"
        );
    }
}

#[test]
fn forced_tokens_stop_at_the_limit() {
    for model in both("flat") {
        let case = &reference("flat").0[0];
        let forced: Vec<Vec<u32>> = (30..60).map(|token| vec![token]).collect();
        let mut generator = generator(&model, 4, 512);
        for (ticket, limit) in [(1, 0), (2, 1), (3, 7)] {
            let mut request = request(&model, case, ticket, 0);
            request.max_new_tokens = limit;
            request.constraint = Some(Box::new(PositionGrammar::new(forced.clone())));
            generator.add(request);
        }
        let answers = finish(&mut generator);
        for (ticket, limit) in [(1, 0), (2, 1), (3, 7)] {
            assert_eq!(answers[&ticket].tokens.len(), limit as usize);
            assert_eq!(answers[&ticket].end, Some((FinishReason::Length, None)));
            assert_eq!(
                answers[&ticket].ids(),
                (30..30 + limit).collect::<Vec<u32>>()
            );
        }
    }
}

#[test]
fn an_invalid_request_fails_alone() {
    for model in both("flat") {
        let cases = reference("flat").0;
        let mut generator = Generator::new(
            &model,
            GeneratorOptions {
                slots: 8,
                step_tokens: 512,
                cache_bytes: model.cache_bytes(600),
            },
        );
        generator.add(request(&model, &cases[1], 0, 10));

        let mut no_image = request(&model, &cases[1], 1, 0);
        no_image.images.clear();
        generator.add(no_image);
        let mut bad_patches = request(&model, &cases[1], 2, 0);
        bad_patches.images[0].pixels.pop();
        generator.add(bad_patches);
        let image_in_prefix = shared_len(&model, &cases[1]) + 3;
        generator.add(request(&model, &cases[1], 3, image_in_prefix));
        let mut too_long = request(&model, &cases[0], 4, 0);
        too_long.max_new_tokens = 5000;
        generator.add(too_long);
        let mut too_large = request(&model, &cases[0], 5, 0);
        too_large.max_new_tokens = 700;
        generator.add(too_large);
        let mut empty = request(&model, &cases[0], 6, 0);
        empty.tokens.clear();
        generator.add(empty);
        let mut outside = request(&model, &cases[0], 7, 0);
        outside.tokens.push(99_999);
        generator.add(outside);
        let mut broken = request(&model, &cases[0], 8, 0);
        let mut grammar = PositionGrammar::new(vec![vec![40, 41]; 20]);
        grammar.fails_at = Some(5);
        broken.constraint = Some(Box::new(grammar));
        generator.add(broken);
        generator.add(request(&model, &cases[2], 9, 10));

        let answers = finish(&mut generator);
        for (ticket, case) in [(0, &cases[1]), (9, &cases[2])] {
            assert_eq!(answers[&ticket].error, None);
            assert_eq!(answers[&ticket].ids(), expected(&model, case));
        }
        for (ticket, cause) in [
            (1, "image"),
            (2, "patches"),
            (3, "image"),
            (4, "5048 tokens"),
            (5, "MiB"),
            (6, "needs a token"),
            (7, "vocabulary"),
            (8, "the grammar failed"),
        ] {
            let error = answers[&ticket].error.as_ref().unwrap();
            assert!(error.cause.contains(cause), "{ticket}: {error}");
            assert_eq!(answers[&ticket].end, None);
        }
        assert_eq!(answers[&8].tokens.len(), 5);
    }
}

#[test]
fn requests_wait_for_memory_and_for_slots() {
    for model in both("flat") {
        let cases = reference("flat").0;
        let each = model.cache_bytes(cases[0].token_ids.len() + NEW_TOKENS);
        let mut generator = Generator::new(
            &model,
            GeneratorOptions {
                slots: 4,
                step_tokens: 512,
                cache_bytes: 2 * each,
            },
        );
        for ticket in 0..5 {
            generator.add(request(&model, &cases[0], ticket, 0));
        }
        assert_eq!(generator.free_slots(), 0);
        let first = generator.step();
        assert_eq!(generator.last_step().sequences, 2);
        let cap = generator.memory_cap().unwrap();
        assert_eq!(cap.fits, 2);
        assert!((4 * each..5 * each).contains(&cap.needed));
        let answers = finish_after(first, &mut generator);
        assert!(answers.values().all(|answer| answer.error.is_none()));
        assert_eq!(answers.len(), 5);
        assert_eq!(generator.free_slots(), 4);
    }
}

#[test]
fn the_memory_that_is_reported_as_needed_suffices() {
    for model in both("flat") {
        let cases = reference("flat").0;
        let cap = |cache_bytes: usize| {
            let options = GeneratorOptions {
                slots: 4,
                step_tokens: 512,
                cache_bytes,
            };
            let mut generator = Generator::new(&model, options);
            // Prompts of 34 to 57 tokens, the longest neither first nor last.
            for (ticket, case) in (0..).zip([3, 0, 2, 1, 4]) {
                generator.add(request(&model, &cases[case], ticket, 0));
            }
            finish(&mut generator);
            generator.memory_cap()
        };
        let first = cap(model.cache_bytes(300)).unwrap();
        assert!(first.fits < 4);
        assert_eq!(cap(first.needed), None);
    }
}

#[test]
fn different_prefixes_take_turns_in_little_memory() {
    for model in both("nested") {
        let cases = reference("nested").0;
        let most = model.cache_bytes(cases[1].token_ids.len() + NEW_TOKENS + 64);
        let mut generator = Generator::new(
            &model,
            GeneratorOptions {
                slots: 4,
                step_tokens: 16,
                cache_bytes: most,
            },
        );
        for round in 0..3 {
            for (ticket, case) in (round * 5..).zip(&cases) {
                generator.add(request(&model, case, ticket, shared_len(&model, case)));
            }
        }
        let answers = finish(&mut generator);
        assert_eq!(answers.len(), 15);
        for (ticket, answer) in answers {
            let case = &cases[ticket as usize % 5];
            assert_eq!(answer.error, None);
            assert_eq!(answer.ids(), expected(&model, case), "{}", case.name);
        }
    }
}
