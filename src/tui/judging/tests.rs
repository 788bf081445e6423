//! Plays keys and clicks on the judging screen; checks the judgments and the screen.

use super::screen::JudgingScreen;
use super::*;
use crate::error::{Error, ErrorKind};
use crate::record::{
    AuditEstimate, Candidate, Field, GroupId, Judgment, Labels, SourceType, Stratum, Verdict,
};
use crate::text::Language;
use crate::tui::keymap::Key;
use crate::tui::message::{Effect, Message};
use crate::tui::options::PictureChoice;
use crate::tui::picture::{Graphics, load};
use crate::tui::terminal::Application;
use crate::tui::theme::{Depth, Ground, Theme};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui_image::picker::Picker;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

/// A ballot in memory that can fail as if the disk were full.
#[derive(Default)]
struct FakeBallot {
    cast: Vec<(usize, Option<Choice>)>,
    disk_full: bool,
}

impl Ballot for FakeBallot {
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()> {
        if self.disk_full {
            return Err(Error::new(ErrorKind::Store, "the disk is full"));
        }
        self.cast.push((card, choice));
        Ok(())
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        let candidate = |at: usize| Candidate {
            group: GroupId(at as i64),
            version: 1,
            stratum: Stratum {
                source_type: SourceType::Cash,
                item_type: None,
            },
            uncertainty: 0.1,
        };
        let judgment = |(card, choice): &(usize, Option<Choice>)| {
            let verdict = match (*choice)? {
                Choice::One => Verdict::Right,
                Choice::Field(field) => Verdict::Wrong(field),
                Choice::Two | Choice::Neither => Verdict::Unsure,
            };
            Some(Judgment {
                group: GroupId(*card as i64),
                version: 1,
                verdict,
            })
        };
        let population: Vec<Candidate> = (0..900).map(candidate).collect();
        let judgments: Vec<Judgment> = self.cast.iter().filter_map(judgment).collect();
        let estimate = AuditEstimate::new(&population, &judgments, 0, 0.05);
        Ok(Some(Outcome::Audit(Box::new(estimate))))
    }
}

fn text(name: &str, color: &str, korean: &str) -> Labels {
    Labels::default()
        .with(
            Field::LabelKo,
            [format!("{korean} 보석이 박힌 {name}, 둥근 테두리가 있다")],
        )
        .with(Field::TagsKo, ["모자", korean, "보석", "왕관", "귀족"])
        .with(Field::Colors, [color])
        .with(Field::Theme, ["fantasy"])
        .with(Field::Material, ["metal"])
        .with(Field::ItemTypeGuess, ["hat"])
        .with(
            Field::QueryVariantsKo,
            [format!("{korean} {name}"), "보석 왕관".to_owned()],
        )
}

fn deck(question: Question) -> Deck {
    let card = |(number, name): (i64, &str)| Card {
        group: GroupId(number),
        picture: Some(std::path::PathBuf::from("/home/op/lab/no/such/icon.png").into()),
        name: name.to_owned(),
        about: (question == Question::IsRight)
            .then(|| "모자 · 먼 나라의 장인이 만들었다.".to_owned()),
        first: text(name, "red", "붉은"),
        second: (question == Question::WhichIsBetter).then(|| text(name, "gold", "금빛")),
    };
    Deck {
        question,
        cards: [(1, "여왕의 왕관"), (2, "기사의 투구"), (3, "은빛 모자")]
            .map(card)
            .to_vec(),
        judged: Vec::new(),
        about: "labels".to_owned(),
    }
}

struct Harness<'a> {
    screen: JudgingScreen<&'a mut FakeBallot>,
    graphics: Graphics,
    quit: bool,
}

impl<'a> Harness<'a> {
    fn new(ballot: &'a mut FakeBallot, deck: Deck, size: (u16, u16)) -> Self {
        Self::in_language(ballot, deck, size, Language::English)
    }

    fn in_language(
        ballot: &'a mut FakeBallot,
        deck: Deck,
        (width, height): (u16, u16),
        language: Language,
    ) -> Self {
        let theme = Theme {
            depth: Depth::True,
            ground: Ground::Dark,
            palette: ThemeColors::load(None).unwrap(),
        };
        let size = Size::new(width, height);
        let (words, pictures) = (Words::new(language), PictureChoice::Auto);
        let mut harness = Self {
            screen: JudgingScreen::new(size, theme, words, pictures, deck, ballot),
            graphics: Graphics::new(Picker::halfblocks()),
            quit: false,
        };
        harness.draw_frame();
        harness
    }

    /// Loads everything that the frame needs, then draws it.
    fn draw_frame(&mut self) {
        loop {
            let effects = self.screen.prepare_frame();
            if effects.is_empty() {
                break;
            }
            self.carry_out(effects);
        }
        self.screen.drawn();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Pictures(requests) => {
                    for request in &requests {
                        let loaded = load(&self.graphics, request);
                        self.screen.update(Message::Picture(loaded));
                    }
                }
                _ => {}
            }
        }
    }

    fn keys(&mut self, script: &str) -> &mut Self {
        for word in script.split_whitespace() {
            let key = Key::parse(word).unwrap().to_event();
            let frames = self.screen.frames();
            let effects = self.screen.update(Message::Key(key, frames));
            self.carry_out(effects);
            self.draw_frame();
        }
        self
    }

    fn click(&mut self, column: u16, row: u16) {
        let mouse = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let frames = self.screen.frames();
        let effects = self.screen.update(Message::Mouse(mouse, frames));
        self.carry_out(effects);
        self.draw_frame();
    }

    /// Clicks on the first occurrence of a text.
    fn click_on(&mut self, text: &str) {
        let (row, line) = self
            .lines()
            .into_iter()
            .enumerate()
            .find(|(_, line)| line.contains(text))
            .unwrap();
        let before = line.split(text).next().unwrap();
        self.click(crate::text::width(before) as u16, row as u16);
    }

    fn lines(&self) -> Vec<String> {
        let area = Rect::from(self.screen.size());
        let mut buffer = Buffer::empty(area);
        self.screen.draw(area, &mut buffer);
        (0..area.height)
            .map(|y| {
                let mut line = String::new();
                let mut x = 0;
                while x < area.width {
                    let symbol = buffer[(x, y)].symbol();
                    line.push_str(symbol);
                    x += crate::text::width(symbol).max(1) as u16;
                }
                line.trim_end().to_owned()
            })
            .collect()
    }

    fn shown(&self) -> String {
        self.lines().join("\n")
    }
}

#[test]
fn keys_1_2_and_0_judge_a_record_and_show_the_next() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (80, 24));
    assert!(harness.shown().contains("여왕의 왕관"));
    harness.keys("1");
    assert!(harness.shown().contains("기사의 투구"));
    // Wrong, in the colors.
    harness.keys("2 3 0");
    assert!(
        harness.shown().contains("All are judged."),
        "{}",
        harness.shown()
    );
    assert!(
        harness.shown().contains("3 of 900 records"),
        "{}",
        harness.shown()
    );
    harness.keys("enter");
    assert!(harness.quit);
    let field = Some(Choice::Field(Field::Colors));
    let expected = [
        (0, Some(Choice::One)),
        (1, field),
        (2, Some(Choice::Neither)),
    ];
    assert_eq!(ballot.cast, expected);
}

#[test]
fn undo_takes_back_a_judgment_and_shows_its_record() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (80, 24));
    harness.keys("1 1 u");
    assert!(harness.shown().contains("기사의 투구") && harness.shown().contains("taken back"));
    harness.keys("0 u u u");
    assert!(harness.shown().contains("nothing to take back"));
    harness.keys("1");
    assert!(harness.shown().contains("기사의 투구"));
    let undone: Vec<usize> = ballot
        .cast
        .iter()
        .filter(|(_, of)| of.is_none())
        .map(|(card, _)| *card)
        .collect();
    assert_eq!(undone, [1, 1, 0]);
}

#[test]
fn earlier_judgments_are_resumed_and_can_be_taken_back() {
    let mut ballot = FakeBallot::default();
    let deck = Deck {
        judged: vec![(2, Choice::One), (0, Choice::Field(Field::Colors))],
        ..deck(Question::IsRight)
    };
    let mut harness = Harness::new(&mut ballot, deck, (80, 24));
    assert!(harness.shown().contains("2/3") && harness.shown().contains("기사의 투구"));
    harness.keys("u");
    assert!(harness.shown().contains("1/3") && harness.shown().contains("여왕의 왕관"));
}

#[test]
fn a_key_read_before_the_record_was_drawn_does_not_judge_it() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (80, 24));
    let frames = harness.screen.frames();
    let key = || Key::parse("1").unwrap().to_event();
    // Typed twice before the next frame.
    harness.screen.update(Message::Key(key(), frames));
    harness.screen.update(Message::Key(key(), frames));
    harness.draw_frame();
    assert!(harness.shown().contains("not on screen yet") && harness.shown().contains("1/3"));
    drop(harness);
    assert_eq!(ballot.cast.len(), 1);
}

#[test]
fn a_failed_save_is_reported_and_the_record_stays() {
    let mut ballot = FakeBallot {
        disk_full: true,
        ..FakeBallot::default()
    };
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (80, 24));
    harness.keys("1");
    assert!(harness.shown().contains("not saved: the disk is full"));
    assert!(harness.shown().contains("0/3") && harness.shown().contains("여왕의 왕관"));
}

#[test]
fn texts_fields_and_keys_can_be_clicked() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::WhichIsBetter), (80, 24));
    harness.click_on("금빛 보석이");
    assert!(harness.shown().contains("1/3"));
    harness.click_on("0 neither");
    assert!(harness.shown().contains("2/3"));
    harness.click(5, 5);
    assert!(
        !harness.shown().contains("금빛 보석이"),
        "the icon fills the screen"
    );
    harness.click(5, 5);
    drop(harness);
    assert_eq!(
        ballot.cast,
        [(0, Some(Choice::Two)), (1, Some(Choice::Neither))]
    );

    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (80, 24));
    harness.click_on("2 wrong");
    harness.click_on("4 theme");
    drop(harness);
    assert_eq!(ballot.cast, [(0, Some(Choice::Field(Field::Theme)))]);
}

#[test]
fn a_comparison_shows_only_the_fields_that_differ() {
    let mut ballot = FakeBallot::default();
    let harness = Harness::new(&mut ballot, deck(Question::WhichIsBetter), (120, 40));
    let shown = harness.shown();
    assert!(shown.contains("gold") && shown.contains("red"));
    assert!(
        !shown.contains("fantasy") && shown.contains("the same in both: theme, material, type")
    );
}

#[test]
fn snapshots_at_every_size() {
    for (name, question, keys) in [
        ("audit", Question::IsRight, ""),
        ("audit_field", Question::IsRight, "2"),
        ("audit_end", Question::IsRight, "1 2 3 0"),
        ("blind", Question::WhichIsBetter, "1"),
    ] {
        for (width, height) in SIZES {
            let mut ballot = FakeBallot::default();
            let mut harness = Harness::new(&mut ballot, deck(question), (width, height));
            harness.keys(keys);
            insta::assert_snapshot!(format!("judging_{name}_{width}x{height}"), harness.shown());
        }
    }
}

#[test]
fn the_korean_screens_have_no_english_words() {
    let deck = |question| {
        let mut deck = deck(question);
        for card in &mut deck.cards {
            card.picture = None;
        }
        deck
    };
    for (question, keys) in [
        (Question::IsRight, "1 2"),
        (Question::IsRight, "1 u"),
        (Question::IsRight, "1 2 3 0"),
        (Question::WhichIsBetter, ""),
    ] {
        let mut ballot = FakeBallot::default();
        let mut harness =
            Harness::in_language(&mut ballot, deck(question), (120, 40), Language::Korean);
        let shown = harness.keys(keys).shown();
        let known = [
            "labels", "A", "B", "gold", "red", "fantasy", "metal", "hat", "Enter", "Esc",
        ];
        for word in crate::text::words(&shown) {
            let is_latin = word.chars().any(|c| c.is_ascii_alphabetic());
            assert!(
                !is_latin || word.len() == 1 || known.contains(&word),
                "{word} in\n{shown}"
            );
        }
    }
}

#[test]
fn a_long_text_scrolls() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (40, 10));
    assert!(harness.shown().contains("Down more") && !harness.shown().contains("queries"));
    harness.keys("j j j j j j j j j j j j j j j j");
    assert!(!harness.shown().contains("Down more") && harness.shown().contains("장인이"));
    harness.keys("1");
    assert!(
        harness.shown().contains("붉은 보석이"),
        "the next card starts at its top"
    );
}

#[test]
fn a_screen_that_is_too_small_takes_no_judgments() {
    let mut ballot = FakeBallot::default();
    let mut harness = Harness::new(&mut ballot, deck(Question::IsRight), (39, 9));
    assert!(harness.shown().contains("too small"));
    harness.keys("1 0");
    harness.keys("q");
    assert!(harness.quit);
    drop(harness);
    assert!(ballot.cast.is_empty());
}

#[test]
fn the_way_out_is_always_shown_and_escape_leaves() {
    for language in [Language::English, Language::Korean] {
        let out = Words::new(language).leaves();
        for question in [Question::IsRight, Question::WhichIsBetter] {
            let mut ballot = FakeBallot::default();
            let size = (60, 20);
            let mut harness = Harness::in_language(&mut ballot, deck(question), size, language);
            harness.keys("1 u 1");
            let hints = harness.lines().pop().unwrap();
            assert!(hints.contains(&format!("q {out}")), "{hints}");
            let back = Words::new(language).takes_back();
            assert!(hints.contains(&format!("u {back}")), "{hints}");
            harness.keys("z esc");
            assert!(!harness.quit);
            harness.keys("esc");
            assert!(harness.quit);
        }
    }
}
