//! Colors on the screen at every color depth, and the picture of the record.

use super::*;

#[test]
fn screens_differ_only_in_color_and_use_only_colors_that_the_terminal_has() {
    let themes = [Depth::None, Depth::Ansi16, Depth::Ansi256, Depth::True].map(|depth| {
        [Ground::Dark, Ground::Light].map(|ground| Theme {
            depth,
            ground,
            palette: ThemeColors::load(None).unwrap(),
        })
    });
    for (_, keys, _) in ACTION_KEYS {
        let screens: Vec<String> = themes
            .iter()
            .flatten()
            .map(|theme| {
                let mut bench = Bench::evening_in(*theme, 80, 24);
                let screen = bench.keys(keys).screen();
                for color in bench.colors() {
                    let known = match (theme.depth, color) {
                        (_, Color::Reset) => true,
                        (Depth::None, _) => false,
                        (Depth::Ansi16, Color::Rgb(..) | Color::Indexed(_)) => false,
                        (Depth::Ansi256, Color::Rgb(..)) => false,
                        _ => true,
                    };
                    assert!(known, "{keys}: {color} with {theme:?}");
                }
                screen
            })
            .collect();
        assert!(screens.iter().all(|screen| *screen == screens[0]), "{keys}");
    }
}

/// The background colors of the first occurrence of a text.
pub(super) fn backgrounds(bench: &mut Bench, text: &str) -> Vec<Color> {
    let screen = bench.screen();
    let across = usize::from(bench.session().body().width);
    let lines = (0u16..).zip(screen.lines());
    let at = |line: &str| line.find(text).map(|at| width(&line[..at]) as u16);
    let mut found = lines.filter_map(|(y, line)| at(line).map(|x| (x, y)));
    let (x, y) = found.next().expect(text);
    let cells = x..x + width(text) as u16;
    let backgrounds: Vec<Color> = bench.colors().skip(1).step_by(3).collect();
    let place = |x: u16| usize::from(y) * across + usize::from(x);
    cells.map(|x| backgrounds[place(x)]).collect()
}

#[test]
fn a_color_value_has_swatches_if_the_terminal_can_show_them() {
    let ends = |depth| {
        let theme = Theme {
            depth,
            ground: Ground::Dark,
            palette: ThemeColors::load(None).unwrap(),
        };
        let mut bench = Bench::evening_in(theme, 120, 40);
        let cells = backgrounds(&mut bench, "[red]");
        assert_eq!(cells[1..4], [cells[1]; 3], "{depth:?}");
        assert_eq!(cells[0], cells[4], "{depth:?}");
        (cells[0] != cells[1]).then_some(cells[0])
    };
    assert_eq!(ends(Depth::True), Some(Color::Rgb(217, 43, 43)));
    assert!(matches!(ends(Depth::Ansi256), Some(Color::Indexed(_))));
    assert_eq!(ends(Depth::Ansi16), None);
    assert_eq!(ends(Depth::None), None);
}

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
