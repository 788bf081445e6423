//! Colors on the screen at every color depth.

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
