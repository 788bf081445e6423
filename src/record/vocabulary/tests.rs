//! Tests of lookups by the spellings that people write.

use super::*;

fn builtin() -> Vocabulary {
    Vocabulary::builtin().unwrap()
}

#[test]
fn the_builtin_vocabulary_is_complete() {
    let vocabulary = builtin();
    let colors = vocabulary.entries(Field::Colors);
    assert!((15..=25).contains(&colors.len()));
    let has_pixels = |word: &Word| !word.anchors.is_empty() || word.pixels.is_some();
    assert!(colors.iter().all(has_pixels));
    for (field, _) in Vocabulary::lists() {
        for word in vocabulary.entries(field) {
            assert!(!word.ko.is_empty(), "{} has no Korean name", word.word);
        }
    }
}

/// The item parts of the game.
#[test]
fn every_part_of_the_game_is_an_item_type() {
    let vocabulary = builtin();
    for part in [
        "모자",
        "얼굴장식",
        "눈장식",
        "귀고리",
        "상의",
        "하의",
        "한벌옷",
        "신발",
        "장갑",
        "망토",
        "방패",
        "반지",
        "펜던트",
        "벨트",
        "어깨장식",
        "포켓 아이템",
        "훈장",
        "뱃지",
        "엠블렘",
        "기계 심장",
        "무기",
        "보조무기",
        "한손검",
        "두손검",
        "한손도끼",
        "두손도끼",
        "한손둔기",
        "두손둔기",
        "창",
        "폴암",
        "활",
        "석궁",
        "아대",
        "단검",
        "스태프",
        "완드",
        "너클",
        "건",
        "핸드캐논",
        "부채",
        "체인",
        "케인",
        "블레이드",
        "튜너",
        "태도",
        "대검",
        "장검",
        "샤이닝 로드",
        "소울슈터",
        "에너지소드",
        "에인션트 보우",
        "듀얼 보우건",
        "포스실드",
        "소울링",
        "소울실드",
        "부적",
        "마도서",
        "화살촉",
        "활골무",
        "화약통",
        "체스피스",
        "오브",
        "선추",
        "쇠사슬",
        "브레이슬릿",
        "매그넘",
        "로자리오",
        "노리개",
        "문서",
        "단검용 검집",
        "컨트롤러",
        "웨폰 벨트",
        "패스 오브 어비스",
    ] {
        let word = vocabulary.canonical(Field::ItemTypeGuess, part);
        assert!(word.is_some(), "{part}");
    }
}

#[test]
fn four_spellings_of_gold_are_one_word() {
    let vocabulary = builtin();
    for text in ["금색", "황금", "gold", "골드", " GOLD ", "금색"] {
        assert_eq!(vocabulary.canonical(Field::Colors, text), Some("gold"));
    }
    let decomposed: String = "금색".nfd().collect();
    assert_eq!(
        vocabulary.canonical(Field::Colors, &decomposed),
        Some("gold")
    );
    assert_eq!(vocabulary.korean(Field::Colors, "gold"), Some("금색"));
}

#[test]
fn modifiers_blanks_and_hyphens_do_not_hide_a_word() {
    let vocabulary = builtin();
    assert_eq!(
        vocabulary.canonical(Field::Colors, "밝은 파란색"),
        Some("blue")
    );
    assert_eq!(
        vocabulary.canonical(Field::Colors, "sky-blue"),
        Some("sky blue")
    );
    assert_eq!(
        vocabulary.canonical(Field::ItemTypeGuess, "red hats"),
        Some("hat")
    );
    for (field, text, word) in [
        (Field::ItemTypeGuess, "빨간 한벌 옷", "overall"),
        (Field::ItemTypeGuess, "기계심장", "mechanical heart"),
        (Field::Colors, "스카이 블루", "sky blue"),
    ] {
        assert_eq!(vocabulary.canonical(field, text), Some(word), "{text}");
    }
    for (field, text, word) in [
        (Field::ItemTypeGuess, "glove", "gloves"),
        (Field::ItemTypeGuess, "shoe", "shoes"),
        (Field::ItemTypeGuess, "wristwatches", "bracelet"),
        (Field::Material, "jewels", "gem"),
        (Field::Theme, "flowers", "flower"),
        (Field::Theme, "fantasies", "fantasy"),
        (Field::ItemTypeGuess, "dress", "overall"),
    ] {
        assert_eq!(vocabulary.canonical(field, text), Some(word), "{text}");
    }
    assert_eq!(vocabulary.canonical(Field::Colors, "빛나는 보석"), None);
    assert_eq!(vocabulary.canonical(Field::Colors, ""), None);
}

#[test]
fn endings_of_adjectives_do_not_matter_in_open_lists() {
    let vocabulary = builtin();
    for (field, text, word) in [
        (Field::Vibe, "신비함", Some("mysterious")),
        (Field::Vibe, "신비", Some("mysterious")),
        (Field::Vibe, "고급스러움", Some("luxurious")),
        (Field::Vibe, "고급스러운 느낌", Some("luxurious")),
        (Field::Vibe, "스포티", Some("sporty")),
        (Field::Vibe, "영웅적", Some("heroic")),
        (Field::Vibe, "클래식", Some("traditional")),
        (Field::Theme, "전통적인", Some("oriental")),
        (Field::Theme, "중세풍", Some("medieval")),
        (Field::Vibe, "한", None),
        (Field::Vibe, "느낌", None),
        (Field::Colors, "빨간한", None),
    ] {
        let found = vocabulary.find_exact(field, text);
        assert_eq!(found.map(|word| word.word.as_str()), word, "{text}");
    }
}

#[test]
fn problems_are_reported_together_with_their_entries() {
    let text = "
        colors = [{ word = 'red', ko = ['빨강'], rgb = ['red'] }, { word = 'pink', ko = ['빨강'], shades = ['rose'] }]
        materials = []
        item_types = [{ word = 'hat' }]
        themes = [{ word = 'sea', en = ['Sea'] }]
        vibes = [{ word = 'cute' }]";
    let cause = Vocabulary::parse(text).unwrap_err().cause;
    for part in [
        "#rrggbb",
        "\"빨강\" of \"pink\" already belongs to \"red\"",
        "\"rose\", a shade of \"pink\", is not a word",
        "materials has no entry",
        "twice in \"sea\"",
    ] {
        assert!(cause.contains(part), "{cause}");
    }
}

#[test]
fn a_missing_table_is_rejected_with_a_hint() {
    let error = Vocabulary::parse("colors = []").unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.hint.is_some_and(|hint| hint.contains("[[colors]]")));
}
