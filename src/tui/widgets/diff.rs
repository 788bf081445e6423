//! Word diff of two texts.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffKind {
    Kept,
    Removed,
    Inserted,
}

/// Most pairs of words to compare. In longer texts the differing middle is replaced as one piece.
const MAX_PAIRS: usize = 1 << 22;

/// The changes from `old` to `new` in reading order, keeping as many common words as possible.
pub fn differences(old: &[String], new: &[String]) -> Vec<(DiffKind, String)> {
    let both = |(a, b): &(&String, &String)| a == b;
    let begin = old.iter().zip(new).take_while(both).count();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let ends = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = ends.take_while(both).count();
    let old_rest = &old_rest[..old_rest.len() - end];
    let new_rest = &new_rest[..new_rest.len() - end];
    let all = |change: DiffKind, words: &[String]| -> Vec<(DiffKind, String)> {
        words.iter().map(|word| (change, word.clone())).collect()
    };
    let mut out = all(DiffKind::Kept, &old[..begin]);
    if old_rest.len().saturating_mul(new_rest.len()) > MAX_PAIRS {
        out.extend(all(DiffKind::Removed, old_rest));
        out.extend(all(DiffKind::Inserted, new_rest));
    } else {
        out.extend(longest_common(old_rest, new_rest));
    }
    out.extend(all(DiffKind::Kept, &old[old.len() - end..]));
    out
}

/// The changes between two lists by their longest common subsequence.
fn longest_common(old: &[String], new: &[String]) -> Vec<(DiffKind, String)> {
    // The most words that can be kept from each position on.
    let columns = new.len() + 1;
    let mut kept = vec![0_usize; (old.len() + 1) * columns];
    for (row, word) in old.iter().enumerate().rev() {
        for (column, other) in new.iter().enumerate().rev() {
            let here = row * columns + column;
            let below = here + columns;
            kept[here] = match word == other {
                true => kept[below + 1] + 1,
                false => kept[below].max(kept[here + 1]),
            };
        }
    }
    let mut out = Vec::with_capacity(old.len() + new.len());
    let (mut row, mut column) = (0, 0);
    while row < old.len() || column < new.len() {
        let here = row * columns + column;
        let (change, word) = match (old.get(row), new.get(column)) {
            (Some(word), Some(other)) if word == other => (DiffKind::Kept, word),
            (Some(word), Some(_)) if kept[here + columns] >= kept[here + 1] => {
                (DiffKind::Removed, word)
            }
            (_, Some(other)) => (DiffKind::Inserted, other),
            (Some(word), None) => (DiffKind::Removed, word),
            (None, None) => break,
        };
        row += usize::from(change != DiffKind::Inserted);
        column += usize::from(change != DiffKind::Removed);
        out.push((change, word.clone()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn shown(old: &str, new: &str) -> String {
        let parts = differences(&words(old), &words(new)).into_iter();
        let parts: Vec<String> = parts
            .map(|(change, word)| match change {
                DiffKind::Kept => word,
                DiffKind::Removed => format!("-{word}"),
                DiffKind::Inserted => format!("+{word}"),
            })
            .collect();
        parts.join(" ")
    }

    #[test]
    fn common_words_are_kept_and_removed_words_come_first() {
        assert_eq!(
            shown(
                "검은 레이스의 고상한 드레스",
                "흰 레이스의 아주 고상한 드레스"
            ),
            "-검은 +흰 레이스의 +아주 고상한 드레스"
        );
        assert_eq!(shown("", "하나 둘"), "+하나 +둘");
        assert_eq!(shown("하나 둘", ""), "-하나 -둘");
        assert_eq!(shown("가 나 다", "다 가 나"), "+다 가 나 -다");
    }

    #[test]
    fn the_middle_of_very_long_texts_is_replaced_as_one_piece() {
        let long = |from: usize| -> Vec<String> {
            let middle = (from..from + 100_000).map(|n| n.to_string());
            let ends = ["처음".to_owned(), "끝".to_owned()];
            let [begin, end] = ends;
            [begin].into_iter().chain(middle).chain([end]).collect()
        };
        let parts = differences(&long(0), &long(50_000));
        let changes: Vec<DiffKind> = parts.iter().map(|(change, _)| *change).collect();
        assert_eq!(changes[..2], [DiffKind::Kept, DiffKind::Removed]);
        assert_eq!(
            changes[100_000..100_002],
            [DiffKind::Removed, DiffKind::Inserted]
        );
        assert_eq!(changes[200_000..], [DiffKind::Inserted, DiffKind::Kept]);
    }

    proptest::proptest! {
        #[test]
        fn both_texts_can_be_rebuilt_from_the_changes(old in "([ab] ){0,12}", new in "([abc] ){0,12}") {
            let parts = differences(&words(&old), &words(&new));
            let without = |left_out: DiffKind| -> Vec<String> {
                let kept = parts.iter().filter(|(change, _)| *change != left_out);
                kept.map(|(_, word)| word.clone()).collect()
            };
            assert_eq!(without(DiffKind::Inserted), words(&old));
            assert_eq!(without(DiffKind::Removed), words(&new));
        }
    }
}
