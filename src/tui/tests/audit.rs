//! An audit that is begun from the queue, and what is there when it is left.

use super::*;
use crate::record::{
    AuditEstimate, Candidate, DEFAULT_SAMPLE_SIZE, Judgment, SampledRecord, SourceType, Stratum,
    Verdict,
};
use crate::tui::message::Effect;
use crate::tui::picture::{Graphics, load};
use crate::tui::terminal::Application;
use crate::tui::testing::detail;
use crate::tui::workstation::Workstation;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui_image::picker::Picker;

struct Desk {
    workstation: Workstation,
    graphics: Graphics,
    sent: Vec<Command>,
}

impl Desk {
    fn new() -> Self {
        Self {
            workstation: Workstation::new(Bench::evening(80, 24).app),
            graphics: Graphics::new(Picker::halfblocks()),
            sent: Vec::new(),
        }
    }

    fn message(&mut self, message: Message) {
        let mut effects = self.workstation.update(message);
        effects.extend(self.workstation.prepare_frame());
        for effect in effects {
            match effect {
                Effect::Send(Command::Open(_)) => {}
                Effect::Send(command) => self.sent.push(command),
                Effect::Pictures(requests) => {
                    for request in &requests {
                        let picture = load(&self.graphics, request);
                        self.workstation.update(Message::Picture(picture));
                    }
                }
                _ => {}
            }
        }
        self.workstation.drawn();
    }

    fn key(&mut self, key: char) {
        let event = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
        self.message(Message::Key(event, self.workstation.frames()));
    }

    fn screen(&self) -> String {
        let area = Rect::new(0, 0, 80, 24);
        let mut buffer = Buffer::empty(area);
        self.workstation.draw(area, &mut buffer);
        let cells = buffer.content.chunks(80);
        let lines = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect());
        lines.collect::<Vec<String>>().join("\n")
    }

    fn sample(&mut self, numbers: &[i64]) {
        let drawn = |number: &i64| {
            let detail = detail(*number, "은반지", GroupState::Committed, &[]);
            SampledRecord {
                group: GroupId(*number),
                version: 10 + number,
                item: detail.item.clone(),
                labels: detail.draft.as_ref().unwrap().labels.clone(),
                judged: None,
            }
        };
        let sample = numbers.iter().map(drawn).collect();
        self.message(Message::Engine(Event::AuditDrawn { seed: 7, sample }));
    }
}

#[test]
fn an_audit_covers_the_queue_until_it_is_left() {
    let mut desk = Desk::new();
    let queue = desk.screen();
    desk.key('A');
    assert_eq!(desk.sent, [Command::DrawAudit(DEFAULT_SAMPLE_SIZE)]);
    desk.sent.clear();
    desk.sample(&[6, 2]);
    assert!(
        desk.screen().contains("Is this right?"),
        "{}",
        desk.screen()
    );
    desk.key('1');
    desk.key('u');
    let judged = |verdict| Command::Judge {
        seed: 7,
        group: GroupId(6),
        version: 16,
        verdict,
    };
    assert_eq!(desk.sent, [judged(Some(Verdict::Right)), judged(None)]);
    desk.sent.clear();
    desk.key('q');
    assert_eq!(desk.sent, [Command::Audit]);
    assert_eq!(desk.screen(), queue);
}

#[test]
fn at_its_end_an_audit_tells_what_it_has_found() {
    let mut desk = Desk::new();
    desk.key('A');
    desk.sample(&[6]);
    desk.key('1');
    assert_eq!(desk.sent.last(), Some(&Command::Audit));
    let stratum = Stratum {
        source_type: SourceType::Cash,
        item_type: None,
    };
    let population = [Candidate {
        group: GroupId(6),
        version: 16,
        stratum,
        uncertainty: 0.1,
    }];
    let right = Judgment {
        group: GroupId(6),
        version: 16,
        verdict: Verdict::Right,
    };
    let estimate = AuditEstimate::new(&population, &[right], 7, AuditEstimate::WIDTH);
    desk.message(Message::Engine(Event::Audited(Some(Box::new(estimate)))));
    assert!(desk.screen().contains("1 right"), "{}", desk.screen());
}

#[test]
fn without_a_committed_record_there_is_nothing_to_judge() {
    let mut desk = Desk::new();
    desk.key('A');
    desk.sample(&[]);
    assert!(
        desk.screen().contains("commit some first"),
        "{}",
        desk.screen()
    );
}
