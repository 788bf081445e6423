//! An audit that is started from the queue, and the queue after it.

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

struct AuditBench {
    workstation: Workstation,
    graphics: Graphics,
    sent: Vec<Command>,
}

impl AuditBench {
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
fn an_audit_replaces_the_queue_until_it_is_left() {
    let mut bench = AuditBench::new();
    let queue = bench.screen();
    bench.key('A');
    assert_eq!(bench.sent, [Command::DrawAudit(DEFAULT_SAMPLE_SIZE)]);
    bench.sent.clear();
    bench.sample(&[6, 2]);
    assert!(
        bench.screen().contains("Is this right?"),
        "{}",
        bench.screen()
    );
    bench.key('1');
    bench.key('u');
    let judged = |verdict| Command::Judge {
        seed: 7,
        group: GroupId(6),
        version: 16,
        verdict,
    };
    assert_eq!(bench.sent, [judged(Some(Verdict::Right)), judged(None)]);
    bench.sent.clear();
    bench.key('q');
    assert_eq!(bench.sent, [Command::Audit]);
    assert_eq!(bench.screen(), queue);
}

#[test]
fn an_audit_shows_its_estimate_at_the_end() {
    let mut bench = AuditBench::new();
    bench.key('A');
    bench.sample(&[6]);
    bench.key('1');
    assert_eq!(bench.sent.last(), Some(&Command::Audit));
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
    bench.message(Message::Engine(Event::Audited(Some(Box::new(estimate)))));
    assert!(bench.screen().contains("1 right"), "{}", bench.screen());
}

#[test]
fn an_audit_needs_committed_records() {
    let mut bench = AuditBench::new();
    bench.key('A');
    bench.sample(&[]);
    assert!(
        bench.screen().contains("commit some first"),
        "{}",
        bench.screen()
    );
}
