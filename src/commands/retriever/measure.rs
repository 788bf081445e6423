//! Embeds each image and text of an outdir once, and ranks the images for every text.

use crate::embed::ranking::{ImageIndex, Ranking};
use crate::embed::{Retriever, Vector, named};
use crate::engine::{VectorFile, VectorKey};
use crate::error::{Error, ErrorKind, Result};
use crate::icon;
use crate::record::{
    Background, BeforeAfter, ConfusedImage, FailureDetail, GroupId, GroupState, GroupSummary,
    ImageLocation, Labels, RetrievalMetrics, RetrievalResult, SearchRank, searched_texts,
};
use crate::source::image_bytes;
use crate::store::Journal;
use std::collections::HashSet;

/// How many vectors are saved together; an interruption loses no more.
const SAVED_TOGETHER: usize = 64;
/// How many texts are searched together; bounds the vectors in memory.
const SEARCHED_TOGETHER: usize = 4096;

/// A record to search for.
pub struct Searched {
    pub group: GroupId,
    pub image_path: String,
    pub item_name: String,
    family: Option<i64>,
    file: Option<ImageLocation>,
    sha256: Option<String>,
    labels: Labels,
    /// The first text that the record had.
    first: Labels,
}

/// Progress within the current stage.
#[derive(Debug, Clone, Copy)]
pub struct StageProgress {
    pub stage: &'static str,
    pub done: usize,
    pub total: usize,
}

/// The result of a measurement.
pub struct RetrievalMeasurement {
    /// Records whose image could be read, each with the ranks of its texts.
    pub records: Vec<(Searched, RetrievalResult)>,
    pub labels: BeforeAfter,
    pub queries: BeforeAfter,
    /// Paths of images that could not be read, each with the cause.
    pub unreadable: Vec<(String, String)>,
    /// How many vectors were computed instead of loaded.
    pub computed: usize,
}

/// The records that have a line in `labels.jsonl`; with `drafts`, also records with a draft.
pub fn records(journal: &Journal, drafts: bool) -> Result<Vec<Searched>> {
    let is_chosen = |summary: &GroupSummary| {
        let is_draft = drafts && summary.state != GroupState::Rejected;
        !summary.labels.label_ko().is_empty() && (summary.has_record || is_draft)
    };
    let mut records = Vec::new();
    for summary in journal.summaries()?.into_iter().filter(is_chosen) {
        let (item, sha256) = journal.item(summary.id)?;
        let first = journal.first_text(summary.id)?;
        records.push(Searched {
            group: summary.id,
            image_path: summary.image_path,
            item_name: summary.name,
            family: summary.family.map(|family| family.0),
            file: item.file,
            sha256,
            first: first.unwrap_or_else(|| summary.labels.clone()),
            labels: summary.labels,
        });
    }
    Ok(records)
}

/// Embeds images and texts that have no vector yet, and searches for every record by each of its
/// texts.
pub fn measure(
    records: Vec<Searched>,
    retriever: &Retriever,
    background: Background,
    vectors: &mut VectorFile,
    progress: &mut dyn FnMut(StageProgress),
) -> Result<RetrievalMeasurement> {
    let mut embedder = Embedder {
        retriever,
        background,
        vectors,
        computed: 0,
    };
    let mut unreadable = Vec::new();
    let records = embedder.images(records, &mut unreadable, progress)?;
    embedder.texts(&records, progress)?;
    let mut images = Vec::with_capacity(records.len());
    for (_, key) in &records {
        images.push(embedder.vector(key)?);
    }
    let families = records.iter().map(|(record, _)| record.family).collect();
    let index = ImageIndex::new(&images, families)?;
    drop(images);
    let mut search = RecordSearch {
        embedder: &embedder,
        index: &index,
        records: &records,
    };
    let now = search.find(|record| &record.labels, "searching", progress)?;
    let first = search.find(|record| &record.first, "comparing", progress)?;
    let figures = |found: &[RetrievalResult]| {
        let labels = RetrievalMetrics::of(found.iter().map(|it| it.label.rank));
        let queries = found.iter().flat_map(|it| &it.queries);
        (labels, RetrievalMetrics::of(queries.map(|it| it.rank)))
    };
    let (before, after) = (figures(&first), figures(&now));
    let computed = embedder.computed;
    let records = records.into_iter().map(|(record, _)| record);
    Ok(RetrievalMeasurement {
        records: records.zip(now).collect(),
        labels: BeforeAfter {
            before: before.0,
            after: after.0,
        },
        queries: BeforeAfter {
            before: before.1,
            after: after.1,
        },
        unreadable,
        computed,
    })
}

struct Embedder<'a> {
    retriever: &'a Retriever,
    background: Background,
    vectors: &'a mut VectorFile,
    computed: usize,
}

impl Embedder<'_> {
    /// Makes sure that each image has a vector. Returns the records with the keys of their vectors,
    /// without those whose image is `unreadable`.
    fn images(
        &mut self,
        records: Vec<Searched>,
        unreadable: &mut Vec<(String, String)>,
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<Vec<(Searched, VectorKey)>> {
        let total = records.len();
        let mut found = Vec::with_capacity(total);
        let mut waiting = Vec::new();
        for (done, record) in records.into_iter().enumerate() {
            progress(StageProgress {
                stage: "images",
                done,
                total,
            });
            let preparation = named::preparation(self.background);
            let known = record
                .sha256
                .as_deref()
                .map(|hash| VectorKey::image(hash, preparation));
            if let Some(key) = known
                && self.vectors.holds(&key)
            {
                found.push((record, key));
                continue;
            }
            match self.picture(&record) {
                Ok((hash, picture)) => {
                    let key = VectorKey::image(&hash, preparation);
                    waiting.push((key, picture));
                    found.push((record, key));
                }
                Err(error) => unreadable.push((record.image_path, error.cause)),
            }
            if waiting.len() >= SAVED_TOGETHER {
                self.embed_images(std::mem::take(&mut waiting))?;
            }
        }
        self.embed_images(waiting)?;
        Ok(found)
    }

    fn picture(&self, record: &Searched) -> Result<(String, icon::Picture)> {
        let no_file = || FailureDetail::NoFileNamed.into_error();
        let file = record.file.as_ref().ok_or_else(no_file)?;
        let bytes = image_bytes(file);
        let bytes = bytes.map_err(|failure| failure.detail.into_error())?;
        let hash = icon::sha256(&bytes);
        if record.sha256.as_ref().is_some_and(|known| *known != hash) {
            let cause = "the file is not the image that was labeled";
            return Err(Error::new(ErrorKind::Image, cause));
        }
        let icon = icon::decode(&bytes).map_err(FailureDetail::into_error)?;
        Ok((hash, icon::picture(&icon, 1, self.background)))
    }

    fn embed_images(&mut self, waiting: Vec<(VectorKey, icon::Picture)>) -> Result<()> {
        let (keys, pictures): (Vec<VectorKey>, Vec<icon::Picture>) = waiting.into_iter().unzip();
        let vectors = self.retriever.images.embed(&pictures)?;
        self.add(keys.into_iter().zip(vectors).collect())
    }

    /// Makes sure that each text has a vector.
    fn texts(
        &mut self,
        records: &[(Searched, VectorKey)],
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<()> {
        let mut seen = HashSet::new();
        let mut missing: Vec<(VectorKey, &str)> = Vec::new();
        for (record, _) in records {
            for labels in [&record.labels, &record.first] {
                let (label, queries) = searched_texts(labels);
                let texts = std::iter::once(label).chain(queries.iter().map(String::as_str));
                for text in texts.filter(|text| seen.insert(*text)) {
                    let key = VectorKey::text(text);
                    if !self.vectors.holds(&key) {
                        missing.push((key, text));
                    }
                }
            }
        }
        let total = missing.len();
        for (at, texts) in missing.chunks(SAVED_TOGETHER).enumerate() {
            progress(StageProgress {
                stage: "texts",
                done: at * SAVED_TOGETHER,
                total,
            });
            let (keys, texts): (Vec<VectorKey>, Vec<&str>) = texts.iter().copied().unzip();
            let vectors = self.retriever.texts.embed(&texts)?;
            self.add(keys.into_iter().zip(vectors).collect())?;
        }
        Ok(())
    }

    fn add(&mut self, vectors: Vec<(VectorKey, Vector)>) -> Result<()> {
        self.computed += vectors.len();
        self.vectors.add(&vectors)
    }

    fn vector(&self, key: &VectorKey) -> Result<Vector> {
        let missing = || Error::new(ErrorKind::Internal, "a vector that was computed is gone");
        self.vectors.get(key)?.ok_or_else(missing)
    }
}

struct RecordSearch<'a> {
    embedder: &'a Embedder<'a>,
    index: &'a ImageIndex,
    records: &'a [(Searched, VectorKey)],
}

impl RecordSearch<'_> {
    /// Searches for each record by its label and its queries.
    fn find(
        &mut self,
        texts_of: impl Fn(&Searched) -> &Labels,
        stage: &'static str,
        progress: &mut dyn FnMut(StageProgress),
    ) -> Result<Vec<RetrievalResult>> {
        let mut texts: Vec<(&str, usize)> = Vec::new();
        for (own, (record, _)) in self.records.iter().enumerate() {
            let (label, queries) = searched_texts(texts_of(record));
            texts.push((label, own));
            texts.extend(queries.iter().map(|query| (query.as_str(), own)));
        }
        let total = texts.len();
        let mut findings = Vec::with_capacity(total);
        for texts in texts.chunks(SEARCHED_TOGETHER) {
            progress(StageProgress {
                stage,
                done: findings.len(),
                total,
            });
            let mut vectors = Vec::with_capacity(texts.len());
            for (text, _) in texts {
                vectors.push(self.embedder.vector(&VectorKey::text(text))?);
            }
            let owns = texts.iter().map(|(_, own)| *own);
            let pairs: Vec<(&Vector, usize)> = vectors.iter().zip(owns).collect();
            let rankings = self.index.rankings(&pairs)?;
            let pairs = texts.iter().zip(rankings);
            findings.extend(pairs.map(|((text, own), ranking)| self.finding(text, *own, ranking)));
        }
        let mut findings = findings.into_iter();
        let images = self.records.len() as u32;
        let found = self.records.iter().filter_map(|(record, _)| {
            let label = findings.next()?;
            let (_, queries) = searched_texts(texts_of(record));
            Some(RetrievalResult {
                images,
                label,
                queries: findings.by_ref().take(queries.len()).collect(),
            })
        });
        Ok(found.collect())
    }

    fn finding(&self, text: &str, own: usize, ranking: Ranking) -> SearchRank {
        let family = self.records[own].0.family;
        let confused = ranking.first.map(|first| {
            let other = &self.records[first].0;
            ConfusedImage {
                group: other.group,
                image_path: other.image_path.clone(),
                item_name: other.item_name.clone(),
                is_family: family.is_some() && other.family == family,
            }
        });
        SearchRank {
            text: text.to_owned(),
            rank: ranking.rank as u32,
            rank_outside: ranking.rank_outside as u32,
            margin: ranking.margin,
            confused,
        }
    }
}
