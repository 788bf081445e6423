//! One record at a time: accepting, editing, completion.

use super::*;

#[test]
fn accept_and_next_is_one_key() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("enter a");
    assert_eq!(
        bench.commands,
        [3, 5].map(|id| Command::Apply {
            groups: vec![GroupId(id)],
            change: Change::Accept
        })
    );
    assert_eq!(bench.current_name(), "붉은 여왕의 모자");
    bench.keys("u u");
    assert_eq!(bench.commands[2..], [Command::Undo, Command::Undo]);
    assert_eq!(bench.count(GroupState::Accepted), 0);
    bench.keys("ctrl-r");
    assert_eq!(bench.count(GroupState::Accepted), 1);
}

#[test]
fn keys_work_with_the_hangul_layout_but_not_while_typing() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("ㅓ");
    assert_eq!(bench.session().queue.cursor(), 1);
    bench.keys("ㅎ ㅎ ㅁ");
    assert_eq!(bench.commands.len(), 1);
    bench.keys("t \"ㅓㅏ enter");
    assert_eq!(
        bench.commands.last(),
        Some(&Command::Apply {
            groups: vec![GroupId(5)],
            change: Change::Add {
                field: Field::TagsKo,
                value: "ㅓㅏ".to_owned()
            }
        })
    );
}

#[test]
fn a_label_is_edited_in_place() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("e end \"_끝 enter");
    let [
        Command::Apply {
            groups,
            change:
                Change::Set {
                    field: Field::LabelKo,
                    values,
                },
        },
    ] = &bench.commands[..]
    else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!(groups, &[GroupId(3)]);
    assert!(values[0].ends_with(" 끝"));
    bench.keys("e \"weg esc");
    assert_eq!(bench.commands.len(), 1);
}

#[test]
fn tags_are_renamed_moved_and_removed() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("tab j l e ctrl-u \"루비 enter");
    bench.keys("] d");
    let labels = &bench
        .session()
        .detail()
        .unwrap()
        .draft
        .as_ref()
        .unwrap()
        .labels;
    assert_eq!(labels.values(Field::TagsKo), ["모자", "빨강", "왕관"]);
    let fields: Vec<_> = bench
        .commands
        .iter()
        .map(|command| match command {
            Command::Apply { change, .. } => change.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        matches!(&fields[0], Change::Rename { from, to, .. } if from == "보석" && to == "루비")
    );
    assert!(matches!(&fields[1], Change::Set { values, .. } if values[2] == "루비"));
    assert!(matches!(&fields[2], Change::Remove { value, .. } if value == "루비"));
    bench.keys("u u u");
    let labels = &bench
        .session()
        .detail()
        .unwrap()
        .draft
        .as_ref()
        .unwrap()
        .labels;
    assert_eq!(
        labels.values(Field::TagsKo),
        ["모자", "보석", "빨강", "왕관"]
    );
}

#[test]
fn completion_knows_counts_and_both_languages() {
    let mut bench = Bench::evening(120, 40);
    // A tag that the record has is not offered again.
    bench.keys("tab j d t \"모 tab enter");
    assert!(matches!(
        &bench.commands[1],
        Command::Apply { change: Change::Add { value, .. }, .. } if value == "모자"
    ));
    bench.keys("esc");
    bench.keys("j + \"빨간 tab enter");
    assert!(
        matches!(
            bench.commands.last(),
            Some(Command::Apply { change: Change::Add { field: Field::Theme | Field::Colors, value }, .. })
                if value == "red" || value == "빨간"
        ),
        "{:?}",
        bench.commands
    );
}

#[test]
fn tags_are_completed_from_the_vocabulary_and_by_initial_consonants() {
    let added = |typed: &str| {
        let mut bench = Bench::evening(120, 40);
        bench.keys(&format!("t \"{typed} tab enter"));
        match bench.commands.pop() {
            Some(Command::Apply {
                change: Change::Add { value, .. },
                ..
            }) => value,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(added("navy"), "남색");
    assert_eq!(added("네이비"), "남색");
    assert_eq!(added("ㄱㅊㅅ"), "남색");
}

#[test]
fn completions_begin_with_the_typed_letter() {
    for (prompt, letter) in [
        ("t", 'b'),
        ("t", '파'),
        ("tab j j +", 'b'),
        ("tab j j +", '파'),
    ] {
        let mut bench = Bench::evening(120, 40);
        bench.keys(&format!("{prompt} \"{letter}"));
        let Some(Dialog::Prompt(prompt)) = bench.app.dialog() else {
            panic!("no prompt")
        };
        let offered = prompt.completions(bench.session());
        let begins =
            |offer: &Completion| offer.value.starts_with(letter) || offer.note.starts_with(letter);
        assert!(
            !offered.is_empty() && offered.iter().all(begins),
            "{letter}: {offered:?}"
        );
    }
}

#[test]
fn every_attribute_in_use_is_offered_with_its_count() {
    for (field, way, typed, line) in [
        (Field::Theme, "j j j", "fan", "fantasy"),
        (Field::Material, "j j j j", "met", "metal"),
        (Field::ItemTypeGuess, "j j j j j j", "ha", "hat"),
    ] {
        let mut bench = Bench::evening(120, 40);
        bench.keys(&format!("tab {way} + ctrl-u \"{typed}"));
        let Some(Dialog::Prompt(prompt)) = bench.app.dialog() else {
            panic!("no prompt for {field:?}")
        };
        assert_eq!(prompt.edited().map(|(field, _)| field), Some(field));
        // The removal prompt, because the current record already has one of the values.
        let groups = Vec::new();
        let purpose = PromptPurpose::Remove { field, groups };
        let offered = TextPrompt::new(purpose, typed).completions(bench.session());
        let offer = offered.iter().find(|offer| offer.value == line).unwrap();
        assert!(offer.note.ends_with(" 5"), "{offer:?}");
    }
}

#[test]
fn typing_at_a_refused_prompt_is_ignored() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("/ \"기다리는 enter");
    for prompt in ["t", "e"] {
        bench.keys(&format!("{prompt} \"sword"));
        bench.message(Message::Paste("xxx".to_owned()));
        let screen = bench.screen();
        assert!(screen.contains("There is nothing to edit yet"), "{screen}");
        bench.keys("enter");
        assert!(bench.app.dialog().is_none());
    }
    bench.keys("/ \"없는_것_없다 enter x \"sword");
    assert!(bench.screen().contains("There is no item in this list."));
    bench.keys("esc");
    bench.event(Event::ModelFailed(Error::new(
        ErrorKind::Model,
        "no weights",
    )));
    bench.keys("R \"sword");
    assert!(bench.screen().contains("There is no model: no weights"));
    let sent = |command: &Command| !matches!(command, Command::Remember { .. });
    assert!(!bench.commands.iter().any(sent), "{:?}", bench.commands);
}

#[test]
fn words_of_the_chosen_records_are_translated_after_a_preview() {
    let mut bench = Bench::evening(120, 40);
    for id in [1, 3, 5] {
        let detail = bench.world.get_mut(&GroupId(id)).unwrap();
        let draft = detail.draft.as_mut().unwrap();
        draft.labels.set(Field::Colors, ["황금", "수상한 색"]);
        for version in &mut detail.versions {
            version.text.labels = draft.labels.clone();
        }
    }
    bench.keys("V");
    let screen = bench.screen();
    assert!(screen.contains("Of this record"), "{screen}");
    assert!(screen.contains("황금 -> gold"), "{screen}");
    bench.keys("esc V tab");
    let screen = bench.screen();
    assert!(
        screen.contains("Of 4 records that the list shows"),
        "{screen}"
    );
    assert!(
        screen.contains("1 word translated in 3 records"),
        "{screen}"
    );
    assert!(
        screen.contains("drops 1 unknown word in 3 records"),
        "{screen}"
    );
    assert!(
        screen.contains("3  colors: 수상한 색 -> unknown"),
        "{screen}"
    );
    assert!(screen.contains("1 without a draft"), "{screen}");
    bench.keys("y");
    let colors = |bench: &Bench, id| {
        let draft = bench.world[&GroupId(id)].draft.as_ref().unwrap();
        draft.labels.values(Field::Colors).to_vec()
    };
    assert_eq!(colors(&bench, 1), ["gold", "수상한 색"]);
    bench.keys("u");
    assert_eq!(colors(&bench, 1), ["황금", "수상한 색"]);
    bench.keys("F3 space V d");
    let sent = bench.commands.last().unwrap();
    let Command::Apply { groups, change } = sent else {
        panic!("{sent:?}")
    };
    assert_eq!(groups.len(), 1);
    assert_eq!(*change, Change::Canonicalize { drop_unknown: true });
}

#[test]
fn one_value_is_changed_in_many_records() {
    let change = |keys: &str| {
        let mut bench = Bench::evening(120, 40);
        bench.keys(&format!("F3 space right space s {keys}"));
        match bench.commands.pop() {
            Some(Command::Apply { groups, change }) if groups.len() == 2 => change,
            other => panic!("{keys}: {other:?}"),
        }
    };
    let field = Field::Theme;
    let value = "ninja".to_owned();
    assert_eq!(
        change("h a \"ninja enter"),
        Change::Add {
            field,
            value: value.clone()
        }
    );
    // The value that most of them have is offered first.
    assert_eq!(
        change("h d enter"),
        Change::Remove {
            field,
            value: "fantasy".to_owned()
        }
    );
    assert_eq!(
        change("right right right left enter r enter \"ninja enter"),
        Change::Rename {
            field,
            from: "fantasy".to_owned(),
            to: value
        }
    );
    assert_eq!(
        change("y s \"shoes enter"),
        Change::Set {
            field: Field::ItemTypeGuess,
            values: vec!["shoes".to_owned()]
        }
    );
    // The typed value is completed.
    assert_eq!(
        change("c r enter \"bl enter"),
        Change::Rename {
            field: Field::Colors,
            from: "red".to_owned(),
            to: "blue".to_owned()
        }
    );
}

#[test]
fn an_item_without_draft_waits_for_no_model_where_there_is_none() {
    let mut bench = Bench::evening_without_model(120, 40);
    let screen = bench.keys("/ ctrl-u \"기다리는 enter").screen();
    assert!(
        screen.contains("There is no draft, and no model"),
        "{screen}"
    );
    let screen = bench.keys("e").screen();
    assert!(screen.contains("this item has no draft"), "{screen}");
}

#[test]
fn completions_leave_the_label_in_sight() {
    for height in [30, 35, 40] {
        let mut bench = Bench::evening(120, height);
        let screen = bench.keys("t \"검").screen();
        assert!(screen.contains("검은색"), "{screen}");
        assert!(screen.contains("label     붉은 보석이 박힌"), "{screen}");
    }
}

#[test]
fn a_bulk_change_is_previewed() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("\\ s t r \"왕관 enter \"크라운");
    let screen = bench.screen();
    assert!(
        screen.contains("Change 7 records that the list shows"),
        "{screen}"
    );
    assert!(
        screen.contains("5 records change; 2 have no draft"),
        "{screen}"
    );
    let line = "5x tags     모자, 보석, 빨강, 왕관 -> 모자, 보석, 빨강, 크라운";
    assert!(screen.contains(line), "{screen}");
    assert!(
        bench
            .commands
            .iter()
            .all(|sent| !matches!(sent, Command::Apply { .. }))
    );
    bench.keys("enter");
    let screen = bench.screen();
    let notice = "replaced 왕관 with 크라운 in tags of 5 records; 2 have no draft";
    assert!(screen.contains(notice), "{screen}");
    bench.keys("u");
    assert!(
        bench.screen().contains("undone: replace"),
        "{}",
        bench.screen()
    );
    // A change without an effect is not applied.
    bench.keys("s t d \"없는_태그 enter");
    assert!(
        bench.screen().contains("nothing changes; 5 do not have it"),
        "{}",
        bench.screen()
    );
}

#[test]
fn a_refusal_is_gone_once_the_corrected_value_is_entered() {
    let mut bench = Bench::evening(240, 40);
    let refusal = "\"xyz\" is not in the";
    bench.keys("g y e ctrl-u \"xyz enter");
    assert!(bench.screen().contains(refusal), "{}", bench.screen());
    let screen = bench.keys("ctrl-u \"신발 enter").screen();
    assert!(screen.contains("edited type"), "{screen}");
    assert!(!screen.contains(refusal), "{screen}");
    // It does not outlive the editor either.
    bench.keys("e ctrl-u \"xyz enter");
    assert!(bench.screen().contains(refusal), "{}", bench.screen());
    let screen = bench.keys("esc").screen();
    assert!(!screen.contains(refusal), "{screen}");
}

#[test]
fn a_bulk_replacement_is_named_by_the_value_that_is_stored() {
    let mut bench = Bench::evening(160, 40);
    let screen = bench.keys("\\ s c r enter \"파랑 enter").screen();
    assert!(
        screen.contains("replaced red with blue in colors"),
        "{screen}"
    );
    let screen = bench.keys("u").screen();
    let undone = "undone: replace red with blue (5 records)";
    assert!(screen.contains(undone), "{screen}");
}
