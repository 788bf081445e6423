#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| labeler_tui_fuzz::labels(input));
