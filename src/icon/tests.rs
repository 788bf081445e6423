//! Tests decoding, limits, backgrounds and colors.

use super::*;
use crate::record::Background;
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use proptest::prelude::*;
use std::io::Cursor;

fn sample(width: u32, height: u32) -> Icon {
    let rgba = (0..width * height)
        .flat_map(|i| {
            [
                (i * 37 + 11) as u8,
                (i * 91 + 5) as u8,
                (i.wrapping_mul(i) * 7) as u8,
                [0, 255, 128, 40, 255, 200][i as usize % 6],
            ]
        })
        .collect();
    Icon {
        width,
        height,
        rgba,
    }
}

fn encoded(icon: &Icon, format: ImageFormat) -> Vec<u8> {
    let image = RgbaImage::from_raw(icon.width, icon.height, icon.rgba.clone()).unwrap();
    let mut image = DynamicImage::ImageRgba8(image);
    if format == ImageFormat::Jpeg {
        image = DynamicImage::ImageRgb8(image.to_rgb8());
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn filled(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Icon {
    Icon {
        width,
        height,
        rgba: RgbaImage::from_fn(width, height, |x, y| Rgba(pixel(x, y))).into_raw(),
    }
}

/// Builds a PNG by hand, for variants that the encoder of the tests cannot write.
fn png(
    width: u32,
    height: u32,
    [depth, color, interlace]: [u8; 3],
    parts: &[(&str, Vec<u8>)],
) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, interlace]);
    for (name, data) in [("IHDR", header)]
        .iter()
        .chain(parts)
        .chain(&[("IEND", vec![])])
    {
        let body = [name.as_bytes(), data].concat();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(crc32fast::hash(&body).to_be_bytes());
    }
    bytes
}

/// A zlib stream with one stored block.
fn zlib(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let mut bytes = vec![0x78, 0x01, 0x01];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(data);
    bytes.extend((b << 16 | a).to_be_bytes());
    bytes
}

#[test]
fn every_format_decodes_to_its_pixels() {
    let icon = sample(33, 31);
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        assert_eq!(decode(&encoded(&icon, format)).unwrap(), icon, "{format:?}");
    }
    let red = filled(20, 20, |_, _| [200, 30, 30, 255]);
    for format in [ImageFormat::Jpeg, ImageFormat::Gif] {
        let read = decode(&encoded(&red, format)).unwrap();
        assert_eq!((read.width, read.height), (20, 20));
        let [r, g, b, a] = read.rgba[..4] else {
            panic!()
        };
        assert!(r.abs_diff(200) < 6 && g.abs_diff(30) < 6 && b.abs_diff(30) < 6 && a == 255);
    }
}

#[test]
fn palette_interlaced_and_sixteen_bit_png_are_read() {
    let palette = png(
        2,
        1,
        [8, 3, 0],
        &[
            ("PLTE", vec![10, 20, 30, 200, 100, 50]),
            ("tRNS", vec![0]),
            ("IDAT", zlib(&[0, 0, 1])),
        ],
    );
    assert_eq!(
        decode(&palette).unwrap().rgba,
        [10, 20, 30, 0, 200, 100, 50, 255]
    );

    let interlaced = png(
        2,
        1,
        [8, 2, 1],
        &[("IDAT", zlib(&[0, 1, 2, 3, 0, 4, 5, 6]))],
    );
    assert_eq!(
        decode(&interlaced).unwrap().rgba,
        [1, 2, 3, 255, 4, 5, 6, 255]
    );

    let deep = png(
        1,
        1,
        [16, 6, 0],
        &[("IDAT", zlib(&[0, 0xff, 0xff, 0x80, 0x80, 0, 0, 0x40, 0x40]))],
    );
    assert_eq!(decode(&deep).unwrap().rgba, [255, 128, 0, 64]);

    let gray = png(4, 1, [1, 0, 0], &[("IDAT", zlib(&[0, 0b0101_0000]))]);
    assert_eq!(
        decode(&gray).unwrap().rgba[..8],
        [0, 0, 0, 255, 255, 255, 255, 255]
    );
}

#[test]
fn an_animation_gives_its_first_frame() {
    use image::{Delay, Frame, codecs::gif::GifEncoder};
    let mut gif = Vec::new();
    let mut encoder = GifEncoder::new(&mut gif);
    for color in [[255, 0, 0, 255], [0, 0, 255, 255]] {
        let frame = RgbaImage::from_pixel(8, 8, Rgba(color));
        encoder
            .encode_frame(Frame::from_parts(
                frame,
                0,
                0,
                Delay::from_numer_denom_ms(9, 1),
            ))
            .unwrap();
    }
    drop(encoder);
    assert_eq!(decode(&gif).unwrap().rgba[..4], [255, 0, 0, 255]);

    let control = |sequence: u32| {
        [sequence, 1, 1, 0, 0]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .chain([0, 1, 0, 10, 0, 0])
            .collect::<Vec<u8>>()
    };
    let frames = [vec![0, 0, 0, 2, 0, 0, 0, 0], vec![]].concat();
    let apng = png(
        1,
        1,
        [8, 2, 0],
        &[
            ("acTL", frames),
            ("fcTL", control(0)),
            ("IDAT", zlib(&[0, 255, 0, 0])),
            ("fcTL", control(1)),
            ("fdAT", [vec![0, 0, 0, 2], zlib(&[0, 0, 0, 255])].concat()),
        ],
    );
    assert_eq!(decode(&apng).unwrap().rgba, [255, 0, 0, 255]);
}

#[test]
fn enormous_images_are_refused_before_decoding() {
    let claims = png(60_000, 60_000, [8, 6, 0], &[("IDAT", zlib(&[0]))]);
    let error = decode(&claims).unwrap_err();
    assert!(error.to_string().contains("60000x60000"), "{error}");
    let long = png(MAX_SIDE + 1, 1, [8, 0, 0], &[("IDAT", zlib(&[0]))]);
    assert!(decode(&long).unwrap_err().to_string().contains("4097x1"));
    let wide = png(4096, 4096, [8, 0, 0], &[("IDAT", zlib(&[0]))]);
    assert!(decode(&wide).unwrap_err().to_string().contains("4096x4096"));
    let heavy = vec![0x89; MAX_FILE_BYTES as usize + 1];
    assert!(decode(&heavy).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn an_image_is_rotated_by_its_exif_orientation() {
    // One entry: orientation 6, a quarter turn.
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
    exif.extend([0; 4]);
    let pixels = ("IDAT", zlib(&[0, 10, 20, 30]));
    let rotated = decode(&png(3, 1, [8, 0, 0], &[("eXIf", exif), pixels.clone()])).unwrap();
    assert_eq!((rotated.width, rotated.height), (1, 3));
    assert_eq!(rotated.rgba[..8], [10, 10, 10, 255, 20, 20, 20, 255]);
    let broken = ("eXIf", b"II*\0\xff".to_vec());
    let straight = decode(&png(3, 1, [8, 0, 0], &[broken, pixels])).unwrap();
    assert_eq!((straight.width, straight.height), (3, 1));
}

#[test]
fn a_png_without_its_last_chunk_is_accepted() {
    let icon = sample(30, 30);
    let whole = encoded(&icon, ImageFormat::Png);
    assert_eq!(decode(&whole[..whole.len() - 12]).unwrap(), icon);
    // A PNG that lacks pixel data is not.
    assert!(decode(&whole[..whole.len() - 20]).is_err());
}

#[test]
fn errors_name_the_problem_of_a_broken_file() {
    let whole = encoded(&sample(30, 30), ImageFormat::Png);
    let cause = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert_eq!(cause(b""), "the file is empty");
    assert!(cause(b"<html>404</html>").starts_with("not a PNG"));
    assert!(cause(b"II*\0\x08\0\0\0").starts_with("not a PNG"));
    assert!(cause(&whole[..whole.len() / 2]).starts_with("broken PNG image"));
    assert!(cause(&whole[..20]).starts_with("broken PNG image"));
    assert!(cause(&encoded(&sample(30, 30), ImageFormat::Jpeg)[..60]).starts_with("broken JPEG"));
}

proptest! {
    #[test]
    fn decoding_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..6usize) {
        let magic: [&[u8]; 6] = [
            b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBP", b"BM", b"\xff\xd8\xff",
        ];
        let _ = decode(&[magic[kind], &bytes].concat());
    }

    #[test]
    fn decoding_a_damaged_file_never_panics(
        kind in 0..5usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let formats = [
            ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Bmp,
        ];
        let mut bytes = encoded(&sample(19, 17), formats[kind]);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(icon) = decode(&bytes) {
            prop_assert_eq!(icon.rgba.len() as u64, u64::from(icon.width) * u64::from(icon.height) * 4);
            let _ = palette(&icon);
        }
        let _ = decode(&bytes[..cut.index(bytes.len())]);
    }
}

#[test]
fn a_resized_window_equals_that_part_of_the_resized_picture() {
    for (from, to) in [
        ((20, 31), (90, 64)),
        ((37, 120), (44, 31)),
        ((16, 16), (16, 50)),
    ] {
        let picture = picture(&sample(from.0, from.1), 1, Background::None);
        let whole = resize(&picture, to.0, to.1, Filter::Bicubic);
        let window = Window {
            left: 3,
            top: 2,
            width: 11,
            height: 9,
        };
        let part = resize_window(&picture, to, window, Filter::Bicubic);
        assert_eq!((part.width, part.height), (11, 9));
        for (y, row) in part.rgb.chunks_exact(33).enumerate() {
            let start = ((y + 2) * to.0 as usize + 3) * 3;
            assert_eq!(row, &whole.rgb[start..][..33]);
        }
    }
}

#[test]
fn resized_pictures_equal_pillows() {
    // Pillow 12: paste over the background with alpha as mask, or convert("RGB"); resize(BICUBIC).
    let expected = [
        (
            4,
            3,
            2,
            Background::White,
            "78b327db35dcc0c52bf9211f8eeeec16b5f5002393f5907cc8290c95feaac9d1",
        ),
        (
            4,
            3,
            2,
            Background::Black,
            "c9977dcd549a4ae9d51f031449232c2ebf0b662f6cad109b47cdf1b091f7b753",
        ),
        (
            4,
            3,
            2,
            Background::None,
            "09c8a5ed3908d5edcddf96c976e32fe94c36b2c2f6a2297c9276fbbb9f7e6086",
        ),
        (
            37,
            29,
            3,
            Background::White,
            "d572ff4127a7fcf564048f79cfa5b4c5bee1626ce65215bcb5bdd227d424c397",
        ),
        (
            37,
            29,
            3,
            Background::Black,
            "f8fda29bf9a202c538061a8b2bbb0a70b12b91d27620ab65b9b74bf3a5a6d3c1",
        ),
        (
            16,
            51,
            8,
            Background::None,
            "e3cecd408cf8ffc3f9b36e1cb80a632626832e5ec8de5b9584fffc41062a97e6",
        ),
    ];
    for (width, height, factor, background, hash) in expected {
        let picture = picture(&sample(width, height), factor, background);
        assert_eq!(
            (picture.width, picture.height),
            (width * factor, height * factor)
        );
        assert_eq!(
            sha256(&picture.rgb),
            hash,
            "{width}x{height} x{factor} {background:?}"
        );
    }
    // Pillow 13, which resizes columns first if a picture becomes much lower.
    let low = resize_bicubic(&picture(&sample(37, 120), 1, Background::None), 44, 31);
    assert_eq!(
        sha256(&low.rgb),
        "f7464b2888f39798ff1df4035f2b4bfc917d5c4dcbfa2f3b2ee849200df00abe"
    );
    let smaller = resize_bicubic(&picture(&sample(60, 40), 1, Background::None), 28, 31);
    assert_eq!(
        sha256(&smaller.rgb),
        "eb435a19ce5477340273a28868714159329a0963fdfef842d0aa21ac27b9cdb6"
    );
}

#[test]
fn the_upscale_factor_is_lowered_to_stay_within_the_pixel_limit() {
    let icon = filled(2000, 1000, |_, _| [1, 2, 3, 255]);
    let picture = picture(&icon, 8, Background::White);
    assert_eq!((picture.width, picture.height), (4000, 2000));
}

#[test]
fn nearest_scaling_keeps_hard_edges() {
    let icon = filled(
        2,
        1,
        |x, _| if x == 0 { [9, 8, 7, 255] } else { [1, 2, 3, 0] },
    );
    let large = scale_nearest(&icon, 2);
    assert_eq!((large.width, large.height), (4, 2));
    let row = [9, 8, 7, 255, 9, 8, 7, 255, 1, 2, 3, 0, 1, 2, 3, 0];
    assert_eq!(large.rgba, [row, row].concat());
}

#[test]
fn the_palette_counts_opaque_pixels() {
    let icon = filled(10, 10, |x, y| match (x, y) {
        (_, 0..5) => [0, 0, 0, 0],
        (0..7, _) => [210, 30, 35, 255],
        (7, _) => [215, 34, 40, 255],
        _ => [30, 60, 200, 255],
    });
    let palette = palette(&icon);
    assert_eq!((palette.opaque, palette.total), (50, 100));
    let [red, blue] = palette.swatches[..] else {
        panic!("two colors are shown: {:?}", palette.swatches)
    };
    assert!((red.share - 0.8).abs() < 1e-6 && (blue.share - 0.2).abs() < 1e-6);
    assert!(red.rgb[0] > 200 && red.rgb[2] < 50 && blue.rgb[2] > 190);
    assert_eq!(palette.histogram.opaque, 50);
    let sum: f32 = palette.histogram.bins.iter().map(|bin| bin.1).sum();
    assert!((sum - 1.0).abs() < 1e-5);
}

#[test]
fn the_palette_excludes_a_black_outline_but_not_a_black_patch() {
    let outlined = |inside: [u8; 4]| {
        filled(12, 12, move |x, y| match (x, y) {
            (0 | 11, _) | (_, 0 | 11) => [0, 0, 0, 255],
            (2..5, 2..5) => inside,
            _ => [240, 240, 240, 255],
        })
    };
    let white = palette(&outlined([240, 240, 240, 255]));
    assert_eq!(white.opaque, 144);
    assert!(white.histogram.bins.iter().all(|(lab, _)| lab[0] > 0.9));
    assert!(white.histogram.dark_core.is_empty());
    let patched = palette(&outlined([10, 10, 10, 255]));
    let dark: f32 = patched
        .histogram
        .bins
        .iter()
        .filter(|(lab, _)| lab[0] < 0.3)
        .map(|bin| bin.1)
        .sum();
    assert!((dark - 9.0 / 100.0).abs() < 1e-5, "{dark}");
    let core: f32 = patched.histogram.dark_core.iter().map(|bin| bin.1).sum();
    assert!((core - 9.0 / 100.0).abs() < 1e-5, "{core}");
    // An icon that is all outline keeps it.
    let net = palette(&filled(9, 9, |x, _| {
        [0, 0, 0, if x % 2 == 0 { 255 } else { 0 }]
    }));
    assert_eq!(net.swatches.len(), 1);
}

#[test]
fn shades_of_black_are_one_swatch() {
    let icon = filled(12, 12, |x, _| {
        [[0, 0, 0, 255], [24, 20, 22, 255], [12, 14, 18, 255]][x as usize % 3]
    });
    let palette = palette(&icon);
    assert_eq!(palette.swatches.len(), 1, "{:?}", palette.swatches);
    assert_eq!(palette.histogram.bins.len(), 3);
}

#[test]
fn an_empty_icon_has_no_colors_and_a_photo_has_few_bins() {
    let nothing = palette(&filled(8, 8, |_, _| [255, 0, 0, 10]));
    assert_eq!((nothing.opaque, nothing.total), (0, 64));
    assert!(nothing.swatches.is_empty() && nothing.histogram.bins.is_empty());

    let photo = filled(256, 256, |x, y| {
        [x as u8, y as u8, (x * y / 256) as u8, 255]
    });
    let photo = palette(&photo);
    assert!(photo.histogram.bins.len() <= 256 && photo.swatches.len() <= 6);
    let sum: f32 = photo.histogram.bins.iter().map(|bin| bin.1).sum();
    assert!((sum - 1.0).abs() < 1e-4);
}

#[test]
fn hashes_are_lower_case_hex() {
    assert_eq!(
        sha256(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

/// Builds a WebP file from its chunks.
fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, content) in chunks {
        body.extend(*kind);
        body.extend((content.len() as u32).to_le_bytes());
        body.extend(*content);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    let length = (body.len() as u32).to_le_bytes();
    [&b"RIFF"[..], &length, &body].concat()
}

#[test]
fn an_enormous_frame_in_a_small_webp_is_refused_before_it_is_decoded() {
    let header = [0, 0, 0, 0, 8, 0, 0, 6, 0, 0];
    let frame = [0x30, 1, 0, 0x9d, 1, 0x2a, 0xff, 0xff, 0xff, 0xff, 0, 0];
    let still = webp(&[(b"VP8X", &header), (b"VP8 ", &frame)]);
    let inner = &webp(&[(b"VP8 ", &frame)])[12..];
    let moving = webp(&[(b"VP8X", &header), (b"ANMF", &[&[0; 16], inner].concat())]);
    for file in [still, moving] {
        let error = decode(&file).unwrap_err();
        assert!(error.to_string().contains("16383x16383"), "{error}");
    }
    // Truncated anywhere, it is an ordinary broken image.
    let whole = webp(&[(b"VP8X", &header), (b"VP8 ", &frame)]);
    for end in 0..whole.len() {
        assert!(decode(&whole[..end]).is_err());
    }
}
