//! Tells the user once that a source's text is CP949, and at the end for how many rows.

use super::reading::RowEvent;
use crate::text::encoding::{Encoding, decode_value};
use crate::text::{count, plural, said};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

/// Decodes bytes that may be CP949, and counts for how many rows it was needed.
#[derive(Debug, Default)]
pub struct Texts {
    rows: u64,
    in_row: bool,
}

impl Texts {
    /// The text of these bytes; `None` where they are neither UTF-8 nor CP949.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        let (text, encoding) = decode_value(bytes)?;
        self.in_row |= encoding == Encoding::Cp949;
        Some(text)
    }

    /// To be called after each row. The first row that is CP949 says so.
    pub fn end_row(
        &mut self,
        path: &Path,
        give: &mut dyn FnMut(RowEvent) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !std::mem::take(&mut self.in_row) {
            return ControlFlow::Continue(());
        }
        self.rows += 1;
        if self.rows > 1 {
            return ControlFlow::Continue(());
        }
        let path = path.display();
        give(RowEvent::Warning(said!(
            "{path}: text that is not UTF-8 is read as CP949, the encoding of Korean Windows",
            "{path}: UTF-8이 아닌 글을 한국어 Windows의 인코딩인 CP949로 읽습니다"
        )))
    }

    /// How many rows were CP949, said once all are read.
    pub fn end(&self, path: &Path, give: &mut dyn FnMut(RowEvent) -> ControlFlow<()>) {
        if self.rows > 0 {
            let verb = if self.rows == 1 { "was" } else { "were" };
            let (rows, n) = (plural(self.rows as usize, "row"), count(self.rows));
            let path = path.display();
            let text = said!(
                "{path}: {rows} {verb} read as CP949",
                "{path}: {n}행을 CP949로 읽었습니다"
            );
            // Whoever has stopped listening has stopped reading.
            let _ = give(RowEvent::Warning(text));
        }
    }
}
