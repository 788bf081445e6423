//! The README says what the program does: its key table is the action table's.

use labeler_tui::tui::keymap::readme_table;

#[test]
fn the_readme_holds_the_key_table() {
    let readme = include_str!("../README.md");
    let (_, after) = readme.split_once("<!-- keys -->\n").unwrap();
    let (held, _) = after.split_once("<!-- /keys -->").unwrap();
    let made = readme_table().unwrap();
    assert!(
        held == made,
        "put this between the `keys` marks of README.md:\n{made}"
    );
}
