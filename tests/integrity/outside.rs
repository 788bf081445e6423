//! What happens while the workstation is closed, and what others write.

use super::*;

impl World {
    /// Leaves, lets happen what happens, and comes back.
    pub(crate) fn returns(&mut self, outside: &[Outside]) {
        let before = self.details();
        self.operator.take().unwrap().quit();
        self.check();
        let labels = self.read("labels.jsonl");
        if !self.has_moved && self.foreign.as_ref() != Some(&labels) {
            self.copy = labels;
        }
        // A line without a hash speaks of the picture that was at its path; whoever moves that at
        // the same time makes it ambiguous.
        let mut moved = BTreeSet::new();
        let mut spoken_of: BTreeSet<String> = self.unread_yet();
        let (mut is_put_back, mut has_run) = (false, false);
        let mut by_hand = BTreeSet::new();
        for event in outside {
            match *event {
                Outside::Rename(at, to) => {
                    let (from, to) = (self.name(at), format!("{}.png", NEW_NAMES[to % 3]));
                    if self.pictures.contains_key(&to) || spoken_of.contains(&from) {
                        continue;
                    }
                    let bytes = self.pictures.remove(&from).unwrap();
                    std::fs::remove_file(self.folder.path().join(&from)).unwrap();
                    self.place(to.clone(), bytes);
                    moved.extend([from, to]);
                }
                Outside::Swap(one, other) => {
                    let (one, other) = (self.name(one), self.name(other));
                    if spoken_of.contains(&one) || spoken_of.contains(&other) {
                        continue;
                    }
                    let bytes = (self.pictures[&one].clone(), self.pictures[&other].clone());
                    self.place(one.clone(), bytes.1);
                    self.place(other.clone(), bytes.0);
                    moved.extend([one, other]);
                }
                Outside::Replace(at) => {
                    let name = self.name(at);
                    if spoken_of.contains(&name) {
                        continue;
                    }
                    self.count += 1;
                    let bytes = png(&format!("다른 것 {}", self.count));
                    self.place(name.clone(), bytes);
                    moved.insert(name);
                }
                Outside::CopyOver(from, to) => {
                    let (from, to) = (self.name(from), self.name(to));
                    if spoken_of.contains(&to) {
                        continue;
                    }
                    self.place(to.clone(), self.pictures[&from].clone());
                    moved.insert(to);
                }
                Outside::Write(odd, at) => {
                    let name = self.name(at);
                    let is_moved = moved.contains(&name);
                    self.write(odd, at, is_moved);
                    spoken_of.insert(name);
                }
                Outside::Remove(at) => {
                    let mut lines = lines_of(&self.read("labels.jsonl"));
                    if !lines.is_empty() {
                        let gone = lines.remove(at % lines.len());
                        self.leave(lines, &[gone]);
                    }
                }
                Outside::PutBack => {
                    let lines = lines_of(&self.copy);
                    let gone = lines_of(&self.read("labels.jsonl"));
                    self.leave(lines, &gone);
                    is_put_back = true;
                }
                Outside::Batch => {
                    by_hand.extend(self.meets_lines());
                    run_batch(self.folder.path());
                    has_run = true;
                }
            }
        }
        self.has_moved |= !moved.is_empty();
        by_hand.extend(self.meets_lines());
        self.start();
        let after = self.details();
        let mut may = Named::new();
        for (id, was) in &before {
            let names = may.entry(*id).or_default();
            let hash = was.image_sha256.clone().unwrap_or_default();
            let is_by_hand = is_put_back || by_hand.contains(&hash);
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

    /// Pictures of lines that were written while the workstation was open.
    pub(crate) fn unread_yet(&self) -> BTreeSet<String> {
        let unread = self.written.iter().filter(|line| !line.seen);
        unread.map(|line| line.path.clone()).collect()
    }

    /// Somebody leaves these lines in `labels.jsonl`, without the ones that are `gone`.
    pub(crate) fn leave(&mut self, lines: Vec<Vec<u8>>, gone: &[Vec<u8>]) {
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        std::fs::write(self.out("labels.jsonl"), &bytes).unwrap();
        self.foreign = Some(bytes);
        self.is_thinned |= !gone.is_empty();
        // Nobody but their author has seen them.
        self.written
            .retain(|line| line.seen || !gone.contains(&line.bytes) || lines.contains(&line.bytes));
    }

    pub(crate) fn write(&mut self, odd: Odd, at: usize, is_moved: bool) {
        let path = self.name(at);
        let hash = sha256(&self.pictures[&path]);
        let mut lines = lines_of(&self.read("labels.jsonl"));
        let mut gone = Vec::new();
        if matches!(odd, Odd::InPlace) {
            let token = format!("\"{path}\"");
            let (other, own): (Vec<_>, Vec<_>) = lines
                .into_iter()
                .partition(|line| !String::from_utf8_lossy(line).contains(&token));
            (lines, gone) = (other, own);
        }
        let times = if matches!(odd, Odd::Doubled) { 2 } else { 1 };
        let mut written = Vec::new();
        for _ in 0..times {
            self.count += 1;
            let mark = format!("줄{}번", self.count);
            let name = path.trim_end_matches(".png");
            let tags = match odd {
                Odd::WrongTypes => "\"하나, 둘\"",
                _ => "[\"모자\",  \"빨간색\", \"천\", \"단정한\", \"장비\"]",
            };
            let more = match odd {
                Odd::NotANumber => "\"item_description\": NaN, ",
                Odd::UnknownKeys => "\"score\": 0.50, \"x\": {\"image_path\": 1}, ",
                Odd::WrongTypes => "\"attributes\": 7, \"label_en\": [1], ",
                _ => "\"attributes\": {\"colors\": [\"황금\"], \"material\": [\"외계\"]}, ",
            };
            let hashed = match is_moved || matches!(odd, Odd::Hashed) {
                true => format!("\"image_sha256\": \"{hash}\", "),
                false => String::new(),
            };
            let before = match odd {
                Odd::NoPath => "{\"path\": ".to_owned(),
                _ => "{ \"image_path\": ".to_owned(),
            };
            let behind = format!(
                ", {hashed}{more}\"source_type\": \"cash\", \"item_name\": \"{name}\", \
                 \"label_ko\": \"{mark} 단정한 {name}\", \"tags_ko\": {tags}}}"
            );
            let mut text = format!("{before}\"{path}\"{behind}");
            if matches!(odd, Odd::Cut) {
                text.truncate(text.len() - 3);
            }
            let bytes = match odd {
                Odd::ByteOrderMark => format!("\u{feff}{text}").into_bytes(),
                Odd::Cp949 => EUC_KR.encode(&text).0.into_owned(),
                _ => text.into_bytes(),
            };
            let is_readable = !matches!(odd, Odd::Cut | Odd::NoPath);
            let form = is_readable.then(|| (before, behind.replace("NaN", "null")));
            lines.push(bytes.clone());
            written.push(Written {
                bytes,
                form,
                mark,
                path: path.clone(),
                sha256: hash.clone(),
                seen: false,
            });
        }
        self.leave(lines, &gone);
        self.written.extend(written);
    }
}
