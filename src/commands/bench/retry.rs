//! Measures how long an operator waits for a retry: alone, and beside a full batch.

use crate::error::Result;
use crate::vlm::open::Opened;
use crate::vlm::{GenerateEvent, GenerateRequest, Generator, GeneratorOptions};
use serde_json::{Value, json};
use std::time::Instant;

/// How many of the requests are retries.
pub const RETRIES: usize = 3;
/// Steps of the batch before the retry is added.
const STEPS: usize = 3;

/// Times the last requests as retries. The first one fills the prefix cache, the second one runs
/// alone, and the third one is added while all other requests are in flight.
pub fn measure(
    opened: &Opened,
    options: GeneratorOptions,
    mut requests: Vec<GenerateRequest>,
) -> Result<Value> {
    let mut generator = Generator::new(&opened.model, options);
    let mut retries = requests
        .split_off(requests.len().saturating_sub(RETRIES))
        .into_iter();
    let mut seconds = Vec::new();
    for mut first in retries.by_ref().take(RETRIES - 1) {
        first.urgent = true;
        seconds.push(answer(&mut generator, first, Instant::now())?);
    }
    for request in requests {
        generator.add(request);
    }
    let mut steps = 0;
    while steps < STEPS && !generator.is_idle() {
        has_ended(&generator.step(), None)?;
        let stats = generator.last_step();
        steps += usize::from(stats.prompt_tokens == 0 && stats.answer_tokens > 0);
    }
    let others = generator.in_flight();
    for mut last in retries {
        last.urgent = true;
        // The worst case: it is requested when a step has just begun.
        let began = Instant::now();
        has_ended(&generator.step(), None)?;
        seconds.push(answer(&mut generator, last, began)?);
    }
    Ok(match seconds[..] {
        [_, alone, beside] => json!({
            "alone_seconds": alone,
            "beside_others_seconds": beside,
            "others": others,
        }),
        _ => Value::Null,
    })
}

/// Generates an answer and returns the seconds since `began`.
fn answer(generator: &mut Generator, request: GenerateRequest, began: Instant) -> Result<f64> {
    let ticket = request.ticket;
    generator.add(request);
    while !has_ended(&generator.step(), Some(ticket))? {}
    Ok(began.elapsed().as_secs_f64())
}

/// Whether the answer of `ticket` is among the events that end one.
///
/// # Errors
/// If any answer has failed.
fn has_ended(events: &[GenerateEvent], ticket: Option<u64>) -> Result<bool> {
    let mut found = false;
    for event in events {
        match event {
            GenerateEvent::Done { ticket: done, .. } => found |= Some(*done) == ticket,
            GenerateEvent::Failed { error, .. } => return Err(error.clone()),
            GenerateEvent::Token { .. } => {}
        }
    }
    Ok(found)
}
