//! Reasons to reject a checkpoint before any of its weights is downloaded or read.

use crate::error::{Error, ErrorKind};

/// A reason why a checkpoint cannot be used and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub cause: String,
    pub hint: String,
}

impl Refusal {
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
        }
    }
}

/// Combines refusals into one error about `name`, in order. `None` if there are none.
pub fn error(name: &str, refusals: Vec<Refusal>) -> Option<Error> {
    let mut causes: Vec<String> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for refusal in refusals {
        causes.push(refusal.cause);
        if !hints.contains(&refusal.hint) {
            hints.push(refusal.hint);
        }
    }
    (!causes.is_empty()).then(|| {
        let cause = format!("{name} cannot be used: {}", causes.join("; "));
        Error::new(ErrorKind::Model, cause).with_hint(hints.join("; "))
    })
}

/// Hint for weights in an unsupported quantization.
pub const USE_ORIGINAL: &str = "use the checkpoint it was made from, with --quantize q4k or q8_0";

/// Detects a Git LFS pointer in place of the actual file; `None` for any other content.
pub fn lfs_pointer(shown: &str, bytes: &[u8]) -> Option<Refusal> {
    bytes
        .starts_with(b"version https://git-lfs.github.com/spec/")
        .then(|| {
            Refusal::new(
                format!("{shown} is a Git LFS pointer, not the file itself"),
                "run `git lfs pull` in the cloned folder, or give the model's hub id",
            )
        })
}

/// Recognizes a folder or repository without `config.json` by its file names.
pub fn not_a_checkpoint(has: &mut dyn FnMut(&str) -> bool, has_gguf: bool) -> Option<Refusal> {
    if has("adapter_config.json") {
        return Some(adapter("it is a LoRA adapter, not a model"));
    }
    has_gguf.then(gguf_refusal)
}

/// Refuses a LoRA adapter.
pub fn adapter(what: &str) -> Refusal {
    Refusal::new(
        what,
        "merge it into its base model first (`merge_and_unload` and `save_pretrained` of PEFT)",
    )
}

pub fn gguf_refusal() -> Refusal {
    Refusal::new(
        "it is GGUF, which is not supported",
        "serve it with `llama-server` and use --endpoint, or use the checkpoint it was made from",
    )
}

/// Refuses weights in pickle format.
pub fn pickled(file: &str) -> Refusal {
    Refusal::new(
        format!("its weights are in {file}, which only Python can read"),
        "convert it: load it with transformers and `save_pretrained`, which writes safetensors",
    )
}
