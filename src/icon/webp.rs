//! Reads frame sizes from the chunks of a WebP file. A frame may be larger than the header declares,
//! which the decoder notices only after it has decoded the frame.

/// Length of the file header: `RIFF`, a length, `WEBP`.
const HEADER: usize = 12;
/// Length of an animation frame's header, before the chunks of its image.
const FRAME_HEADER: usize = 16;
/// Start code of a lossy image, after three bytes.
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// Sizes of all lossy images in a file.
pub fn frame_sizes(file: &[u8]) -> Vec<(u32, u32)> {
    let mut sizes = Vec::new();
    for (kind, content) in chunks(file.get(HEADER..).unwrap_or_default()) {
        match kind {
            b"VP8 " => sizes.extend(lossy_size(content)),
            b"ANMF" => {
                let inner = chunks(content.get(FRAME_HEADER..).unwrap_or_default());
                let lossy = inner.filter(|(kind, _)| *kind == b"VP8 ");
                sizes.extend(lossy.filter_map(|(_, content)| lossy_size(content)));
            }
            _ => {}
        }
    }
    sizes
}

/// Iterates over the chunks with their names; the last one may be truncated.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let content = &rest[..length.min(rest.len())];
        // Chunks are padded to an even length.
        bytes = rest
            .get(length.checked_next_multiple_of(2)?..)
            .unwrap_or_default();
        Some((kind, content))
    })
}

fn lossy_size(content: &[u8]) -> Option<(u32, u32)> {
    let [width_low, width_high, height_low, height_high, ..] =
        *content.get(3..)?.strip_prefix(&START_CODE)?
    else {
        return None;
    };
    // The upper two bits of each are a scaling hint.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some((side(width_low, width_high), side(height_low, height_high)))
}
