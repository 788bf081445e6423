//! Events while the workstation is closed, and lines that other programs write.

use super::*;

impl Scenario {
    /// Closes the workstation, applies the events, and reopens it.
    pub(crate) fn reopen(&mut self, outside: &[Outside]) {
        let before = self.details();
        self.operator.take().unwrap().quit();
        self.check();
        let labels = self.read("labels.jsonl");
        if !self.has_moved && self.foreign.as_ref() != Some(&labels) {
            self.copy = labels;
        }
        // A line without a hash describes the picture that was at its path. Moving that picture at
        // the same time would be ambiguous.
        let mut moved = BTreeSet::new();
        let mut described: BTreeSet<String> = self.unread_paths();
        let (mut is_restored, mut has_run) = (false, false);
        let mut by_hand = BTreeSet::new();
        for event in outside {
            match *event {
                Outside::Rename(at, to) => {
                    let (from, to) = (self.name(at), format!("{}.png", NEW_NAMES[to % 3]));
                    if self.pictures.contains_key(&to) || described.contains(&from) {
                        continue;
                    }
                    let bytes = self.pictures.remove(&from).unwrap();
                    std::fs::remove_file(self.folder.path().join(&from)).unwrap();
                    self.place(to.clone(), bytes);
                    moved.extend([from, to]);
                }
                Outside::Swap(one, other) => {
                    let (one, other) = (self.name(one), self.name(other));
                    if described.contains(&one) || described.contains(&other) {
                        continue;
                    }
                    let bytes = (self.pictures[&one].clone(), self.pictures[&other].clone());
                    self.place(one.clone(), bytes.1);
                    self.place(other.clone(), bytes.0);
                    moved.extend([one, other]);
                }
                Outside::Replace(at) => {
                    let name = self.name(at);
                    if described.contains(&name) {
                        continue;
                    }
                    self.count += 1;
                    let bytes = png(&format!("다른 것 {}", self.count));
                    self.place(name.clone(), bytes);
                    moved.insert(name);
                }
                Outside::CopyOver(from, to) => {
                    let (from, to) = (self.name(from), self.name(to));
                    if described.contains(&to) {
                        continue;
                    }
                    self.place(to.clone(), self.pictures[&from].clone());
                    moved.insert(to);
                }
                Outside::Write(form, at) => {
                    let name = self.name(at);
                    let is_moved = moved.contains(&name);
                    self.write(form, at, is_moved);
                    described.insert(name);
                }
                Outside::Remove(at) => {
                    let mut lines = lines_of(&self.read("labels.jsonl"));
                    if !lines.is_empty() {
                        let gone = lines.remove(at % lines.len());
                        self.write_foreign(lines, &[gone]);
                    }
                }
                Outside::Restore => {
                    let lines = lines_of(&self.copy);
                    let gone = lines_of(&self.read("labels.jsonl"));
                    self.write_foreign(lines, &gone);
                    is_restored = true;
                }
                Outside::Batch => {
                    by_hand.extend(self.mark_lines_seen());
                    run_batch(self.folder.path());
                    has_run = true;
                }
            }
        }
        self.has_moved |= !moved.is_empty();
        by_hand.extend(self.mark_lines_seen());
        self.open();
        let after = self.details();
        let mut may = Allowed::new();
        for (id, was) in &before {
            let names = may.entry(*id).or_default();
            let hash = was.image_sha256.clone().unwrap_or_default();
            let is_by_hand = is_restored || by_hand.contains(&hash);
            if was.draft.is_none() || is_by_hand && !is_protected(was) {
                names.extend(ALL_LABELS);
            }
            names.remove(DECISION);
            if is_by_hand && was.committed.is_none() {
                names.insert(LINE);
            }
            let is_open = was.draft.is_none() || was.current.uncommitted().is_some();
            if has_run && is_open {
                names.insert(LINE);
            }
        }
        self.compare(&format!("{outside:?}"), &before, &after, &may);
    }

    /// Paths of lines that the program has not read yet.
    pub(crate) fn unread_paths(&self) -> BTreeSet<String> {
        let unread = self.written.iter().filter(|line| !line.seen);
        unread.map(|line| line.path.clone()).collect()
    }

    /// Writes these lines to `labels.jsonl` as another program, without the ones that are `gone`.
    pub(crate) fn write_foreign(&mut self, lines: Vec<Vec<u8>>, gone: &[Vec<u8>]) {
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        std::fs::write(self.out("labels.jsonl"), &bytes).unwrap();
        self.foreign = Some(bytes);
        self.is_thinned |= !gone.is_empty();
        // The program has not read these lines, so it cannot restore them.
        self.written
            .retain(|line| line.seen || !gone.contains(&line.bytes) || lines.contains(&line.bytes));
    }

    pub(crate) fn write(&mut self, form: LineForm, at: usize, is_moved: bool) {
        let path = self.name(at);
        let hash = sha256(&self.pictures[&path]);
        let mut lines = lines_of(&self.read("labels.jsonl"));
        let mut gone = Vec::new();
        if matches!(form, LineForm::InPlace) {
            let token = format!("\"{path}\"");
            let (other, own): (Vec<_>, Vec<_>) = lines
                .into_iter()
                .partition(|line| !String::from_utf8_lossy(line).contains(&token));
            (lines, gone) = (other, own);
        }
        let times = if matches!(form, LineForm::Doubled) {
            2
        } else {
            1
        };
        let mut written = Vec::new();
        for _ in 0..times {
            self.count += 1;
            let mark = format!("줄{}번", self.count);
            let name = path.trim_end_matches(".png");
            let tags = match form {
                LineForm::WrongTypes => "\"하나, 둘\"",
                _ => "[\"모자\",  \"빨간색\", \"천\", \"단정한\", \"장비\"]",
            };
            let more = match form {
                LineForm::NotANumber => "\"item_description\": NaN, ",
                LineForm::UnknownKeys => "\"score\": 0.50, \"x\": {\"image_path\": 1}, ",
                LineForm::WrongTypes => "\"attributes\": 7, \"label_en\": [1], ",
                _ => "\"attributes\": {\"colors\": [\"황금\"], \"material\": [\"외계\"]}, ",
            };
            let hashed = match is_moved || matches!(form, LineForm::Hashed) {
                true => format!("\"image_sha256\": \"{hash}\", "),
                false => String::new(),
            };
            let before = match form {
                LineForm::NoPath => "{\"path\": ".to_owned(),
                _ => "{ \"image_path\": ".to_owned(),
            };
            let behind = format!(
                ", {hashed}{more}\"source_type\": \"cash\", \"item_name\": \"{name}\", \
                 \"label_ko\": \"{mark} 단정한 {name}\", \"tags_ko\": {tags}}}"
            );
            let mut text = format!("{before}\"{path}\"{behind}");
            if matches!(form, LineForm::Cut) {
                text.truncate(text.len() - 3);
            }
            let bytes = match form {
                LineForm::ByteOrderMark => format!("\u{feff}{text}").into_bytes(),
                LineForm::Cp949 => EUC_KR.encode(&text).0.into_owned(),
                _ => text.into_bytes(),
            };
            let is_readable = !matches!(form, LineForm::Cut | LineForm::NoPath);
            let exported_as = is_readable.then(|| (before, behind.replace("NaN", "null")));
            lines.push(bytes.clone());
            written.push(ForeignLine {
                bytes,
                exported_as,
                mark,
                path: path.clone(),
                sha256: hash.clone(),
                seen: false,
            });
        }
        self.write_foreign(lines, &gone);
        self.written.extend(written);
    }
}
