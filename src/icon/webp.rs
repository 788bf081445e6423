//! Looks into the chunks of a WebP file: its frames need not have the size that its header tells,
//! which the decoder notices only once it has decoded them.

/// Before the first chunk: `RIFF`, a length, `WEBP`.
const HEADER: usize = 12;
/// Of a frame of an animation, before the chunks of its picture.
const FRAME_HEADER: usize = 16;
/// Begins the header of a lossy picture, behind three bytes.
const START: [u8; 3] = [0x9d, 0x01, 0x2a];

/// The sizes of all lossy pictures in a file.
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

/// Each chunk with its name; the last one may be cut.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let content = &rest[..length.min(rest.len())];
        // A byte fills it up to an even length.
        bytes = rest
            .get(length.checked_next_multiple_of(2)?..)
            .unwrap_or_default();
        Some((kind, content))
    })
}

fn lossy_size(content: &[u8]) -> Option<(u32, u32)> {
    let [width_low, width_high, height_low, height_high, ..] =
        *content.get(3..)?.strip_prefix(&START)?
    else {
        return None;
    };
    // Two bits of each tell how it is to be scaled.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some((side(width_low, width_high), side(height_low, height_high)))
}
