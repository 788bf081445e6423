//! How long an operator waits for a retry: alone, and beside a full batch.

use crate::error::Result;
use crate::vlm::open::Opened;
use crate::vlm::{GenerateEvent, GenerateRequest, Generator, GeneratorOptions};
use serde_json::{Value, json};
use std::time::Instant;

/// How many of the requests are retries.
pub const RETRIES: usize = 3;
/// Steps of the batch before the retry comes.
const STEPS: usize = 3;

/// Times the last requests as retries. The first one makes the shared prompt known, the second one
/// is alone, and the third one comes while all others are in flight.
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
        ended(&generator.step(), None)?;
        let stats = generator.last_step();
        steps += usize::from(stats.prompt_tokens == 0 && stats.answer_tokens > 0);
    }
    let others = generator.in_flight();
    for mut last in retries {
        last.urgent = true;
        // It comes when a step has just begun.
        let began = Instant::now();
        ended(&generator.step(), None)?;
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

/// Generates an answer. Gives the seconds since `began`.
fn answer(generator: &mut Generator, request: GenerateRequest, began: Instant) -> Result<f64> {
    let ticket = request.ticket;
    generator.add(request);
    while !ended(&generator.step(), Some(ticket))? {}
    Ok(began.elapsed().as_secs_f64())
}

/// Whether the answer of `ticket` has ended.
///
/// # Errors
/// That of any answer.
fn ended(events: &[GenerateEvent], ticket: Option<u64>) -> Result<bool> {
    let mut has_ended = false;
    for event in events {
        match event {
            GenerateEvent::Done { ticket: its, .. } => has_ended |= Some(*its) == ticket,
            GenerateEvent::Failed { error, .. } => return Err(error.clone()),
            GenerateEvent::Token { .. } => {}
        }
    }
    Ok(has_ended)
}
