//! Tests of the color rules on drawn histograms.

use super::*;
use crate::record::to_oklab;

fn colors(pixels: &[([u8; 3], f32)]) -> Vec<([f32; 3], f32)> {
    let pixels = pixels.iter();
    pixels
        .map(|(rgb, share)| (to_oklab(*rgb), *share))
        .collect()
}

fn histogram(pixels: &[([u8; 3], f32)]) -> ColorHistogram {
    ColorHistogram {
        opaque: 500,
        bins: colors(pixels),
        ..ColorHistogram::default()
    }
}

/// The claimed words that the pixels do not show.
fn contradicted(icon: &ColorHistogram, claimed: &[&str]) -> Vec<String> {
    let vocabulary = Vocabulary::builtin().unwrap();
    let claimed = words(&vocabulary, claimed);
    let wrong = icon.contradicted(&claimed, &vocabulary);
    wrong.into_iter().map(|word| word.word.clone()).collect()
}

fn words<'a>(vocabulary: &'a Vocabulary, words: &[&str]) -> Vec<&'a Word> {
    let find = |word| vocabulary.find_exact(Field::Colors, word).unwrap();
    words.iter().map(|word| find(word)).collect()
}

#[test]
fn every_anchor_is_closest_to_its_own_word() {
    let vocabulary = Vocabulary::builtin().unwrap();
    for word in vocabulary.entries(Field::Colors) {
        for anchor in &word.anchors {
            assert_eq!(distance(word, *anchor), 0.0, "{}", word.word);
        }
    }
}

#[test]
fn a_red_hat_with_a_white_fringe_is_red_and_white_but_not_blue() {
    let hat = histogram(&[
        ([200, 30, 35], 0.45),
        ([120, 15, 25], 0.15),
        ([245, 245, 245], 0.25),
        ([17, 17, 17], 0.15),
    ]);
    let claimed = ["red", "white", "black", "blue", "green"];
    assert_eq!(contradicted(&hat, &claimed), ["blue", "green"]);
}

#[test]
fn black_is_shown_by_an_area_or_a_black_core() {
    let few = [([245, 245, 245], 0.99), ([17, 17, 17], 0.01)];
    assert_eq!(contradicted(&histogram(&few), &["black"]), ["black"]);
    // Thin strokes are mostly outline, which is excluded; only the core is black.
    let net = ColorHistogram {
        dark_core: colors(&[([17, 17, 17], 0.4)]),
        ..histogram(&few)
    };
    assert_eq!(contradicted(&net, &["black"]), Vec::<String>::new());
}

#[test]
fn lines_and_small_areas_of_dark_blue_are_not_black() {
    let suit = |rgb, share| histogram(&[([245, 245, 245], 1.0 - share), (rgb, share)]);
    let (navy, black) = ([30, 30, 110], [20, 20, 20]);
    assert_eq!(contradicted(&suit(navy, 0.05), &["black"]), ["black"]);
    assert_eq!(contradicted(&suit(black, 0.03), &["black"]), ["black"]);
    assert!(contradicted(&suit(black, 0.05), &["black"]).is_empty());
    // Without a bright neighbor, nobody sees the hue of such a dark pixel.
    let indigo = [10, 0, 60];
    assert_eq!(contradicted(&suit(indigo, 0.09), &["black"]), ["black"]);
    assert!(contradicted(&suit(indigo, 0.11), &["black"]).is_empty());
    assert!(contradicted(&suit(indigo, 0.4), &["black"]).is_empty());
}

#[test]
fn highlights_are_not_white() {
    let ball = |share| histogram(&[([200, 30, 40], 1.0 - share), ([245, 245, 245], share)]);
    assert_eq!(contradicted(&ball(0.05), &["white", "red"]), ["white"]);
    assert!(contradicted(&ball(0.1), &["white", "red"]).is_empty());
}

#[test]
fn a_pixel_between_two_colors_shows_both() {
    let salmon = histogram(&[([245, 245, 245], 0.95), ([252, 105, 72], 0.05)]);
    let claimed = ["red", "orange", "yellow", "purple"];
    assert_eq!(contradicted(&salmon, &claimed), ["yellow", "purple"]);
}

#[test]
fn a_broad_word_covers_its_shades() {
    let claimed = ["blue", "sky blue", "green"];
    let night = histogram(&[([25, 30, 80], 0.9), ([240, 240, 240], 0.1)]);
    assert_eq!(contradicted(&night, &claimed), ["sky blue", "green"]);
    let sea = histogram(&[([18, 165, 160], 1.0)]);
    assert_eq!(contradicted(&sea, &["blue"]), Vec::<String>::new());
    // Yellow is close to lime but shows no green.
    let star = histogram(&[([255, 225, 60], 1.0)]);
    assert_eq!(contradicted(&star, &claimed), claimed);
    let shoes = histogram(&[([110, 40, 60], 0.6), ([20, 20, 20], 0.4)]);
    assert_eq!(contradicted(&shoes, &["red"]), Vec::<String>::new());
}

#[test]
fn shading_does_not_change_the_color_word() {
    let claims = [
        ("gold", [[255, 215, 0], [150, 110, 20]]),
        ("purple", [[150, 80, 210], [90, 40, 130]]),
        ("pink", [[255, 150, 190], [230, 100, 150]]),
        ("pink", [[238, 136, 255], [255, 221, 255]]),
        ("brown", [[100, 60, 30], [150, 100, 60]]),
    ];
    for (word, pixels) in claims {
        for rgb in pixels {
            let icon = histogram(&[(rgb, 1.0)]);
            assert!(contradicted(&icon, &[word]).is_empty(), "{word} {rgb:?}");
        }
    }
}

#[test]
fn multicolor_and_transparency_are_checked_by_pixels() {
    let claimed = ["multicolor"];
    let plain = histogram(&[([200, 30, 35], 0.7), ([245, 245, 245], 0.3)]);
    assert_eq!(contradicted(&plain, &claimed), claimed);
    let rainbow = histogram(&[
        ([200, 30, 35], 0.3),
        ([247, 208, 56], 0.3),
        ([63, 163, 77], 0.2),
        ([47, 111, 223], 0.2),
    ]);
    assert_eq!(contradicted(&rainbow, &claimed), Vec::<String>::new());
    let shaded = histogram(&[
        ([184, 31, 40], 0.4),
        ([114, 47, 55], 0.4),
        ([245, 245, 245], 0.2),
    ]);
    assert_eq!(contradicted(&shaded, &claimed), claimed);
    // Pixels never contradict transparency, but a model may claim it only if it is visible.
    let vocabulary = Vocabulary::builtin().unwrap();
    let transparent = words(&vocabulary, &["transparent"])[0];
    assert!(contradicted(&plain, &["transparent"]).is_empty());
    assert!(!plain.allowed(&vocabulary).contains(&transparent));
    let glass = ColorHistogram {
        translucent: 0.4,
        ..plain
    };
    assert!(glass.allowed(&vocabulary).contains(&transparent));
    let many = words(&vocabulary, &["multicolor"]);
    assert!(!rainbow.misses_main_color(&many, &vocabulary));
}

#[test]
fn gray_pixels_show_no_pale_color() {
    let snow = histogram(&[([255, 255, 255], 0.7), ([200, 202, 205], 0.3)]);
    let claimed = ["white", "silver", "pink", "lavender", "sky blue"];
    assert_eq!(
        contradicted(&snow, &claimed),
        ["pink", "lavender", "sky blue"]
    );
}

#[test]
fn claims_without_the_main_color_miss_it() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let hat = histogram(&[([200, 30, 35], 0.8), ([245, 245, 245], 0.2)]);
    let misses = |claimed: &[&str], named: &[&str]| {
        let claimed = words(&vocabulary, claimed);
        let mentioned = [claimed.clone(), words(&vocabulary, named)].concat();
        let misses = |named: &[&Word]| hat.misses_main_color(named, &vocabulary);
        misses(&claimed) && misses(&mentioned)
    };
    assert!(misses(&["white"], &[]));
    assert!(!misses(&["white", "red"], &[]));
    assert!(!misses(&[], &[]));
    // The name mentions the main color, or claims nothing by itself.
    assert!(!misses(&["white"], &["red"]));
    assert!(!misses(&[], &["white"]));
}

#[test]
fn claims_that_cover_little_of_the_icon_are_detected() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let ring = histogram(&[
        ([247, 208, 56], 0.34),
        ([245, 245, 245], 0.3),
        ([47, 111, 223], 0.2),
        ([217, 43, 43], 0.16),
    ]);
    let too_little =
        |claimed: &[&str]| ring.claims_too_little(&words(&vocabulary, claimed), &vocabulary);
    assert!(!too_little(&["yellow"]));
    // Golden things have yellow pixels.
    assert!(!too_little(&["gold"]));
    assert!(!too_little(&["white"]));
    assert!(too_little(&["blue"]));
    assert!(!too_little(&["blue", "red"]));
    assert!(too_little(&["transparent"]));
    assert!(too_little(&[]));
    let (white, purple, blue) = ([245, 245, 245], [139, 60, 191], [47, 111, 223]);
    let called_blue = |largest: [u8; 3]| {
        let bow = histogram(&[(largest, 0.6), (blue, 0.4)]);
        bow.claims_too_little(&words(&vocabulary, &["blue"]), &vocabulary)
    };
    assert!(called_blue(purple));
    // People leave white unsaid.
    assert!(!called_blue(white));
}

#[test]
fn dusty_colors_are_not_gray() {
    let vocabulary = Vocabulary::builtin().unwrap();
    for (word, rgb) in [
        ("brown", [102, 80, 72]),
        ("pink", [208, 168, 174]),
        ("gray", [104, 106, 110]),
        ("silver", [190, 194, 200]),
    ] {
        let nearest = nearest_color(&vocabulary, to_oklab(rgb)).unwrap();
        assert_eq!(nearest.word, word, "{rgb:?}");
    }
}

#[test]
fn swatches_have_the_expected_names() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let swatches = [
        ("white", [252, 251, 248]),
        ("silver", [200, 202, 205]),
        ("black", [20, 20, 20]),
        ("red", [217, 43, 43]),
    ];
    for (word, rgb) in swatches {
        let nearest = nearest_color(&vocabulary, to_oklab(rgb)).unwrap();
        assert_eq!(nearest.word, word);
    }
}

#[test]
fn the_measured_words_are_those_of_the_largest_areas() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let names = |icon: &ColorHistogram| {
        let measured = icon.measured(&vocabulary).into_iter();
        measured
            .map(|(word, _)| word.word.clone())
            .collect::<Vec<_>>()
    };
    let hat = histogram(&[
        ([245, 245, 245], 0.25),
        ([217, 43, 43], 0.45),
        ([184, 31, 40], 0.2),
        ([58, 123, 213], 0.1),
    ]);
    assert_eq!(names(&hat), ["red", "white"]);
    let confetti = histogram(&[([217, 43, 43], 0.11), ([245, 245, 245], 0.1)]);
    assert_eq!(names(&confetti), ["red"]);
    assert!(names(&ColorHistogram::default()).is_empty());
}

#[test]
fn allowed_words_are_not_contradicted() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let hat = histogram(&[([217, 43, 43], 0.75), ([245, 245, 245], 0.25)]);
    let allowed = hat.allowed(&vocabulary);
    assert!(hat.contradicted(&allowed, &vocabulary).is_empty());
    let names: Vec<&str> = allowed.iter().map(|word| word.word.as_str()).collect();
    assert!(
        names.contains(&"red") && names.contains(&"white"),
        "{names:?}"
    );
    assert!(
        !names.contains(&"blue") && !names.contains(&"black"),
        "{names:?}"
    );
    let all = ColorHistogram::default().allowed(&vocabulary).len();
    assert_eq!(all, vocabulary.entries(Field::Colors).len());
}

#[test]
fn an_empty_icon_contradicts_nothing() {
    assert_eq!(
        contradicted(&ColorHistogram::default(), &["blue"]),
        Vec::<String>::new()
    );
}
