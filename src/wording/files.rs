//! Notices about files that were read or written.

use super::Words;
use crate::record::{FileNotice, KeptBecause};

words! {
    imported_records(name, records): "{name}: imported {records} of an earlier run"
        / "{name}: 이전 작업의 {records}{을} 가져왔습니다",
    imported_utf16(name, records): "{name}: imported {records} of an earlier run (UTF-16)"
        / "{name}: 이전 작업의 {records}{을} 가져왔습니다(UTF-16)",
    read_as_cp949(name, lines): "{name}: read {lines} as CP949; they are exported as UTF-8"
        / "{name}: {lines}{을} CP949로 읽었습니다. UTF-8로 내보냅니다",
    not_finite(name, lines):
        "{name}: NaN or Infinity, which is not JSON, counts as no value in {lines} and is exported \
         as null"
        / "{name}: {lines}에 JSON이 아닌 NaN이나 Infinity가 있습니다. 값이 없는 것으로 보고 null로 \
           내보냅니다",
    kept_doubled(name, lines):
        "{name}: kept {lines} in labels_kept.jsonl, since a later line has the same image"
        / "{name}: 뒤에 같은 그림의 줄이 있어 {lines}{을} labels_kept.jsonl에 두었습니다",
    kept_changed(name, lines):
        "{name}: kept {lines} changed outside labeler-tui in labels_kept.jsonl; the journal's \
         records stay"
        / "{name}: 밖에서 바뀐 {lines}{을} labels_kept.jsonl에 두었습니다. 저널의 레코드는 \
           그대로입니다",
    kept_unread(name, lines, why):
        "{name}: kept {lines} that cannot be read in labels_unread.jsonl ({why})"
        / "{name}: 읽을 수 없는 {lines}{을} labels_unread.jsonl에 두었습니다({why})",
    unread_line(number, why): "line {number}: {why}" / "{number}번째 줄: {why}",
    and_more_lines(n): "and {n} more" / "그 밖에 {n}줄",
    kept_foreign(name, lines, kept):
        "{lines} of {name} changed by another program: kept in {kept}"
        / "다른 프로그램이 바꾼 {name}의 {lines}{을} {kept}에 두었습니다",
    kept_withheld(lines, kept): "{lines} of pictures that are no longer at their path: kept in {kept}"
        / "제자리에 없는 그림의 {lines}{을} {kept}에 두었습니다",
    kept_whole(name, kept): "{name} is not the file that this journal wrote: kept as {kept}"
        / "{name}{은} 이 저널이 쓴 파일이 아닙니다. {kept}에 두었습니다",
    damaged_with_line(path, name):
        "the record of {path} ({name}) is damaged in the journal: its good line stays in labels.jsonl"
        / "{path}({name})의 레코드가 저널에서 손상되었습니다. labels.jsonl의 온전한 줄은 그대로 \
           둡니다",
    damaged_without_line(path, name):
        "the record of {path} ({name}) is damaged in the journal, and labels.jsonl has no line of it"
        / "{path}({name})의 레코드가 저널에서 손상되었습니다. labels.jsonl에도 줄이 없습니다",
    more_damaged(records): "also damaged in the journal: {records}"
        / "저널에서 더 손상된 것: {records}",
    check_disk:
        "check the disk; `labeler-tui journal restore` goes back to a backup, `labeler-tui journal \
         rebuild` builds a new journal from labels.jsonl"
        / "디스크를 확인하세요. `labeler-tui journal restore`로 백업을 되살리거나, `labeler-tui \
           journal rebuild`로 labels.jsonl에서 저널을 새로 만듭니다",
}

counted! {
    lines: "line" / "{n}줄",
}

impl Words {
    pub fn file_notice(self, notice: &FileNotice) -> String {
        match notice {
            FileNotice::Imported {
                name,
                records,
                utf16: false,
            } => self.imported_records(name, self.records(*records)),
            FileNotice::Imported { name, records, .. } => {
                self.imported_utf16(name, self.records(*records))
            }
            FileNotice::Cp949 { name, lines } => self.read_as_cp949(name, self.lines(*lines)),
            FileNotice::NonFinite { name, lines } => self.not_finite(name, self.lines(*lines)),
            FileNotice::DuplicateImage { name, lines } => {
                self.kept_doubled(name, self.lines(*lines))
            }
            FileNotice::Changed { name, lines } => self.kept_changed(name, self.lines(*lines)),
            FileNotice::Unread { name, lines, first } => {
                let lines_unread = first.iter();
                let mut lines_unread: Vec<String> = lines_unread
                    .map(|(number, why)| self.unread_line(number, why))
                    .collect();
                if *lines > first.len() {
                    lines_unread.push(self.and_more_lines(lines - first.len()));
                }
                self.kept_unread(name, self.lines(*lines), lines_unread.join("; "))
            }
            FileNotice::Kept {
                name,
                lines,
                why: KeptBecause::ChangedElsewhere,
                kept,
            } => self.kept_foreign(name, self.lines(*lines), kept.display()),
            FileNotice::Kept { lines, kept, .. } => {
                self.kept_withheld(self.lines(*lines), kept.display())
            }
            FileNotice::KeptFile { name, kept } => self.kept_whole(name, kept.display()),
            FileNotice::Damaged {
                image_path,
                item_name,
                has_line: true,
            } => self.damaged_with_line(image_path, item_name),
            FileNotice::Damaged {
                image_path,
                item_name,
                ..
            } => self.damaged_without_line(image_path, item_name),
            FileNotice::MoreDamaged(n) => self.more_damaged(self.records(*n)),
            FileNotice::CheckDisk => self.check_disk().to_owned(),
        }
    }
}
