//! Runs the workload on a server and measures it.

use super::workload::{ICONS, items, prompter, question};
use crate::commands::options::BenchOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::labeler::RemoteOptions;
use crate::labeler::remote::{ChatClient, ChatTurn};
use crate::platform;
use crate::text::for_line;
use crate::wording::Words;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Instant;

/// Reports the same fields as for a model in this process; those that a server does not report are
/// null.
pub fn report(options: &BenchOptions, server: &RemoteOptions) -> Result<Value> {
    if options.replay.is_some() {
        let cause = "--replay runs in this process and conflicts with --endpoint";
        return Err(
            Error::new(ErrorKind::Usage, cause).with_hint("omit --endpoint, or use --new-tokens")
        );
    }
    let icons = options.icons.unwrap_or(ICONS);
    let items = items(options)?;
    let prompter = prompter(&server.model, options.prompt.as_deref())?;
    let mut prepared = Vec::with_capacity(items.len());
    for item in &items {
        let (picture, chat) = question(&prompter, item)?;
        prepared.push((chat, [picture]));
    }
    let turns = prepared.iter().map(|(chat, pictures)| ChatTurn {
        system: chat.system.as_deref(),
        pictures,
        user: &chat.user,
        max_new_tokens: options.new_tokens,
        temperature: 0.0,
        seed: 0,
        ignore_eos: true,
    });
    let turns = turns.cycle().take(icons);
    let chats = ChatClient::new(server)?;
    for notice in chats.notices() {
        // A notice that cannot be printed is not worth an error.
        let notice = for_line(&Words::ENGLISH.server_notice(&notice));
        let _ = writeln!(std::io::stderr(), "{notice}");
    }
    let (mut prompt, mut cached, mut new) = (0, 0, 0);
    let began = Instant::now();
    chats.ask_all(turns, server.concurrency, |answer| {
        prompt += answer.prompt_tokens;
        cached += answer.cached_tokens;
        new += answer.new_tokens;
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = |count: usize| (seconds > 0.0).then(|| count as f64 / seconds);
    Ok(json!({
        "model": server.model,
        "device": server.endpoints.join(", "),
        "weights": null,
        "icons": icons,
        "distinct_icons": items.len(),
        "batch_size": server.concurrency,
        "new_tokens": options.new_tokens,
        // Fewer than requested if the server does not support `ignore_eos`.
        "all_new_tokens": new,
        "prompt_tokens": prompt,
        "shared_prompt_tokens": cached,
        "load_seconds": null,
        "peak_resident_bytes": platform::peak_resident_memory(),
        "seconds": seconds,
        "vision_seconds": null,
        "head_seconds": null,
        "sampling_seconds": null,
        "prefill_tokens_per_second": null,
        "decode_tokens_per_second": rate(new),
        "seconds_per_step_by_batch": null,
        "icons_per_minute": rate(60 * icons),
        "shared_prompt_seconds": null,
        "icons_per_minute_after_shared_prompt": null,
        "weight_bytes_per_step": null,
    }))
}
