//! Every kind of image file that a folder may contain.

use crate::common::{Desk, good, names, picture, say};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageBuffer, Rgba};
use std::fs::File;

/// A PNG made of raw chunks, for files that no encoder would write.
fn png(width: u32, height: u32, depth: u8, color: u8, chunks: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let ends = (&b"IEND"[..], Vec::new());
    for (name, data) in [(&b"IHDR"[..], header)].iter().chain(chunks).chain([&ends]) {
        let body = [*name, data].concat();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(crc32(&body).to_be_bytes());
    }
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// A zlib stream that is not compressed.
fn zlib(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (a, b) = data.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let head = [
        &[0x78, 0x01, 0x01][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
    ];
    [&head.concat(), data, &(b << 16 | a).to_be_bytes()].concat()
}

/// 16x16 pixels in the second of two palette colors, red; the first one is transparent.
fn palette_png() -> Vec<u8> {
    let rows = [&[0][..], &[1; 16]].concat().repeat(16);
    let palette = vec![0, 0, 255, 210, 30, 35];
    let chunks = [
        (&b"PLTE"[..], palette),
        (&b"tRNS"[..], vec![0]),
        (&b"IDAT"[..], zlib(&rows)),
    ];
    png(16, 16, 8, 3, &chunks)
}

#[test]
fn images_of_every_kind_are_labeled() {
    let mut desk = Desk::new();
    let red = DynamicImage::from(picture("x"));
    let save = |name: &str, image: &DynamicImage| image.save(desk.source(name)).unwrap();
    save("jpeg.jpg", &red.to_rgb8().into());
    save("webp.webp", &red);
    save("bmp.bmp", &red.to_rgb8().into());
    save("gray-with-alpha.png", &red.to_luma_alpha8().into());
    let deep: ImageBuffer<Rgba<u16>, _> =
        ImageBuffer::from_pixel(20, 20, Rgba([54_000, 7_700, 9_000, 65_535]));
    save("deep.png", &deep.into());
    let frames = [picture("x"), picture("another")].map(Frame::new);
    let file = File::create(desk.source("animated.gif")).unwrap();
    GifEncoder::new(file).encode_frames(frames).unwrap();
    std::fs::write(desk.source("palette.png"), palette_png()).unwrap();
    // The format is detected from the content, not from the name.
    std::fs::copy(desk.source("bmp.bmp"), desk.source("misnamed.png")).unwrap();
    let extra = [palette_png(), vec![0; 100]].concat();
    std::fs::write(desk.source("more after the end.png"), extra).unwrap();

    let all = [
        "animated",
        "bmp",
        "deep",
        "gray-with-alpha",
        "jpeg",
        "more after the end",
        "palette",
        "webp",
    ];
    for name in all {
        desk.plays(name, &[say(good(name))]);
    }
    desk.batch(&[]).expect(0);
    // `misnamed` has the bytes of `bmp` and is the same image.
    assert_eq!(desk.names(), all);
    for name in all.iter().filter(|name| !name.starts_with("gray")) {
        let reasons = &desk.record(name)["quality_flags"]["reasons"];
        assert_eq!(
            reasons.as_array().unwrap().len(),
            0,
            "{name}: not seen as red"
        );
    }
}

#[test]
fn unusable_images_fail_alone_with_a_cause() {
    let desk = Desk::with_icons(&["좋은 모자"]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(desk.source(name), bytes).unwrap();
    write("빈 것.png", b"");
    write("글.png", b"not a picture");
    let whole = std::fs::read(desk.icon("반쪽")).unwrap();
    write("반쪽.png", &whole[..whole.len() / 2]);
    let pixels = [(&b"IDAT"[..], zlib(&[0; 100]))];
    write("엄청난 것.png", &png(60_000, 60_000, 8, 6, &pixels));
    write("화소 없는 것.png", &png(0, 0, 8, 6, &pixels));
    let vector = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
    write("벡터.png", vector.as_bytes());
    // A folder is searched, whatever its name.
    std::fs::create_dir(desk.source("폴더.png")).unwrap();
    File::create(desk.source("큰 것.png"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();

    desk.batch(&[]).expect(3);
    assert_eq!(desk.names(), ["좋은 모자"]);
    let errors = desk.errors();
    let mut failed = names(&errors);
    failed.sort();
    assert_eq!(
        failed,
        [
            "글",
            "반쪽",
            "벡터",
            "빈 것",
            "엄청난 것",
            "큰 것",
            "화소 없는 것"
        ]
    );
    for error in &errors {
        assert_eq!(error["code"], "image_load_failed", "{error}");
        assert!(error["detail"].as_str().unwrap().len() > 10, "{error}");
    }
    let detail = |name: &str| {
        let found = errors.iter().find(|error| error["item_name"] == name);
        found.unwrap()["detail"].as_str().unwrap()
    };
    assert!(
        detail("엄청난 것").contains("60000x60000"),
        "{}",
        detail("엄청난 것")
    );
}
