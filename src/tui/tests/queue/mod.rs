//! Work on many records: bulk steps, filters, retries, leaving.

mod families;
mod order;
mod seen;

use super::*;
use crate::record::{GroupDetail, Neighbor};
use crate::tui::testing::detail;

#[test]
fn a_bulk_decision_says_how_many_records_it_changes() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("\\ F3 A a");
    let screen = bench.screen();
    assert!(screen.contains("Accept 5 of these 7 records?"), "{screen}");
    assert!(
        screen.contains("2 without a draft stay as they are."),
        "{screen}"
    );
}

#[test]
fn several_tags_are_added_in_one_step() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("t \"루비,_모자,_황금 enter esc");
    let tags = |bench: &Bench| {
        let detail = bench.session().detail().unwrap().clone();
        detail
            .draft
            .as_ref()
            .unwrap()
            .labels
            .values(Field::TagsKo)
            .to_vec()
    };
    assert_eq!(
        tags(&bench),
        ["모자", "보석", "빨강", "왕관", "루비", "황금"]
    );
    bench.keys("u");
    assert_eq!(tags(&bench), ["모자", "보석", "빨강", "왕관"]);
}

#[test]
fn reasons_of_rejections_are_offered_again() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("x \"그림이_깨짐 enter x tab enter");
    assert_eq!(bench.count(GroupState::Rejected), 2);
    assert!(matches!(
        bench.commands.last(),
        Some(Command::Apply { change: Change::Reject { reason }, .. }) if reason == "그림이 깨짐"
    ));
    let remembered = Command::Remember {
        key: "tui.rejections".to_owned(),
        value: "그림이 깨짐".to_owned(),
    };
    assert!(bench.commands.contains(&remembered));
}

#[test]
fn the_gallery_shows_the_selection_and_the_record_under_the_cursor() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F3 A");
    let screen = bench.screen();
    assert!(screen.contains("# 4 selected"), "{screen}");
    // The record under the cursor: name, reasons, label, tags.
    assert!(
        screen.contains("mixed_script  item_name_missing"),
        "{screen}"
    );
    assert!(screen.contains("붉은 보석이 박힌 Frozen 왕관"), "{screen}");
    bench.keys("/ \"여왕 enter");
    let screen = bench.screen();
    assert!(screen.contains("# 4 selected, 3 hidden"), "{screen}");
    bench.keys("esc");
    assert!(!bench.screen().contains("selected"));
}

#[test]
fn a_bulk_change_is_previewed_on_the_tiles_above_its_box() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("\\ F3 home space right right v s t r");
    bench.keys("\"왕관 enter \"크라운");
    insta::assert_snapshot!("gallery_bulk", bench.screen());
    for size in [(200, 60), (120, 40), (80, 24)] {
        bench.resize(size.0, size.1);
        let lines = bench.pane("Change 3").unwrap();
        let first = *lines.keys().next().unwrap();
        let screen = bench.screen();
        let above: Vec<&str> = screen.lines().take(first.into()).collect();
        assert!(above.iter().any(|line| line.contains("크라운")), "{screen}");
    }
}

#[test]
fn the_examples_of_a_bulk_change_scroll_on_a_small_screen() {
    let mut bench = Bench::evening(40, 10);
    bench.keys("\\ s q s \"새_질문");
    let first = bench.screen();
    bench.keys("pagedown");
    assert_ne!(bench.screen(), first);
    bench.keys("pageup pageup");
    assert_eq!(bench.screen(), first);
}

#[test]
fn the_gallery_says_where_it_cuts_the_reasons() {
    let mut bench = Bench::evening(40, 24);
    let screen = bench.keys("F3").screen();
    assert!(screen.contains("mixed_script…"), "{screen}");
}

#[test]
fn bulk_work_in_the_gallery_asks_and_is_one_step() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("\\ F3 home space right right v x \"흐림 enter");
    assert!(
        bench
            .commands
            .iter()
            .all(|c| !matches!(c, Command::Apply { .. }))
    );
    assert!(
        bench.screen().contains("Reject these 3 records?"),
        "{}",
        bench.screen()
    );
    bench.keys("y");
    assert!(matches!(
        bench.commands.last(),
        Some(Command::Apply { groups, change: Change::Reject { reason } })
            if groups.len() == 3 && reason == "흐림"
    ));
    assert_eq!(bench.count(GroupState::Rejected), 3);
    bench.keys("u");
    assert_eq!(bench.count(GroupState::Rejected), 0);
}

#[test]
fn a_decision_on_selected_records_says_how_many_of_them_the_filter_hides() {
    for (decide, question) in [
        ("x \"흐림 enter", "Reject these 2 records?"),
        ("a", "Accept these 2 records?"),
    ] {
        let mut bench = Bench::evening(120, 40);
        bench.keys("F3 home space right space / ctrl-u \"부서진 enter");
        let screen = bench.keys(decide).screen();
        assert!(screen.contains(question), "{screen}");
        assert!(screen.contains("The filter hides 2 of them."), "{screen}");
    }
}

#[test]
fn commit_all_says_how_many() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("a a C");
    assert!(
        bench.screen().contains("Commit 2 accepted records?"),
        "{}",
        bench.screen()
    );
    bench.keys("n");
    assert_eq!(bench.commands.len(), 2);
    bench.keys("C y");
    assert_eq!(bench.count(GroupState::Committed), 3);
    bench.keys("alt-c");
    assert!(
        bench.screen().contains("Commit 1 certain record?"),
        "{}",
        bench.screen()
    );
}

#[test]
fn rejections_of_committed_lines_are_committed_with_the_accepted_records() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("C");
    assert!(bench.screen().contains("nothing to commit"));
    bench.keys("/ ctrl-u \"은반지 enter x \"흐림 enter C");
    let screen = bench.screen();
    assert!(screen.contains("Commit 1 rejection?"), "{screen}");
    bench.keys("n ! a C");
    let screen = bench.screen();
    let both = screen.contains("Commit 1 accepted record and 1 rejection?");
    assert!(both, "{screen}");
    let removed = screen.contains("labels.jsonl: 1 committed line.");
    assert!(removed, "{screen}");
    bench.keys("y");
    let screen = bench.screen();
    assert!(screen.contains("1 committed line removed"), "{screen}");
    assert!(!bench.world[&GroupId(6)].summary.has_record);
    // What is rejected and has no line is not retried.
    bench.keys("C");
    assert!(bench.screen().contains("nothing to commit"));
}

#[test]
fn a_filter_being_typed_shows_the_record_at_its_cursor() {
    let mut bench = Bench::evening(120, 40);
    assert_eq!(bench.current_name(), "Frozen 왕관");
    bench.keys("/ \"여왕");
    assert_eq!(bench.current_name(), "붉은 여왕의 모자");
    let record = |bench: &mut Bench| {
        let lines = bench
            .pane("Record")
            .map(|lines| lines.into_values().collect());
        lines
            .map(|lines: Vec<String>| lines.join("\n"))
            .unwrap_or_default()
    };
    assert!(record(&mut bench).contains("붉은 여왕의 모자"));
    bench.keys("\"없는_말");
    assert_eq!(bench.session().current(), None);
    assert!(!record(&mut bench).contains("모자"), "{}", bench.screen());
    bench.keys("esc");
    assert_eq!(bench.current_name(), "Frozen 왕관");
}

#[test]
fn an_error_in_a_filter_is_shown_in_full_and_the_filter_stays() {
    for width in [80, 120, 140] {
        let mut bench = Bench::evening(width, 30);
        bench.keys("/ \"has:zzz enter");
        let screen = bench.screen();
        assert!(screen.contains("/has:zzz"), "{screen}");
        let queue = bench.pane("Queue").unwrap().into_values();
        let text: String = queue.map(|line| line.replace(['│', ' '], "")).collect();
        let names = "!nofieldzzz:useoneoflabel,english,tags,colors,theme,material,vibe,type,\
                     queries,part,note,family";
        assert!(text.contains(names), "{screen}");
        // Enter does not keep it: nobody takes the whole list for what it filters.
        bench.keys("backspace backspace backspace \"tags enter");
        assert_eq!(bench.session().queue.filter(), "has:tags");
    }
}

#[test]
fn an_unfinished_filter_is_not_kept() {
    let mut bench = Bench::evening(120, 30);
    bench.keys("/ \"state:, enter");
    let screen = bench.screen();
    assert!(screen.contains("! `state:,` has no value"), "{screen}");
    bench.keys("backspace");
    assert!(!bench.screen().contains("has no value"));
    bench.keys("\"failed enter");
    assert_eq!(bench.session().queue.filter(), "state:failed");
}

#[test]
fn a_filter_is_typed_kept_and_remembered() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("/ \"ㄱㅅㄷ enter");
    assert_eq!(bench.current_name(), "기사단 망토");
    assert!(bench.commands.contains(&Command::Remember {
        key: "tui.filter".to_owned(),
        value: "ㄱㅅㄷ".to_owned()
    }));
    // What is typed next is added as another term.
    bench.keys("/ \"-망토 enter");
    assert_eq!(bench.session().queue.filter(), "ㄱㅅㄷ -망토");
    bench.keys("!");
    assert_eq!(bench.session().queue.len(), 4);
    bench.keys("/ \"state:asleep");
    assert!(bench.screen().contains("state:asleep"));
    bench.keys("esc");
    assert_eq!(bench.session().queue.filter(), "state:review");
    bench.event(Event::Remembered {
        key: "tui.filter".to_owned(),
        value: "reason:few_tags".to_owned(),
    });
    assert_eq!(bench.session().queue.len(), 1);
}

#[test]
fn a_filter_is_completed_from_keys_values_and_earlier_filters() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("/ \"st tab");
    assert!(bench.screen().contains("> state:"), "{}", bench.screen());
    // A key is followed by its values, the most frequent one first.
    bench.keys("enter tab");
    assert_eq!(bench.session().queue.filter(), "state:review");
    bench.keys("tab enter");
    assert_eq!(bench.session().queue.filter(), "state:uncertain");
    // A state is found by its name in either language.
    bench.keys("/ ctrl-u \"state:초 tab");
    assert_eq!(bench.session().queue.filter(), "state:draft");
    bench.keys("esc");
    bench.keys("/ ctrl-u \"color:빨 tab enter");
    assert_eq!(bench.session().queue.filter(), "color:red");
    assert_eq!(bench.session().queue.len(), 5);
    // Typing on takes the chosen completion.
    bench.keys("/ ctrl-u \"-source:c tab space \"망토 enter");
    assert_eq!(bench.session().queue.filter(), "-source:cash 망토");
    bench.keys("/ ctrl-u tab tab tab enter");
    assert_eq!(bench.session().queue.filter(), "state:uncertain");
    assert_eq!(
        bench.commands.last(),
        Some(&Command::Remember {
            key: "tui.filter".to_owned(),
            value: "state:uncertain\n-source:cash 망토\ncolor:red".to_owned()
        })
    );
}

#[test]
fn the_queue_opens_on_records_that_need_review_even_if_the_last_filter_was_empty() {
    let mut bench = Bench::evening(80, 24);
    bench.event(Event::Remembered {
        key: "tui.filter".to_owned(),
        value: "\nreason:few_tags".to_owned(),
    });
    assert_eq!(bench.session().queue.filter(), "state:review");
    bench.keys("/ tab enter");
    assert_eq!(bench.session().queue.filter(), "reason:few_tags");
}

#[test]
fn a_row_of_the_statistics_opens_exactly_its_records() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("F5 enter");
    assert_eq!(bench.session().queue.filter(), "tag:=모자");
    bench.keys("F5 down enter");
    assert_eq!(bench.session().queue.filter(), "tag:=왕관");
    assert_eq!(bench.session().queue.len(), 5);
}

#[test]
fn a_record_being_edited_keeps_its_place() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("/ \"reason:mixed,few enter");
    assert_eq!(bench.current_name(), "Frozen 왕관");
    // The edit removes every reason, and with them the uncertainty.
    let id = GroupId(3);
    let detail = bench.world.get_mut(&id).unwrap();
    detail.summary.reasons.clear();
    detail.summary.uncertainty = 0.0;
    bench.keys("t \"루비 enter esc");
    assert_eq!(bench.session().queue.cursor(), 0);
    assert_eq!(bench.current_name(), "Frozen 왕관");
    // Once accepted, it leaves the queue, and the next record is current.
    bench.keys("a");
    assert_eq!(bench.current_name(), "붉은 여왕의 모자");
    assert_eq!(bench.session().queue.len(), 1);
}

#[test]
fn a_search_orders_the_queue_by_likeness_until_another_order_is_chosen() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("\\");
    let order = |bench: &Bench| -> Vec<GroupId> {
        let session = bench.session();
        session.queue.ids(&session.records).collect()
    };
    let before = order(&bench);
    bench.keys("g / \"빨간_모자 enter");
    assert!(
        bench
            .commands
            .contains(&Command::Search("빨간 모자".to_owned()))
    );
    assert_eq!(order(&bench), before);
    let ids: Vec<GroupId> = bench
        .session()
        .queue
        .ids(&bench.session().records)
        .collect();
    let mut like = ids.clone();
    like.reverse();
    // A record that was not found comes last.
    let last = like.remove(0);
    bench.event(Event::Found {
        text: "빨간 모자".to_owned(),
        groups: like.clone(),
    });
    let shown = order(&bench);
    assert_eq!(shown[..like.len()], like);
    assert_eq!(shown.last(), Some(&last));
    assert_eq!(bench.session().current(), Some(like[0]));
    let screen = bench.screen();
    assert!(screen.contains("by similarity to 빨간 모자"), "{screen}");
    bench.keys("o o o o");
    assert_eq!(order(&bench), before);
}

#[test]
fn the_icon_that_is_found_instead_is_beside_the_picture() {
    let mut bench = Bench::evening(160, 50);
    let mut detail = GroupDetail::clone(bench.session().detail().unwrap());
    detail.confused = Some(Neighbor {
        group: detail.summary.id,
        image_path: "fox.png".to_owned(),
        item_name: "여우 모자".to_owned(),
        label: "붉은 여우의 모자".to_owned(),
    });
    bench.event(Event::Detail(Box::new(detail)));
    let screen = bench.screen();
    for part in ["found instead", "여우 모자", "붉은 여우의 모자"] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
}

/// Its picture needs them, even if the filter hides the record.
#[test]
fn the_details_of_the_icon_that_is_found_instead_are_requested() {
    let mut bench = Bench::evening(160, 50);
    bench.keys("/ ctrl-u \"state:uncertain enter");
    let hidden = GroupId(6);
    let summary = bench.session().records.get(hidden).unwrap().clone();
    bench.event(Event::Groups(vec![summary]));
    assert!(bench.session().records.detail(hidden).is_none());
    let mut detail = GroupDetail::clone(bench.session().detail().unwrap());
    detail.confused = Some(Neighbor {
        group: hidden,
        image_path: "ring.png".to_owned(),
        item_name: "은반지".to_owned(),
        label: "은색 반지".to_owned(),
    });
    bench.event(Event::Detail(Box::new(detail)));
    assert!(bench.session().records.detail(hidden).is_some());
}

#[test]
fn the_row_of_a_failed_item_says_why() {
    let mut bench = Bench::evening(120, 40);
    let rows = bench.pane("Queue").unwrap();
    let rows: Vec<String> = rows.into_values().collect();
    let failed = rows.iter().position(|row| row.contains("부서진 아이콘"));
    let below = &rows[failed.unwrap() + 1];
    assert!(below.contains("image_load_failed: broken"), "{rows:?}");
}

#[test]
fn a_dialog_about_a_word_leaves_its_examples_in_sight() {
    let folder = tempfile::tempdir().unwrap();
    let icon = red_icon(folder.path());
    let mut bench = Bench::evening(120, 40);
    bench.show_pixels(&icon);
    bench.keys("F5");
    let examples = bench.images();
    assert!(examples.len() > 2, "{examples:?}");
    bench.keys("m");
    assert!(bench.app.dialog().is_some());
    assert_eq!(bench.images(), examples);
}

#[test]
fn a_long_summary_of_a_preview_is_wrapped() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("ctrl-f \"왕관 enter \"크라운 enter");
    let screen = bench.screen();
    assert!(screen.contains("5 records change: tags in 5"), "{screen}");
    assert!(screen.contains("2 have no draft"), "{screen}");
    assert!(screen.contains("x    5x tags"), "{screen}");
}

#[test]
fn replace_shows_a_preview_and_skips_deselected_rows() {
    let mut bench = Bench::evening(120, 40);
    bench.keys("ctrl-f \"왕관 enter \"크라운 enter");
    let screen = bench.screen();
    // Replacing never changes a record's own name.
    assert!(screen.contains("5 records change: tags in 5"), "{screen}");
    assert!(screen.contains("1 name protected"), "{screen}");
    assert!(
        screen.contains("x    5x tags     왕관 -> 크라운"),
        "{screen}"
    );
    bench.keys("esc ctrl-f \"보석 enter \"구슬 enter down space");
    let screen = bench.screen();
    assert!(screen.contains("-    1x label"), "{screen}");
    let tags = |bench: &Bench, id| {
        let draft = bench.world[&GroupId(id)].draft.as_ref().unwrap();
        draft.labels.values(Field::TagsKo).to_vec()
    };
    bench.keys("enter");
    let Some(Command::Apply {
        groups,
        change: Change::Replace(what),
    }) = bench.commands.last()
    else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!((groups.len(), what.except.len()), (7, 1));
    assert_eq!(tags(&bench, 1), ["모자", "구슬", "빨강", "왕관"]);
    let kept = &what.except[0];
    let kept = bench.world.values().filter(|detail| {
        let draft = detail.draft.as_ref();
        draft.is_some_and(|draft| draft.labels.label_ko() == kept)
    });
    assert_eq!(kept.count(), 1);
    bench.keys("u");
    assert_eq!(tags(&bench, 1), ["모자", "보석", "빨강", "왕관"]);
}

#[test]
fn the_warning_about_a_replacement_goes_with_the_replacement() {
    let mut bench = Bench::evening(120, 40);
    let nothing = "! nothing changes";
    bench.keys("ctrl-f \"없는_말 enter \"새_말 enter enter");
    assert!(bench.screen().contains(nothing), "{}", bench.screen());
    bench.keys("s");
    assert!(!bench.screen().contains(nothing), "{}", bench.screen());
}

#[test]
fn a_retry_is_sent_to_the_engine_with_all_its_settings() {
    let mut bench = Bench::evening(80, 24);
    bench.keys("R \"금속_왕관 up right enter");
    let Some(Command::Retry { groups, how }) = bench.commands.last() else {
        panic!("{:?}", bench.commands)
    };
    assert_eq!(groups, &[GroupId(3)]);
    assert_eq!(how.with_image, Some(true));
    assert_eq!(how.hint.as_deref(), Some("금속 왕관"));
    assert!(how.strict);
}

#[test]
fn a_model_that_fails_leaves_review_working() {
    let mut bench = Bench::evening(80, 24);
    bench.event(Event::ModelFailed(Error::new(
        ErrorKind::Model,
        "no weights in models/x",
    )));
    assert!(bench.screen().contains("no weights in models/x"));
    bench.keys("r");
    assert!(bench.commands.is_empty());
    bench.keys("a");
    assert_eq!(bench.commands.len(), 1);
}

#[test]
fn an_empty_queue_does_not_claim_that_a_failed_model_is_working() {
    let mut bench = Bench::new(80, 24);
    let waiting = detail(1, "모자", GroupState::Waiting, &[]).summary;
    bench.event(Event::Groups(vec![waiting]));
    assert!(bench.screen().contains("Nothing to review yet"));
    bench.event(Event::ModelFailed(Error::new(
        ErrorKind::Model,
        "no weights",
    )));
    let screen = bench.screen();
    assert!(screen.contains("Nothing to review."), "{screen}");
}

#[test]
fn the_rows_of_a_narrow_queue_say_what_is_wrong() {
    for width in [80, 100] {
        let mut bench = Bench::evening(width, 24);
        let lines = bench.pane("Queue").unwrap();
        let rows: Vec<String> = lines.into_values().collect();
        let row = |name: &str| rows.iter().find(|row| row.contains(name)).unwrap();
        assert!(row("Frozen").contains("mixed scr"), "{rows:#?}");
        assert!(row("아주 길").contains("color m"), "{rows:#?}");
        assert!(row("부서진").contains("failed"), "{rows:#?}");
    }
}

#[test]
fn an_empty_list_names_only_keys_that_work() {
    let mut bench = Bench::evening(120, 40);
    let screen = bench.keys("/ ctrl-u \"없는_이름").screen();
    assert!(screen.contains("Ctrl-u empties it"), "{screen}");
    assert!(!screen.contains("clears it"), "{screen}");
    let screen = bench.keys("enter").screen();
    assert!(screen.contains("\\ clears it"), "{screen}");
}
