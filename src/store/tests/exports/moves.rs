//! Exported lines follow their images when files move.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Move {
    /// Swaps two paths, one of which may have no file.
    Swap(usize, usize),
    New(usize),
    Remove(usize),
    /// A removed image reappears.
    Back(usize),
}

fn any_move() -> impl Strategy<Value = Move> {
    let path = 0..5_usize;
    prop_oneof![
        3 => (path.clone(), path.clone()).prop_map(|(a, b)| Move::Swap(a, b)),
        2 => path.clone().prop_map(Move::New),
        1 => path.clone().prop_map(Move::Remove),
        1 => path.prop_map(Move::Back),
    ]
}

/// Images by path; an image is a number.
struct Folder {
    at: [Option<usize>; 5],
    removed: Vec<usize>,
    images: usize,
}

impl Folder {
    fn apply(&mut self, step: &Move) {
        match *step {
            Move::Swap(a, b) => self.at.swap(a, b),
            Move::New(at) => {
                self.removed.extend(self.at[at].replace(self.images));
                self.images += 1;
            }
            Move::Remove(at) => self.removed.extend(self.at[at].take()),
            Move::Back(at) => {
                if let Some(image) = self.removed.pop() {
                    self.removed.extend(self.at[at].replace(image));
                }
            }
        }
    }

    /// Runs over the folder and labels images without a record. Returns those for which an answer
    /// was requested.
    fn label(&self, journal: &mut Outdir) -> Vec<usize> {
        journal.begin_source();
        let mut requested = Vec::new();
        for (at, image) in self.at.iter().enumerate() {
            let Some(image) = image else { continue };
            let mut new = group(at as u64, &format!("{at}"));
            new.sha256 = Some(sha(&image.to_string()));
            let id = upsert(journal, &new).id;
            if state(journal, id) == GroupState::Waiting {
                requested.push(*image);
                let answer = attempt(labels(&format!("그림 {image} ")), &[]);
                journal.add_attempt(id, &answer).unwrap();
                journal.commit_automatic(id).unwrap();
            }
            // Sometimes an export comes before the source was read completely.
            if at % 2 == 0 {
                let source = MissingImages::MayTurnUp;
                journal
                    .exports
                    .update(&mut journal.journal, source)
                    .unwrap();
            }
        }
        journal.export().unwrap();
        requested
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn lines_follow_their_images(
        runs in prop::collection::vec(prop::collection::vec(any_move(), 1..4), 1..5)
    ) {
        let earlier = |image: usize| {
            let hash = sha(&image.to_string());
            format!(
                "{{\"image_path\":  \"icons/{image}.png\", \"image_sha256\": \"{hash}\", \
                 \"source_type\": \"cash\", \"item_name\": \"{image}\", \
                 \"label_ko\": \"그림 {image} 옛\", \"rest\": 1.50}}"
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{}\n{}\n", earlier(0), earlier(1));
        std::fs::write(dir.path().join(LABELS), text).unwrap();
        let mut journal = open(dir.path());
        let mut folder = Folder {
            at: [Some(0), Some(1), Some(2), None, None],
            removed: vec![],
            images: 3,
        };
        let mut requested = folder.label(&mut journal);
        for steps in &runs {
            steps.iter().for_each(|step| folder.apply(step));
            requested.extend(folder.label(&mut journal));
            let mut paths = std::collections::HashSet::new();
            for line in lines(dir.path(), LABELS) {
                let path = line["image_path"].as_str().unwrap().to_owned();
                let at: usize = path["icons/".len()..path.len() - ".png".len()].parse().unwrap();
                if let Some(image) = folder.at[at] {
                    prop_assert_eq!(&line["image_sha256"], &sha(&image.to_string()), "{}", path);
                    let label = line["label_ko"].as_str().unwrap();
                    prop_assert!(label.contains(&format!("그림 {image} ")), "{}", line);
                }
                prop_assert!(paths.insert(path), "twice: {}", line);
            }
            for (at, image) in folder.at.iter().enumerate() {
                let path = format!("icons/{at}.png");
                prop_assert!(image.is_none() || paths.contains(&path), "{}", path);
            }
            let kept = std::fs::read_to_string(dir.path().join(KEPT)).unwrap_or_default();
            let all = read(dir.path(), LABELS) + &kept;
            for image in [0, 1] {
                let rest = earlier(image).split_once(".png").unwrap().1.to_owned();
                prop_assert!(all.contains(&rest), "{}", rest);
            }
        }
        // No answer is requested twice for the same image.
let distinct: std::collections::HashSet<usize> = requested.iter().copied().collect();
prop_assert_eq!(distinct.len(), requested.len());
    }
}
