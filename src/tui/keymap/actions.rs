//! The table of actions. Help, hint line, palette, key files and the docs read it.

use crate::record::Field;

/// Where a key is pressed. A pane's own bindings win over `Global`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyContext {
    Global,
    Queue,
    Record,
    Gallery,
    Attempts,
    Progress,
    Statistics,
}

impl KeyContext {
    pub const ALL: &'static [KeyContext] = &[
        Self::Global,
        Self::Queue,
        Self::Record,
        Self::Gallery,
        Self::Attempts,
        Self::Progress,
        Self::Statistics,
    ];

    /// Its table in a key file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Queue => "queue",
            Self::Record => "record",
            Self::Gallery => "gallery",
            Self::Attempts => "attempts",
            Self::Progress => "progress",
            Self::Statistics => "statistics",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|context| context.name() == name)
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct ActionInfo {
    pub action: Action,
    /// Its name in a key file.
    pub name: &'static str,
    /// Two words at most, for the hint bar.
    pub short: &'static str,
    pub description: &'static str,
    pub section: &'static str,
}

macro_rules! actions {
    ($($section:literal { $($action:ident $name:literal $short:literal $description:literal),+ $(,)? })+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($($action),+),+ }

        pub const ACTIONS: &[ActionInfo] = &[$($(ActionInfo {
            action: Action::$action,
            name: $name,
            short: $short,
            description: $description,
            section: $section,
        }),+),+];
    };
}

actions! {
    "Decide" {
        AcceptNext "accept-next" "accept" "Accept the draft, or confirm a committed one, and go to the next uncertain one",
        CommitNext "commit-next" "commit" "Commit the draft to labels.jsonl and go to the next uncertain one",
        CommitAccepted "commit-accepted" "commit all" "Commit every accepted record (asks first)",
        CommitCertain "commit-certain" "commit certain" "Commit every draft without a reason (asks first)",
        Reject "reject" "reject" "Reject with a reason; a commit then removes its line from labels.jsonl",
        Reopen "reopen" "reopen" "Take an acceptance, a confirmation or a rejection back",
        Undo "undo" "undo" "Undo the last step, bulk steps too",
        Redo "redo" "redo" "Do the undone step again",
        RepeatEdit "repeat-edit" "again" "Do the last edit or rejection again, on this record",
        RecordKeys "record-keys" "record" "Record keys, or end the recording",
        PlayKeys "play-keys" "play" "Play the recorded keys",
    }
    "Fix" {
        Fix1 "fix-1" "fix" "Take the first of the fixes that stand under a reason",
        Fix2 "fix-2" "fix 2" "Take the second fix",
        Fix3 "fix-3" "fix 3" "Take the third fix",
        FixAll1 "fix-all-1" "fix all" "Take the first fix for all records with its reason, with a preview",
        FixAll2 "fix-all-2" "fix all 2" "Take the second fix for all records with its reason, with a preview",
        FixAll3 "fix-all-3" "fix all 3" "Take the third fix for all records with its reason, with a preview",
    }
    "Edit" {
        EditLabel "edit-label" "edit label" "Edit the Korean label in place",
        EditField "edit" "edit" "Edit the field or value under the cursor",
        AddTag "add-tag" "add tag" "Add tags, with completion",
        AddValue "add" "add" "Add a value to the field under the cursor",
        RemoveValue "remove" "remove" "Remove the value under the cursor",
        MoveEarlier "move-earlier" "earlier" "Move the value under the cursor towards the front",
        MoveLater "move-later" "later" "Move the value under the cursor towards the end",
        RemoveTag "remove-tag" "remove tag" "Remove a tag, by its number or name; in the gallery from all selected records",
        Bulk "bulk" "change many" "Add, remove, replace or set a value in many records, with a preview",
        Note "note" "note" "Write a note on the item",
        Replace "replace" "replace" "Find and replace over all records, with a preview",
        Translate "translate" "translate" "Translate words into the vocabulary, with a preview",
        UpdateName "update-name" "update name" "Replace an outdated item name in the texts by the current one",
    }
    "Ask the model" {
        Retry "retry" "retry" "Ask again with the stricter prompt, ahead of everything that waits",
        RetryWith "retry-with" "retry with" "Ask again with other scale, background, picture or a hint",
        Attempts "attempts" "versions" "See all versions in order: imported, answers, edits, committed",
        TakeNumbered "take-numbered" "take field" "Take the field with this number from this version",
        TakeField "take-field" "fields" "Go to the fields, then take the one under the cursor from this version",
        TakeAttempt "take-attempt" "take all" "Take this version whole; it becomes the draft",
        Pause "pause" "pause" "Pause the model, or let it go on",
    }
    "Look" {
        Background "background" "background" "Show the picture on white, black or a checkerboard",
        ModelView "model-view" "model's eye" "Show exactly the pixels that the model was given",
        Zoom "zoom" "zoom" "Show the picture as large as the screen, or beside the record again",
        Filter "filter" "filter" "Filter as you type: words, ㅂㅈ, keys such as state: tag: has:",
        Views "views" "views" "Filters saved under a name: show, save, delete",
        ClearFilter "clear-filter" "clear filter" "Show every item",
        NeedsReview "needs-review" "needs review" "Show what needs a person",
        Failed "failed" "failed" "Show what has failed",
        FoldFamilies "fold-families" "fold" "Show one row of each recolor family, or all rows",
        Sort "sort" "sort" "Sort by uncertainty, name, time, source order",
        NextPane "next-pane" "pane" "Focus next pane",
        PreviousPane "previous-pane" "pane" "Focus previous pane",
        NextToReview "next-to-review" "next" "Go to the next uncertain item, deciding nothing",
        Workbench "workbench" "work" "Queue, picture and record",
        Gallery "gallery" "gallery" "A grid of icons for bulk work",
        Progress "progress" "progress" "What the model is doing",
        Statistics "statistics" "words" "Words in use to count and change; reasons, states, uncertainty",
    }
    "Words" {
        RenameWord "rename-word" "rename" "Rename the word under the cursor in all records",
        MergeWord "merge-word" "merge" "Merge the word under the cursor into another one of the list",
        DeleteWord "delete-word" "delete" "Delete the word under the cursor from all records",
        MarkSynonym "mark-synonym" "synonym" "Make the word a synonym of another one, in vocabulary.toml too",
    }
    "Move" {
        Up "up" "up" "Up",
        Down "down" "down" "Down",
        Left "left" "left" "Left",
        Right "right" "right" "Right",
        PageUp "page-up" "page up" "A page up",
        PageDown "page-down" "page down" "A page down",
        Top "top" "top" "To the first",
        Bottom "bottom" "bottom" "To the last",
        GoLabel "go-label" "label" "To the label of the record",
        GoTags "go-tags" "tags" "To its tags",
        GoColors "go-colors" "colors" "To its colors",
        GoTheme "go-theme" "theme" "To its theme",
        GoMaterial "go-material" "material" "To its material",
        GoVibe "go-vibe" "vibe" "To its vibe",
        GoType "go-type" "type" "To its item type",
        GoQueries "go-queries" "queries" "To its queries",
        NarrowQueue "narrow-queue" "narrower" "Make the queue narrower",
        WidenQueue "widen-queue" "wider" "Make the queue wider",
    }
    "Select" {
        Select "select" "select" "Select or unselect the icon",
        SelectRange "select-range" "range" "Select from the last selected icon to here",
        SelectAll "select-all" "all" "Select all that the filter shows",
        SelectFamily "select-family" "family" "Select every icon that is the same drawing in other colors, in the gallery",
        Unselect "unselect" "none" "Select nothing",
        Open "open" "open" "Show what is under the cursor in the workbench",
    }
    "Program" {
        Help "help" "help" "All keys",
        Palette "palette" "palette" "Find an action by name and do it",
        Redraw "redraw" "redraw" "Redraw the screen",
        TryAgain "try-again" "try again" "While nothing can be saved: try again, or rewrite the journal",
        Suspend "suspend" "suspend" "Go to the shell; fg comes back",
        Quit "quit" "quit" "Leave; drafts stay in the journal",
    }
}

impl Action {
    pub fn info(self) -> &'static ActionInfo {
        // The table and the enum come from one list, in one order.
        &ACTIONS[self as usize]
    }

    /// Whether it changes what is saved, at once or by a prompt.
    pub fn decides(self) -> bool {
        self.prompts()
            || matches!(
                self,
                Self::AcceptNext
                    | Self::CommitNext
                    | Self::CommitAccepted
                    | Self::CommitCertain
                    | Self::Reopen
                    | Self::Undo
                    | Self::Redo
                    | Self::Fix1
                    | Self::Fix2
                    | Self::Fix3
                    | Self::RepeatEdit
                    | Self::RemoveValue
                    | Self::UpdateName
                    | Self::MoveEarlier
                    | Self::MoveLater
                    | Self::Retry
                    | Self::TakeField
                    | Self::TakeNumbered
                    | Self::TakeAttempt
            )
    }

    /// Whether it is about the record in hand and changes what is saved of it.
    pub fn is_about_record(self) -> bool {
        self.decides()
            && !matches!(
                self,
                Self::CommitAccepted
                    | Self::CommitCertain
                    | Self::Undo
                    | Self::Redo
                    | Self::Replace
                    | Self::Bulk
                    | Self::RenameWord
                    | Self::MergeWord
                    | Self::DeleteWord
                    | Self::MarkSynonym
            )
    }

    /// The field of the record that it goes to.
    pub fn goes_to(self) -> Option<Field> {
        Some(match self {
            Self::GoLabel => Field::LabelKo,
            Self::GoTags => Field::TagsKo,
            Self::GoColors => Field::Colors,
            Self::GoTheme => Field::Theme,
            Self::GoMaterial => Field::Material,
            Self::GoVibe => Field::Vibe,
            Self::GoType => Field::ItemTypeGuess,
            Self::GoQueries => Field::QueryVariantsKo,
            _ => return None,
        })
    }

    /// Whether it only moves a cursor or a border.
    pub fn moves(self) -> bool {
        self.info().section == Self::Up.info().section
    }

    /// Whether it works on a screen that is too small to show anything.
    pub fn works_blind(self) -> bool {
        matches!(self, Self::Quit | Self::Suspend | Self::Redraw | Self::Help)
    }

    /// Whether something is typed after it.
    pub fn prompts(self) -> bool {
        matches!(
            self,
            Self::Reject
                | Self::EditLabel
                | Self::EditField
                | Self::AddTag
                | Self::AddValue
                | Self::RemoveTag
                | Self::Bulk
                | Self::RenameWord
                | Self::MergeWord
                | Self::DeleteWord
                | Self::MarkSynonym
                | Self::Note
                | Self::Replace
                | Self::RetryWith
        )
    }

    pub fn parse(name: &str) -> Option<Self> {
        ACTIONS
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (index, info) in ACTIONS.iter().enumerate() {
            assert_eq!(info.action as usize, index);
            assert_eq!(info.action.info().name, info.name);
            assert_eq!(Action::parse(info.name), Some(info.action));
        }
    }
}
