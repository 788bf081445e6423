//! `labeler-tui embed`: prints the vectors of images and texts, so that anyone can check them.

use super::open_with_bar;
use crate::commands::ask::read_picture;
use crate::commands::options::EmbedOptions;
use crate::commands::write_out;
use crate::error::Result;
use crate::text::{for_json, for_line};
use std::io::Write;

/// Prints the vectors, in the order given.
pub fn run(options: &EmbedOptions, out: &mut dyn Write) -> Result<()> {
    let pictures = options
        .images
        .iter()
        .map(|path| read_picture(path, options.background))
        .collect::<Result<Vec<_>>>()?;
    let retriever = open_with_bar(&options.retriever)?;
    let images = retriever.images.embed(&pictures)?;
    let texts = retriever.texts.embed(&options.texts)?;
    if options.json {
        let object = serde_json::json!({
            "images": images,
            "texts": texts,
            "logit_scale": retriever.logit_scale,
            "logit_bias": retriever.logit_bias,
        });
        return write_out(
            out,
            format!("{}\n", for_json(&object.to_string())).as_bytes(),
        );
    }
    let paths = options.images.iter().map(|path| path.display().to_string());
    let images = paths
        .zip(&images)
        .map(|(path, vector)| ("image", path, vector));
    let texts = options.texts.iter().cloned().zip(&texts);
    let texts = texts.map(|(text, vector)| ("text", text, vector));
    let mut lines = String::new();
    for (kind, input, vector) in images.chain(texts) {
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        lines.push_str(&format!(
            "{kind}\t{}\t{}\n",
            for_line(&input),
            numbers.join(" ")
        ));
    }
    write_out(out, lines.as_bytes())
}
