//! Turns requests into tokens: scheduler, slots, prompt and prefix caches, sampling.

mod head;
mod logits;
mod plan;
mod prefix_cache;
mod prompt_cache;
pub mod request;
pub mod sampling;
pub mod scheduler;
mod slot;
