use super::*;
use crate::tui::keymap::Key;
use crossterm::event::{MouseButton, MouseEventKind};

/// Keys as key files write them, and other input in angle brackets.
fn describe(inputs: &[Input]) -> String {
    let parts = inputs.iter().flat_map(|input| match input {
        Input::Key(key) => Key::from_event(key)
            .iter()
            .map(ToString::to_string)
            .collect(),
        Input::Mouse(mouse) => vec![format!("<{:?} {},{}>", mouse.kind, mouse.column, mouse.row)],
        Input::Paste(text) => vec![format!("<paste {text:?}>")],
        Input::Report(_) => vec!["<report>".to_owned()],
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// Decodes a text that arrives at once with nothing after it.
fn decoded(text: &str) -> String {
    let mut decoder = Decoder::default();
    let mut inputs = decoder.push(text.as_bytes());
    while decoder.timeout().is_some() {
        inputs.extend(decoder.expire());
    }
    describe(&inputs)
}

/// The keys in a text.
fn keys(text: &str) -> String {
    let decoded = decoded(text);
    let keys = decoded.split(' ').filter(|word| *word != "<report>");
    keys.collect::<Vec<_>>().join(" ")
}

/// Replies of terminals to all kinds of queries.
const REPLIES: [&str; 13] = [
    "\u{1b}]11;rgb:1717/1717/4040\u{7}",
    "\u{1b}]11;rgb:1717/1717/4040\u{1b}\\",
    "\u{1b}]4;1;rgb:cdcd/0000/0000\u{1b}\\",
    "\u{1b}]52;c;anF1aXQ=\u{7}",
    "\u{1b}_Gi=31;OK\u{1b}\\",
    "\u{1b}_Gi=31;ENOTSUPPORTED:q\u{1b}\\",
    "\u{1b}P>|xterm(390)\u{1b}\\",
    "\u{1b}P1$r0m\u{1b}\\",
    "\u{1b}P1+r544e=787465726d\u{1b}\\",
    "\u{1b}P!|7E565445\u{1b}\\",
    "\u{1b}[?62;4;52c",
    "\u{1b}[6;20;10t",
    "\u{1b}[0n",
];

#[test]
fn letters_and_control_keys() {
    assert_eq!(
        decoded("jG\r\n\t\u{7f}\0"),
        "j G Enter Enter Tab Backspace Ctrl-Space"
    );
    assert_eq!(decoded("\u{1a}\u{3}\u{8}"), "Ctrl-z Ctrl-c Ctrl-h");
    let mut decoder = Decoder::default();
    let key = Input::Key(KeyEvent::from(KeyCode::Char('ㅓ')));
    assert_eq!(decoder.push("ㅓ".as_bytes()), [key]);
    assert_eq!(decoded("\u{9b}"), "");
}

#[test]
fn a_character_may_arrive_in_pieces_and_invalid_bytes_are_dropped() {
    let mut decoder = Decoder::default();
    let bytes = "값".as_bytes();
    assert_eq!(decoder.push(&bytes[..1]), []);
    assert_eq!(decoder.push(&bytes[1..2]), []);
    assert_eq!(describe(&decoder.push(&bytes[2..])), "r k q t");
    assert_eq!(describe(&decoder.push(b"a\xff\xfeb")), "a b");
}

#[test]
fn keys_that_terminals_send_as_sequences() {
    assert_eq!(
        decoded("\u{1b}[A\u{1b}OB\u{1b}[1;5C\u{1b}[H\u{1b}[4~\u{1b}[Z"),
        "Up Down Ctrl-Right Home End Shift-Tab"
    );
    assert_eq!(
        decoded("\u{1b}[2~\u{1b}[3;2~\u{1b}[5~\u{1b}[6~"),
        "Insert Shift-Delete PageUp PageDown"
    );
    assert_eq!(
        decoded("\u{1b}OP\u{1b}[11~\u{1b}[[B\u{1b}[15~\u{1b}[17~\u{1b}[24~"),
        "F1 F1 F2 F5 F6 F12"
    );
    assert_eq!(decoded("\u{1b}c\u{1b}\u{7f}"), "Alt-c Alt-Backspace");
    assert_eq!(
        decoded("\u{1b}[106;5u\u{1b}[27;5;114~\u{1b}[13u\u{1b}[97;2u\u{1b}[97;1:3u"),
        "Ctrl-j Ctrl-r Enter A"
    );
}

#[test]
fn escape_is_a_key_if_nothing_follows() {
    assert_eq!(decoded("\u{1b}"), "Esc");
    assert_eq!(decoded("\u{1b}\u{1b}"), "Esc Esc");
    assert_eq!(keys("\u{1b}\u{1b}[0nj"), "Esc j");
    let mut decoder = Decoder::default();
    assert_eq!(decoder.push(b"\x1b"), []);
    assert_eq!(decoder.timeout(), Some(ESC_TIMEOUT));
    assert_eq!(describe(&decoder.expire()), "Esc");
    assert_eq!(describe(&decoder.push(b"j")), "j");
    assert_eq!(decoder.timeout(), None);
}

#[test]
fn a_reply_in_any_pieces_is_never_taken_for_keys() {
    for reply in REPLIES {
        for cut in 1..reply.len() {
            let (one, other) = reply.split_at(cut);
            let mut decoder = Decoder::default();
            let mut inputs = decoder.push(b"a");
            inputs.extend(decoder.push(one.as_bytes()));
            inputs.extend(decoder.push(other.as_bytes()));
            inputs.extend(decoder.push(b"b"));
            assert_eq!(describe(&inputs), "a <report> b", "{reply:?} cut at {cut}");
            assert_eq!(decoder.timeout(), None);
        }
        let mut decoder = Decoder::default();
        let mut inputs = Vec::new();
        for byte in format!("a{reply}b").bytes() {
            inputs.extend(decoder.push(&[byte]));
        }
        assert_eq!(describe(&inputs), "a <report> b", "{reply:?} byte by byte");
    }
}

/// The keys that get through are harmless: Escape, or one without a binding.
#[test]
fn a_long_pause_in_a_reply_lets_only_its_beginning_through_as_a_key() {
    for reply in REPLIES {
        let alt_key = match &reply[..2] {
            "\u{1b}]" => "Alt-]",
            "\u{1b}_" => "Alt-_",
            "\u{1b}P" => "Alt-P",
            _ => "Alt-[",
        };
        for (cut, key) in [(1, "Esc"), (2, alt_key)] {
            let mut decoder = Decoder::default();
            let mut inputs = decoder.push(&reply.as_bytes()[..cut]);
            inputs.extend(decoder.expire());
            inputs.extend(decoder.push(&reply.as_bytes()[cut..]));
            inputs.extend(decoder.push(b"b"));
            let expected = format!("{key} <report> b");
            assert_eq!(describe(&inputs), expected, "{reply:?} after {cut}");
        }
    }
}

#[test]
fn an_aborted_reply_neither_is_a_key_nor_swallows_one() {
    for part in ["\u{1b}[6;20", "\u{1b}[?", "\u{1b}]11;rgb", "\u{1b}P>|xt"] {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.push(part.as_bytes());
        inputs.extend(decoder.expire());
        inputs.extend(decoder.push(b"j"));
        assert_eq!(describe(&inputs), "j", "{part:?}");
    }
    assert_eq!(keys("a\u{1b}[\u{1b}[0nj"), "a j");
}

#[test]
fn alt_keys_that_look_like_the_start_of_a_reply_are_keys() {
    assert_eq!(decoded("\u{1b}]"), "Alt-]");
    assert_eq!(decoded("\u{1b}["), "Alt-[");
    assert_eq!(decoded("\u{1b}P\u{1b}_"), "Alt-P Alt-_");
    assert_eq!(decoded("\u{1b}]j"), "Alt-] j");
    assert_eq!(decoded("\u{1b}]1j"), "Alt-] 1 j");
    assert_eq!(decoded("\u{1b}]1\u{1b}]12"), "Alt-] 1 Alt-] 1 2");
    assert_eq!(decoded("\u{1b}P>j"), "Alt-P > j");
    assert_eq!(decoded("\u{1b}_GG"), "Alt-_ G G");
    assert_eq!(decoded("\u{1b}Oj\u{1b}O"), "Alt-O j Alt-O");
    // With pauses between them.
    let mut decoder = Decoder::default();
    let mut inputs = decoder.push(b"\x1b]");
    assert_eq!(decoder.timeout(), Some(ALT_TIMEOUT));
    inputs.extend(decoder.expire());
    inputs.extend(decoder.push(b"1"));
    inputs.extend(decoder.push(b"j"));
    assert_eq!(describe(&inputs), "Alt-] 1 j");
    let mut decoder = Decoder::default();
    let mut inputs = decoder.push(b"\x1b");
    inputs.extend(decoder.expire());
    inputs.extend(decoder.push(b"]"));
    inputs.extend(decoder.expire());
    inputs.extend(decoder.push(b"["));
    inputs.extend(decoder.push(b"A"));
    assert_eq!(describe(&inputs), "Esc ] [ A");
}

#[test]
fn clicks_and_the_wheel() {
    use MouseEventKind as Kind;
    let left = MouseButton::Left;
    let mouse =
        decoded("\u{1b}[<0;5;6M\u{1b}[<32;7;6M\u{1b}[<0;7;6m\u{1b}[<64;1;1M\u{1b}[<65;1;1M");
    let expected = [
        format!("<{:?} 4,5>", Kind::Down(left)),
        format!("<{:?} 6,5>", Kind::Drag(left)),
        format!("<{:?} 6,5>", Kind::Up(left)),
        format!("<{:?} 0,0>", Kind::ScrollUp),
        format!("<{:?} 0,0>", Kind::ScrollDown),
    ];
    assert_eq!(mouse, expected.join(" "));
    let legacy = decoded("\u{1b}[M #$\u{1b}[32;3;4Mj\u{1b}[I\u{1b}[<35;1;1M");
    let down = format!("<{:?} 2,3>", Kind::Down(left));
    assert_eq!(legacy, format!("{down} {down} j <Moved 0,0>"));
}

#[test]
fn pasted_text_is_not_taken_for_keys() {
    let paste = "a\u{1b}[200~q\ry\u{1b}[A값\u{1b}[201~b";
    assert_eq!(decoded(paste), "a <paste \"q\\ry\\u{1b}[A값\"> b");
    for cut in (1..paste.len()).filter(|cut| paste.is_char_boundary(*cut)) {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.push(&paste.as_bytes()[..cut]);
        inputs.extend(decoder.push(&paste.as_bytes()[cut..]));
        assert_eq!(
            describe(&inputs),
            "a <paste \"q\\ry\\u{1b}[A값\"> b",
            "{cut}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in "[\u{1b}\\[\\]OP_G=;0-9~A-Zmt\u{7}\\\\가\u{0}-\u{1f}]{0,60}") {
        // A complete reply ends any sequence before it, and the end mark ends a paste.
        let all = keys(&format!("{text}\u{1b}\\\u{1b}\\\u{1b}[201~\u{1b}[0nj"));
        proptest::prop_assert_eq!(all.split(' ').next_back(), Some("j"));
    }

    #[test]
    fn pieces_make_no_difference(text in "[\u{1b}\\[\\]OP_G=;0-9~A-Zmt\u{7}\\\\가j]{0,40}", cut in 0usize..60) {
        let mut decoder = Decoder::default();
        let bytes = text.as_bytes();
        let cut = cut.min(bytes.len());
        let mut inputs = decoder.push(&bytes[..cut]);
        inputs.extend(decoder.push(&bytes[cut..]));
        let at_once = Decoder::default().push(bytes);
        proptest::prop_assert_eq!(inputs, at_once);
    }
}
