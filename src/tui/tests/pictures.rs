//! The picture of the record: how the model saw it, and files that have been replaced.

use super::*;

#[test]
fn only_a_picture_that_a_model_saw_is_shown_as_it_saw_it() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    let mut bench = Bench::evening(120, 40);
    // An imported record has no attempts.
    bench.world.get_mut(&GroupId(3)).unwrap().attempts.clear();
    bench.show_icon(&icon);
    let screen = bench.keys("m").screen();
    assert!(
        screen.contains("as this run's model would see it"),
        "{screen}"
    );
    let screen = bench.keys("j").screen();
    assert!(screen.contains("as the model saw it"), "{screen}");
    // A picture that is missing was not seen by anyone.
    let mut bench = Bench::evening(120, 40);
    let screen = bench.keys("m").screen();
    assert!(screen.contains("no picture"), "{screen}");
    assert!(!screen.contains("model saw"), "{screen}");
}

#[test]
fn a_picture_that_was_replaced_since_it_was_labeled_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    let mut bench = Bench::evening(200, 40);
    let labeled = bench.world.get_mut(&GroupId(3)).unwrap();
    labeled.image_sha256 = Some("0f".repeat(32));
    bench.show_icon(&icon);
    let screen = bench.screen();
    let title = "! replaced since it was labeled";
    assert!(screen.contains(title), "{screen}");
    let notice = "Frozen 왕관: the picture's file was replaced since it was labeled";
    assert!(screen.contains(notice), "{screen}");
    let screen = bench.keys("j").screen();
    assert!(!screen.contains(title), "{screen}");
}

#[test]
fn icons_are_drawn_with_the_colors_that_the_terminal_has() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    for depth in [Depth::None, Depth::Ansi16] {
        let theme = Theme {
            depth,
            ground: Ground::Dark,
            palette: ThemeColors::load(None).unwrap(),
        };
        let mut bench = Bench::evening_in(theme, 120, 40);
        bench.show_icon(&icon);
        let screen = bench.screen();
        let rgb = bench
            .colors()
            .filter(|color| matches!(color, Color::Rgb(..)));
        assert_eq!(rgb.count(), 0, "{depth:?}");
        // Without colors, the red icon is drawn in shades.
        let shades = screen.contains("▒▒▒") || screen.contains("░░░");
        assert_eq!(shades, depth == Depth::None, "{screen}");
    }
}
