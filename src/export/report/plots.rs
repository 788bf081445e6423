//! RetrievalMetrics and plots of the report. Bars are inline SVG; a click on one filters the records.

use super::page::escaped;
use crate::export::audit_summary::AuditSummary;
use crate::record::{
    Field, GroupState, GroupSummary, RetrievalMetrics, RetrievalSummary, Vocabulary,
};
use crate::text::{count, percent, plural};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Maximum number of bars in a plot.
const MAX_BARS: usize = 12;
/// Number of bins in the histogram of uncertainty.
const BINS: usize = 20;

/// Counts over all records.
#[derive(Debug, Default)]
pub struct ReportCounts {
    images: u64,
    pub records: u64,
    pub families: u64,
    needs_review: u64,
    flagged: u64,
    drafts: u64,
    states: BTreeMap<usize, u64>,
    reasons: HashMap<&'static str, u64>,
    words: BTreeMap<Field, HashMap<String, u64>>,
    uncertainty: [u64; BINS],
    pub retrieval: Option<RetrievalSummary>,
}

impl ReportCounts {
    pub fn add(&mut self, summary: &GroupSummary) {
        self.images += 1;
        self.needs_review += u64::from(summary.needs_review());
        let state = GroupState::ALL.iter().position(|of| *of == summary.state);
        *self.states.entry(state.unwrap_or_default()).or_default() += 1;
        for reason in &summary.reasons {
            *self.reasons.entry(reason.code()).or_default() += 1;
        }
        if summary.labels.label_ko().is_empty() {
            return;
        }
        self.drafts += 1;
        self.flagged += u64::from(!summary.reasons.is_empty());
        let bin = (summary.uncertainty * BINS as f32) as usize;
        self.uncertainty[bin.min(BINS - 1)] += 1;
        for (field, _) in Field::shared() {
            for value in summary.labels.values(field) {
                let words = self.words.entry(field).or_default();
                *words.entry(value.clone()).or_default() += 1;
            }
        }
    }
}

/// Maps every spelling of a color word to its CSS color.
pub fn swatches(vocabulary: &Vocabulary) -> BTreeMap<String, String> {
    let mut swatches = BTreeMap::new();
    for word in vocabulary.entries(Field::Colors) {
        if let Some([r, g, b]) = word.rgb() {
            let color = format!("#{r:02x}{g:02x}{b:02x}");
            swatches.extend(word.spellings().map(|name| (name.clone(), color.clone())));
        }
    }
    swatches
}

/// Renders the figures at the top of the page.
pub fn figures(tally: &ReportCounts, audit: Option<&AuditSummary>) -> String {
    let share = |part: u64| match tally.drafts {
        0 => String::new(),
        all => format!(" ({} %)", percent(part as f64 / all as f64, 1)),
    };
    let mut figures = vec![
        ("images", count(tally.images)),
        ("committed records", count(tally.records)),
        ("need review", count(tally.needs_review)),
        (
            "texts with a reason",
            format!("{}{}", count(tally.flagged), share(tally.flagged)),
        ),
        ("families of recolored icons", count(tally.families)),
    ];
    figures.extend(audit.map(|audit| ("error rate, by an audit", escaped(&audit.rate))));
    let found = tally.retrieval.as_ref().map(|found| {
        let found = found.labels.after;
        let [one, ten] = [found.recall_1, found.recall_10].map(|share| percent(share, 1));
        let value = format!("{one} % / {ten} %");
        ("labels that find their icon first / in ten", value)
    });
    let mut out = String::new();
    for (name, value) in figures.into_iter().chain(found) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<div class=\"figure\"><b>{value}</b>{name}</div>");
    }
    out
}

/// A bar, with its fill color if it is about a color word.
struct Bar {
    name: String,
    count: u64,
    color: Option<String>,
}

pub fn plots(
    tally: &ReportCounts,
    audit: Option<&AuditSummary>,
    vocabulary: &Vocabulary,
) -> String {
    let states = tally.states.iter().map(|(state, count)| Bar {
        name: GroupState::ALL[*state].name().to_owned(),
        count: *count,
        color: None,
    });
    let reasons = tally.reasons.iter().map(|(name, count)| Bar {
        name: (*name).to_owned(),
        count: *count,
        color: None,
    });
    let mut out = bars("States", Some("state"), states.collect());
    out.push_str(&bars("Reasons", Some("reason"), reasons.collect()));
    let swatches = swatches(vocabulary);
    for (field, shared) in Field::shared() {
        let Some(words) = tally.words.get(&field) else {
            continue;
        };
        let title = shared.title.english;
        let filter = match field {
            Field::Colors => Some("color"),
            Field::TagsKo => Some("tag"),
            _ => None,
        };
        let of_colors = field == Field::Colors;
        let all = words.iter().map(|(word, count)| Bar {
            name: word.clone(),
            count: *count,
            color: swatches.get(word).filter(|_| of_colors).cloned(),
        });
        out.push_str(&bars(title, filter, all.collect()));
    }
    out.push_str(&histogram(&tally.uncertainty));
    if let Some(audit) = audit {
        let lines = audit.lines.iter();
        let lines: String = lines
            .map(|line| format!("<p>{}</p>", escaped(line)))
            .collect();
        let _ = writeln!(out, "<div class=\"plot\"><h2>Audit</h2>{lines}</div>");
    }
    out.extend(tally.retrieval.as_ref().map(retrieval));
    out
}

/// Renders retrieval results, and those of the first versions if they differ.
fn retrieval(found: &RetrievalSummary) -> String {
    let row = |name: &str, figures: RetrievalMetrics| {
        let percent = |share: f64| format!("<td>{} %</td>", percent(share, 1));
        format!(
            "<tr><th>{name}</th><td>{}</td>{}{}{}<td>{:.3}</td></tr>",
            count(figures.texts),
            percent(figures.recall_1),
            percent(figures.recall_5),
            percent(figures.recall_10),
            figures.mrr
        )
    };
    let mut rows = String::new();
    for (name, of) in [("labels", found.labels), ("queries", found.queries)] {
        rows.push_str(&row(name, of.after));
        if of.before != of.after {
            rows.push_str(&row("as first written", of.before));
        }
    }
    let (retriever, adapter) = found.by.public();
    let adapter = adapter.map_or_else(String::new, |adapter| format!(" with {adapter}"));
    format!(
        "<div class=\"plot\"><h2>Retrieval</h2><table><tr><th></th><th>texts</th><th>@1</th>\
         <th>@5</th><th>@10</th><th>MRR</th></tr>{rows}</table>\
         <p class=\"quiet\">among {}, by {}</p></div>\n",
        plural(found.images as usize, "image"),
        escaped(&format!("{retriever}{adapter}"))
    )
}

/// Renders a plot of the longest bars, in descending order.
fn bars(title: &str, filter: Option<&str>, mut all: Vec<Bar>) -> String {
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    let left = all.len().saturating_sub(MAX_BARS);
    all.truncate(MAX_BARS);
    let Some(longest) = all.first().map(|bar| bar.count.max(1)) else {
        return String::new();
    };
    let height = 18 * all.len();
    let mut out = format!(
        "<div class=\"plot\"><h2>{}</h2><svg viewBox=\"0 0 340 {height}\" role=\"img\">",
        escaped(title)
    );
    for (at, bar) in all.iter().enumerate() {
        let y = 18 * at;
        let name = escaped(&bar.name);
        let width = (160.0 * bar.count as f64 / longest as f64).max(1.0);
        let filter = filter.map_or_else(String::new, |filter| {
            format!(" data-filter=\"{filter}\" data-value=\"{name}\"")
        });
        let color = bar.color.as_ref().map_or_else(String::new, |color| {
            format!(" style=\"fill:{color};stroke:var(--line)\"")
        });
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<g{filter}><title>{name}: {number}</title>\
             <text x=\"0\" y=\"{text}\">{shown}</text>\
             <rect x=\"130\" y=\"{top}\" width=\"{width:.1}\" height=\"11\" rx=\"2\"{color}/>\
             <text class=\"number\" x=\"{end:.1}\" y=\"{text}\">{number}</text></g>",
            number = count(bar.count),
            shown = escaped(&crate::text::fit(&bar.name, 18)),
            text = y + 13,
            top = y + 4,
            end = 135.0 + width,
        );
    }
    out.push_str("</svg>");
    if left > 0 {
        let _ = write!(
            out,
            "<span class=\"quiet\">and {} more</span>",
            count(left as u64)
        );
    }
    out.push_str("</div>\n");
    out
}

fn histogram(bins: &[u64; BINS]) -> String {
    let highest = bins.iter().copied().max().unwrap_or_default();
    if highest == 0 {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"plot\"><h2>Uncertainty</h2><svg viewBox=\"0 0 340 140\" role=\"img\">",
    );
    for (at, number) in bins.iter().enumerate() {
        let height = 110.0 * *number as f64 / highest as f64;
        let _ = write!(
            out,
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"15\" height=\"{height:.1}\">\
             <title>{from:.2}-{to:.2}: {number}</title></rect>",
            x = 2 + 17 * at,
            y = 115.0 - height,
            from = at as f64 / BINS as f64,
            to = (at + 1) as f64 / BINS as f64,
        );
    }
    out.push_str(
        "<text x=\"2\" y=\"134\">0</text><text x=\"164\" y=\"134\">0.5</text>\
         <text x=\"326\" y=\"134\">1</text></svg></div>\n",
    );
    out
}
