//! Searches icons by text for the workstation, with the retriever whose vectors `retrieval` has
//! stored. A separate thread loads its text encoder at the first search.

pub mod vectors;

use super::effects::Effects;
use super::handle::EngineEnd;
use super::journal::JournalAccess;
use super::messages::{Event, Warning};
use crate::embed::ranking::ImageIndex;
use crate::embed::{TextEmbedder, Vector, named};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{GroupId, RetrieverName};
use crate::text::said;
use crate::threads;
use crate::vlm::open::OnOpening;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vectors::{VectorFile, VectorKey};

pub struct Search {
    front: EngineEnd,
    outdir: PathBuf,
    /// `None` before the first search. Dropped to end the thread.
    requests: Option<Sender<SearchRequest>>,
}

struct SearchRequest {
    text: String,
    by: RetrieverName,
    /// Groups of all images with a known SHA-256.
    images: Vec<(GroupId, String)>,
}

impl Search {
    pub fn new(front: EngineEnd, outdir: PathBuf) -> Self {
        Self {
            front,
            outdir,
            requests: None,
        }
    }

    /// Starts a search; `Event::Found` or a warning answers it.
    pub fn start(&mut self, journal: &mut JournalAccess, text: &str) -> Result<Effects> {
        let (summary, images) =
            journal.with(|journal| Ok((journal.retrieval()?, journal.image_hashes()?)))?;
        let Some(summary) = summary else {
            return Ok(refused(no_vectors(&self.outdir)));
        };
        let request = SearchRequest {
            text: text.to_owned(),
            by: summary.by,
            images,
        };
        Ok(match self.send(request) {
            Ok(()) => Effects::default(),
            Err(error) => refused(error),
        })
    }

    fn send(&mut self, request: SearchRequest) -> Result<()> {
        let request = match &self.requests {
            Some(requests) => match requests.send(request) {
                Ok(()) => return Ok(()),
                // The thread has panicked and reported it.
                Err(back) => back.into_inner(),
            },
            None => request,
        };
        let (send, receive) = unbounded();
        let searcher = Searcher {
            front: self.front.clone(),
            outdir: self.outdir.clone(),
            loaded: None,
        };
        let front = self.front.clone();
        // The thread is not joined: loading cannot be interrupted, and it saves nothing.
        threads::spawn(
            "search",
            move || searcher.run(&receive),
            move |error| front.emit(Event::Warning(Warning::Refused(error))),
        )?;
        // Cannot fail: the thread has just started.
        let _ = send.send(request);
        self.requests = Some(send);
        Ok(())
    }
}

fn refused(error: Error) -> Effects {
    Effects::event(Event::Warning(Warning::Refused(error)))
}

fn no_vectors(outdir: &Path) -> Error {
    let command = format!("labeler-tui retrieval --outdir {}", outdir.display());
    let cause = said!(
        "no vectors for searching: quit, run `{command}` and start again",
        "검색할 벡터가 없습니다. 나가서 `{command}` 명령을 실행하고 다시 여세요"
    );
    Error::said(ErrorKind::Usage, cause)
}

/// State of the search thread.
struct Searcher {
    front: EngineEnd,
    outdir: PathBuf,
    loaded: Option<LoadedIndex>,
}

struct LoadedIndex {
    by: RetrieverName,
    texts: TextEmbedder,
    images: Vec<(GroupId, String)>,
    groups: Vec<GroupId>,
    index: ImageIndex,
}

impl Searcher {
    fn run(mut self, requests: &Receiver<SearchRequest>) {
        while let Ok(first) = requests.recv() {
            // The newest request wins.
            let request = requests.try_iter().last().unwrap_or(first);
            let text = request.text.clone();
            match self.find(request) {
                Ok(groups) => self.front.emit(Event::Found { text, groups }),
                Err(error) => {
                    tracing::warn!(%error, "searching");
                    self.front.emit(Event::Warning(Warning::Refused(error)));
                }
            }
        }
    }

    /// Ranks all images that have a vector, most similar to the text first.
    fn find(&mut self, request: SearchRequest) -> Result<Vec<GroupId>> {
        let SearchRequest { text, by, images } = request;
        let previous = self.loaded.take();
        let is_current = |loaded: &LoadedIndex| loaded.by == by && loaded.images == images;
        let loaded = match previous {
            Some(loaded) if is_current(&loaded) => loaded,
            Some(loaded) if loaded.by == by => self.load(by, loaded.texts, images)?,
            _ => {
                let quiet: OnOpening = Arc::new(|_| {});
                let (texts, digest) = TextEmbedder::open(&named::options_of(&by), &quiet)?;
                if digest != by.digest {
                    return Err(no_vectors(&self.outdir));
                }
                self.load(by, texts, images)?
            }
        };
        let vectors = loaded.texts.embed(&[text])?;
        let vectors: Vec<&Vector> = vectors.iter().collect();
        let scores = loaded.index.similarity(&vectors)?.into_iter().next();
        let mut order: Vec<(f32, GroupId)> = scores
            .unwrap_or_default()
            .into_iter()
            .zip(loaded.groups.iter().copied())
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.loaded = Some(loaded);
        Ok(order.into_iter().map(|(_, group)| group).collect())
    }

    fn load(
        &self,
        by: RetrieverName,
        texts: TextEmbedder,
        images: Vec<(GroupId, String)>,
    ) -> Result<LoadedIndex> {
        let file = VectorFile::open_to_read(&self.outdir, &by.digest)?;
        let file = file.ok_or_else(|| no_vectors(&self.outdir))?;
        let preparation = named::preparation(by.background);
        let (mut groups, mut vectors) = (Vec::new(), Vec::new());
        for (group, sha256) in &images {
            if let Some(vector) = file.get(&VectorKey::image(sha256, preparation))? {
                groups.push(*group);
                vectors.push(vector);
            }
        }
        if groups.is_empty() {
            return Err(no_vectors(&self.outdir));
        }
        Ok(LoadedIndex {
            by,
            texts,
            images,
            index: ImageIndex::new(&vectors, vec![None; groups.len()])?,
            groups,
        })
    }
}
