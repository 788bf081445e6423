//! Tests of the page's escaping and figures.

use super::page::{escaped, filled, script_safe};
use super::plots::{ReportCounts, figures, plots};
use crate::export::audit_summary::AuditSummary;
use crate::record::{GroupId, GroupState, GroupSummary, Reason, Vocabulary, testing};

#[test]
fn record_texts_are_escaped_in_the_page() {
    let name = "</script><script>alert(1)</script>&\u{2028}\u{202e}";
    let json = serde_json::json!({ "name": name }).to_string();
    let safe = script_safe(&json);
    assert!(!safe.contains(['<', '>', '&', '\u{202e}']), "{safe}");
    let back: serde_json::Value = serde_json::from_str(&safe).unwrap();
    assert_eq!(back["name"], name);
    assert_eq!(
        escaped("<b a=\"1\" c='2'>&"),
        "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;"
    );
    // Inserted text that looks like a slot is not filled.
    let page = filled("{{a}}-{{b}}{{", &[("a", "{{b}}"), ("b", "x")]);
    assert_eq!(page, "{{b}}-x{{");
}

fn summary(id: i64, reasons: &[Reason]) -> GroupSummary {
    GroupSummary {
        id: GroupId(id),
        order: id as u64,
        image_path: format!("{id}.png"),
        name: "모자".to_owned(),
        source_type: crate::record::SourceType::Cash,
        part: None,
        family: None,
        state: GroupState::Committed,
        has_record: true,
        offered: false,
        reasons: reasons.to_vec(),
        signals: Vec::new(),
        unexplained: 0,
        uncertainty: 0.3,
        labels: testing::labels("모자"),
        note: None,
        judged: None,
        changed_at: 0,
    }
}

#[test]
fn figures_and_bars_count_the_records() {
    let mut tally = ReportCounts::default();
    for id in 0..4 {
        let reasons: &[Reason] = if id == 0 { &[Reason::FewTags] } else { &[] };
        tally.add(&summary(id, reasons));
    }
    let audit = AuditSummary {
        rate: "2.5 % (0.8-5.7 %)".to_owned(),
        lines: vec!["5 of <200> wrong".to_owned()],
    };
    let all = figures(&tally, Some(&audit));
    assert!(all.contains("<b>1 (25.0 %)</b>texts with a reason"));
    assert!(all.contains("<b>2.5 % (0.8-5.7 %)</b>error rate"));
    assert!(!figures(&tally, None).contains("error rate"));
    let plots = plots(&tally, Some(&audit), &Vocabulary::builtin().unwrap());
    assert!(plots.contains("<h2>Audit</h2><p>5 of &lt;200&gt; wrong</p>"));
    assert!(plots.contains("data-filter=\"reason\" data-value=\"few_tags\""));
    assert!(plots.contains("<title>committed: 4</title>"), "{plots}");
}
