//! What the source brings: groups new and known, and what each of them still needs.

use super::messages::Event;
use super::pipeline::Pipeline;
use super::prepare::Work;
use super::reader::FromSource;
use crate::error::Result;
use crate::record::{Failure, GroupId, GroupState, Item};
use crate::source::GroupEvent;
use crate::store::{Members, NewGroup, Upserted};
use std::collections::BTreeMap;

/// Pictures looked at in one go for their colors alone; an attempt waits no longer than that.
const COLORS: usize = 32;

/// Groups without an image, told once they are stored.
#[derive(Default)]
struct Imageless {
    /// Failures that the journal does not have yet.
    new: Vec<(GroupId, Failure)>,
    told: Vec<Event>,
}

impl Pipeline {
    pub(super) fn on_source(&mut self, message: FromSource) -> Result<()> {
        match message {
            FromSource::Groups(events) => self.take_groups(events),
            FromSource::End {
                rows,
                rows_of_groups,
            } => self.source_ended(rows, &rows_of_groups),
            FromSource::Failed(error) => Err(error),
        }
    }

    fn source_ended(&mut self, rows: u64, rows_of_groups: &[u32]) -> Result<()> {
        let groups = self.state.by_order.iter().zip(rows_of_groups);
        let shared: Vec<(GroupId, u64)> = groups
            .filter(|(_, rows)| **rows > 1)
            .map(|(&group, &rows)| (group, u64::from(rows - 1)))
            .collect();
        self.journal.with(|journal| journal.add_rows(&shared))?;
        self.state.by_order = Vec::new();
        self.state.source_read = true;
        self.state.rows = rows;
        self.state.progress.reading = false;
        let groups = self.state.progress.total;
        tracing::info!(rows, groups, "source read");
        // Only now is it known which pictures are gone.
        self.export()?;
        self.look_for_displaced()?;
        let pictures = self.state.pictures.clone();
        self.tell(Event::SourceRead {
            rows,
            groups,
            pictures,
        });
        Ok(())
    }

    /// Counts what is withheld because its picture is at no path of the source.
    pub(super) fn look_for_displaced(&mut self) -> Result<()> {
        let exports = &mut self.exports;
        let tally = self.journal.with(|journal| exports.tally(journal))?;
        let pictures = &mut self.state.pictures;
        pictures.withheld = tally.withheld;
        pictures.withheld_edits = tally.withheld_edits;
        pictures.paths = tally.withheld_paths;
        Ok(())
    }

    fn take_groups(&mut self, events: Vec<GroupEvent>) -> Result<()> {
        let mut groups = Vec::new();
        let mut failures = Vec::new();
        // By group: many may be of one.
        let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut paths = Vec::new();
        for event in events {
            match event {
                GroupEvent::New(group) => {
                    failures.push(group.failure);
                    groups.push(NewGroup {
                        order: group.order,
                        item: group.item,
                        sha256: group.sha256,
                        rows: 1,
                        other_names: Vec::new(),
                    });
                }
                GroupEvent::Name { order, name } => names.entry(order).or_default().push(name),
                GroupEvent::Path { order, path } => paths.push((order, path)),
                GroupEvent::Warning(text) => {
                    tracing::warn!(%text, "source");
                    self.tell(Event::Warning(text));
                }
            }
        }
        let upserted = self
            .journal
            .with(|journal| journal.upsert_groups(&groups))?;
        let mut shown = Vec::new();
        let mut imageless = Imageless::default();
        for ((group, failure), of) in upserted.into_iter().zip(failures).zip(groups) {
            self.state.by_order.push(group.id);
            self.state.pictures.moved += u64::from(group.moved);
            if group.first {
                shown.push(group.id);
                self.enlist(group, failure, of.item, &mut imageless)?;
            }
        }
        self.journal
            .with(|journal| journal.add_failures(&imageless.new))?;
        for event in imageless.told {
            self.tell(event);
        }
        let by_order = &self.state.by_order;
        let group_of = |order: u64| by_order.get(usize::try_from(order).ok()?).copied();
        let paths: Vec<(GroupId, String)> = paths
            .into_iter()
            .filter_map(|(order, path)| Some((group_of(order)?, path)))
            .collect();
        self.journal.with(|journal| journal.add_paths(&paths))?;
        let members: Vec<Members> = names
            .into_iter()
            .filter_map(|(order, names)| {
                Some(Members {
                    group: group_of(order)?,
                    rows: 0,
                    names,
                })
            })
            .collect();
        self.journal.with(|journal| journal.add_names(&members))?;
        self.show(&shown)
    }

    /// Decides what a group that the source names still needs; `failure` where there is no image.
    fn enlist(
        &mut self,
        group: Upserted,
        failure: Option<Failure>,
        item: Item,
        imageless: &mut Imageless,
    ) -> Result<()> {
        self.state.progress.total += 1;
        let has_image = failure.is_none();
        let known = match group.new {
            true => None,
            false => self.journal.with(|journal| journal.summary(group.id))?,
        };
        match (known.map(|known| known.state), failure) {
            (state @ (None | Some(GroupState::Waiting | GroupState::Failed)), Some(failure))
                if self.settings.with_image =>
            {
                self.count_failure(failure.code);
                imageless.told.push(Event::Failed {
                    group: group.id,
                    image_path: item.image_path,
                    name: item.item_name,
                    code: failure.code,
                    detail: failure.detail.clone(),
                });
                if state != Some(GroupState::Failed) {
                    imageless.new.push((group.id, failure));
                }
            }
            (None | Some(GroupState::Waiting | GroupState::Failed), _) => {
                self.state.todo.push_back(group.id);
                self.state.idle_told = false;
            }
            (Some(_), _) => {
                let known = self
                    .journal
                    .with(|journal| journal.has_histogram(group.id))?;
                if has_image && !known {
                    self.state.colorless.push_back(group.id);
                }
                self.go_on_with(group.id)?;
            }
        }
        Ok(())
    }

    /// A group that has been answered: in an earlier run, or just before its end.
    fn go_on_with(&mut self, group: GroupId) -> Result<()> {
        if !self.options.commit_automatically {
            self.state.progress.already += 1;
            return Ok(());
        }
        if self.options.quality_retry
            && let Some(answer) = self
                .journal
                .with(|journal| journal.answer_without_retry(group))?
            && self.wants_retry(&answer)
        {
            self.retry_for_quality(group, answer);
            self.state.idle_told = false;
            return Ok(());
        }
        self.commit(group)?;
        self.state.progress.already += 1;
        let stands = self.journal.with(|journal| journal.summary(group))?;
        self.state.open += u64::from(stands.is_some_and(|group| !group.has_record));
        Ok(())
    }

    /// Has the next pictures looked at whose colors nobody knows; a few at a time, so that
    /// attempts do not wait for all of them.
    pub(super) fn look_at_colors(&mut self) -> Result<()> {
        if self.state.coloring || self.state.colorless.is_empty() {
            return Ok(());
        }
        let next = self.state.colorless.len().min(COLORS);
        let groups: Vec<GroupId> = self.state.colorless.drain(..next).collect();
        let mut files = Vec::with_capacity(groups.len());
        for group in groups {
            let (item, _) = self.journal.with(|journal| journal.item(group))?;
            if let Some(file) = item.file {
                files.push((group, file));
            }
        }
        self.state.coloring = true;
        self.have_prepared(Work::Colors(files));
        Ok(())
    }
}
