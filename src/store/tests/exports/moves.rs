//! Lines follow their pictures.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Move {
    /// Two paths change places; one of them may have no file.
    Swap(usize, usize),
    New(usize),
    Remove(usize),
    /// A removed picture turns up again.
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

/// Pictures by their paths; a picture is a number.
struct Folder {
    at: [Option<usize>; 5],
    removed: Vec<usize>,
    pictures: usize,
}

impl Folder {
    fn apply(&mut self, step: &Move) {
        match *step {
            Move::Swap(a, b) => self.at.swap(a, b),
            Move::New(at) => {
                self.removed.extend(self.at[at].replace(self.pictures));
                self.pictures += 1;
            }
            Move::Remove(at) => self.removed.extend(self.at[at].take()),
            Move::Back(at) => {
                if let Some(picture) = self.removed.pop() {
                    self.removed.extend(self.at[at].replace(picture));
                }
            }
        }
    }

    /// A run over the folder: what has no record is labeled. Gives the pictures asked about.
    fn label(&self, journal: &mut Outdir) -> Vec<usize> {
        journal.begin_source();
        let mut asked = Vec::new();
        for (at, picture) in self.at.iter().enumerate() {
            let Some(picture) = picture else { continue };
            let mut new = group(at as u64, &format!("{at}"));
            new.sha256 = Some(format!("sha-{picture}"));
            let id = meet(journal, &new).id;
            if state(journal, id) == GroupState::Waiting {
                asked.push(*picture);
                let answer = attempt(labels(&format!("그림 {picture} ")), &[]);
                journal.add_attempt(id, &answer).unwrap();
                journal.commit_automatic(id).unwrap();
            }
            // Now and then an export comes before the source is at its end.
            if at % 2 == 0 {
                journal.exports.update(&mut journal.journal, false).unwrap();
            }
        }
        journal.export(false).unwrap();
        asked
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn lines_follow_their_pictures(
        runs in prop::collection::vec(prop::collection::vec(any_move(), 1..4), 1..5)
    ) {
        let earlier = |picture: usize| {
            format!(
                "{{\"image_path\":  \"icons/{picture}.png\", \"image_sha256\": \"sha-{picture}\", \
                 \"source_type\": \"cash\", \"item_name\": \"{picture}\", \
                 \"label_ko\": \"그림 {picture} 옛\", \"rest\": 1.50}}"
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{}\n{}\n", earlier(0), earlier(1));
        std::fs::write(dir.path().join(LABELS), text).unwrap();
        let mut journal = open(dir.path());
        let mut folder = Folder {
            at: [Some(0), Some(1), Some(2), None, None],
            removed: vec![],
            pictures: 3,
        };
        let mut asked = folder.label(&mut journal);
        for steps in &runs {
            steps.iter().for_each(|step| folder.apply(step));
            asked.extend(folder.label(&mut journal));
            let mut paths = std::collections::HashSet::new();
            for line in lines(dir.path(), LABELS) {
                let path = line["image_path"].as_str().unwrap().to_owned();
                let at: usize = path["icons/".len()..path.len() - ".png".len()].parse().unwrap();
                if let Some(picture) = folder.at[at] {
                    prop_assert_eq!(&line["image_sha256"], &format!("sha-{picture}"), "{}", path);
                    let label = line["label_ko"].as_str().unwrap();
                    prop_assert!(label.contains(&format!("그림 {picture} ")), "{}", line);
                }
                prop_assert!(paths.insert(path), "twice: {}", line);
            }
            for (at, picture) in folder.at.iter().enumerate() {
                let path = format!("icons/{at}.png");
                prop_assert!(picture.is_none() || paths.contains(&path), "{}", path);
            }
            let kept = std::fs::read_to_string(dir.path().join(KEPT)).unwrap_or_default();
            let all = read(dir.path(), LABELS) + &kept;
            for picture in [0, 1] {
                let rest = earlier(picture).split_once(".png").unwrap().1.to_owned();
                prop_assert!(all.contains(&rest), "{}", rest);
            }
        }
        // Nobody is asked twice about the same picture.
        let distinct: std::collections::HashSet<usize> = asked.iter().copied().collect();
        prop_assert_eq!(distinct.len(), asked.len());
    }
}
