//! Decodes text that may be CP949. Warns at the first such row, and counts them at the end.

use super::reading::RowEvent;
use crate::text::encoding::{Encoding, decode_value};
use crate::text::{count, plural, said};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

/// Decodes UTF-8 or CP949 and counts the rows that contain CP949.
#[derive(Debug, Default)]
pub struct TextDecoder {
    rows: u64,
    in_row: bool,
}

impl TextDecoder {
    /// Decodes bytes; `None` if they are neither UTF-8 nor CP949.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        let (text, encoding) = decode_value(bytes)?;
        self.in_row |= encoding == Encoding::Cp949;
        Some(text)
    }

    /// Must be called after each row. Warns after the first row with CP949.
    pub fn end_row(
        &mut self,
        path: &Path,
        sink: &mut dyn FnMut(RowEvent) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !std::mem::take(&mut self.in_row) {
            return ControlFlow::Continue(());
        }
        self.rows += 1;
        if self.rows > 1 {
            return ControlFlow::Continue(());
        }
        let path = path.display();
        sink(RowEvent::Warning(said!(
            "{path}: text that is not UTF-8 is read as CP949, the encoding of Korean Windows",
            "{path}: UTF-8이 아닌 글을 한국어 Windows의 인코딩인 CP949로 읽습니다"
        )))
    }

    /// Must be called after the last row. Reports how many rows were CP949.
    pub fn end(&self, path: &Path, sink: &mut dyn FnMut(RowEvent) -> ControlFlow<()>) {
        if self.rows > 0 {
            let verb = if self.rows == 1 { "was" } else { "were" };
            let (rows, n) = (plural(self.rows as usize, "row"), count(self.rows));
            let path = path.display();
            let text = said!(
                "{path}: {rows} {verb} read as CP949",
                "{path}: {n}행을 CP949로 읽었습니다"
            );
            // `Break` has no effect at the end.
            let _ = sink(RowEvent::Warning(text));
        }
    }
}
