//! From requests to tokens: the scheduler, its slots, the cache of shared prefixes, sampling.

mod head;
mod logits;
mod plan;
mod prefix_cache;
mod prompt_cache;
pub mod request;
pub mod sampling;
pub mod scheduler;
mod slot;
