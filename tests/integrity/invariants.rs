//! Invariants that hold at any time.

use super::*;

impl Scenario {
    /// The source folder contains exactly what the test put there.
    pub(crate) fn check_sources(&self) {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let files: BTreeMap<String, Vec<u8>> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("out"))
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(path).unwrap())
            })
            .collect();
        assert!(files == self.pictures, "a source was changed");
    }

    /// Every exported line describes the file at its path, and no path occurs twice.
    pub(crate) fn check_truth(&mut self) {
        let bytes = self.read("labels.jsonl");
        if self.foreign.as_ref() == Some(&bytes) {
            return;
        }
        self.is_thinned = false;
        let present = self.present();
        let mut paths = BTreeSet::new();
        for line in lines_of(&bytes) {
            let line: Value = serde_json::from_slice(&line).unwrap();
            let path = line["image_path"].as_str().unwrap();
            assert!(paths.insert(path.to_owned()), "{path} occurs twice");
            let label = line["label_ko"].as_str().unwrap_or_default();
            let mut of: Vec<&str> = line["image_sha256"].as_str().into_iter().collect();
            let marked = self.written.iter();
            let marked = marked.filter(|written| label.contains(&written.mark));
            of.extend(marked.map(|written| written.sha256.as_str()));
            match self.pictures.get(path).map(|bytes| sha256(bytes)) {
                Some(hash) => assert!(of.iter().all(|of| *of == hash), "{line} is of {hash}"),
                // A picture that is merely missing keeps its line.
                None => assert!(
                    !of.iter().any(|of| present.contains(*of)),
                    "{line} has moved"
                ),
            }
            let tags = line["tags_ko"].as_array().cloned().unwrap_or_default();
            let tags = tags.iter().filter_map(Value::as_str).map(str::to_owned);
            self.exported.insert((label.to_owned(), tags.collect()));
        }
    }

    /// No line of another program is lost.
    pub(crate) fn check_lines(&self, details: &BTreeMap<GroupId, GroupDetail>) {
        let labels = self.read("labels.jsonl");
        if self.is_thinned && self.foreign.as_ref() == Some(&labels) {
            // The next export restores them.
            return;
        }
        let exported = lines_of(&labels);
        let mut kept = lines_of(&self.read("labels_kept.jsonl"));
        kept.extend(lines_of(&self.read("labels_unread.jsonl")));
        for written in &self.written {
            let is_form = |line: &Vec<u8>| {
                let (Some((before, behind)), Ok(line)) =
                    (&written.exported_as, std::str::from_utf8(line))
                else {
                    return false;
                };
                let path = line.strip_prefix(before.as_str());
                let path = path.and_then(|rest| rest.strip_suffix(behind.as_str()));
                path.is_some_and(|path| serde_json::from_str::<String>(path).is_ok())
            };
            let is_present = exported.contains(&written.bytes)
                || exported.iter().any(is_form)
                || kept.contains(&written.bytes)
                || kept.iter().any(is_form);
            let is_version = |(id, detail): (&GroupId, &GroupDetail)| {
                let mut versions = detail.versions.iter();
                self.recommitted.contains(id)
                    && versions
                        .any(|version| version.text.labels.label_ko().contains(&written.mark))
            };
            assert!(
                is_present || details.iter().any(is_version),
                "lost: {}",
                String::from_utf8_lossy(&written.bytes)
            );
        }
    }
}
