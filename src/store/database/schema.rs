//! The journal's schema and its migrations.

use crate::store::tables::records::fill_checksums;
use rusqlite::Connection;

/// One entry per schema version, applied in order. A released entry never changes.
const MIGRATIONS: &[&str] = &[
    "
-- Current state: small values kept between runs.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Current state: what the source reports about an image.
CREATE TABLE groups (
    id          INTEGER PRIMARY KEY,
    ord         INTEGER NOT NULL,
    image_path  TEXT NOT NULL,
    sha256      TEXT,
    item        TEXT NOT NULL,
    name        TEXT NOT NULL,
    source_type TEXT NOT NULL,
    part        TEXT,
    other_names TEXT NOT NULL DEFAULT '[]',
    rows        INTEGER NOT NULL,
    histogram   TEXT
);
CREATE INDEX groups_by_order ON groups (ord, id);
CREATE INDEX groups_by_hash ON groups (sha256) WHERE sha256 IS NOT NULL;

-- Current state: the image that is at each known path now.
CREATE TABLE paths (
    path     TEXT PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id)
) WITHOUT ROWID;

-- Append-only: attempts, failures, drafts, records, steps, step_entries, import_faults.
CREATE TABLE attempts (
    id       INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    at       TEXT NOT NULL,
    model    TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    settings_hash  TEXT NOT NULL,
    failure  TEXT,
    attempt  TEXT NOT NULL
);
CREATE INDEX attempts_by_group ON attempts (group_id, id);

CREATE TABLE failures (
    id       INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    at       TEXT NOT NULL,
    code     TEXT NOT NULL,
    detail   TEXT NOT NULL
);

CREATE TABLE drafts (
    id             INTEGER PRIMARY KEY,
    group_id       INTEGER NOT NULL REFERENCES groups (id),
    origin         TEXT NOT NULL,
    labels         TEXT NOT NULL,
    reasons        TEXT NOT NULL,
    kept_reasons   TEXT NOT NULL,
    confidence     TEXT NOT NULL,
    with_image     INTEGER NOT NULL,
    with_metadata  INTEGER NOT NULL,
    model          TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    generated_at   TEXT NOT NULL
);

CREATE INDEX drafts_by_group ON drafts (group_id, id);

CREATE TABLE records (
    id        INTEGER PRIMARY KEY,
    group_id  INTEGER NOT NULL REFERENCES groups (id),
    draft     INTEGER NOT NULL REFERENCES drafts (id),
    at        TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    record    TEXT NOT NULL,
    raw       TEXT,
    label_key TEXT NOT NULL
);

-- An operator's step, or the undo or redo of one.
CREATE TABLE steps (
    id     INTEGER PRIMARY KEY,
    at     TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('do', 'undo', 'redo')),
    target INTEGER REFERENCES steps (id),
    change TEXT,
    done   TEXT NOT NULL
);
CREATE TABLE step_entries (
    step        INTEGER NOT NULL REFERENCES steps (id),
    group_id    INTEGER NOT NULL REFERENCES groups (id),
    before      TEXT NOT NULL,
    after       TEXT NOT NULL,
    model_draft INTEGER,
    PRIMARY KEY (step, group_id)
) WITHOUT ROWID;

CREATE TABLE import_faults (
    id   INTEGER PRIMARY KEY,
    at   TEXT NOT NULL,
    line INTEGER NOT NULL,
    why  TEXT NOT NULL,
    text TEXT NOT NULL
);

-- Current state of each group, which follows from the tables above, and what the queue shows.
CREATE TABLE heads (
    group_id    INTEGER PRIMARY KEY REFERENCES groups (id),
    head        TEXT NOT NULL,
    model_draft INTEGER,
    failure     INTEGER,
    record      INTEGER,
    has_draft   INTEGER NOT NULL,
    state       TEXT NOT NULL,
    reasons     TEXT NOT NULL,
    duplicate   INTEGER NOT NULL,
    doubt       REAL NOT NULL,
    label_key   TEXT,
    label_ko    TEXT NOT NULL,
    tags_ko     TEXT NOT NULL,
    colors      TEXT NOT NULL,
    item_type   TEXT,
    changed_at  INTEGER NOT NULL
);
CREATE INDEX heads_by_label ON heads (label_key, duplicate) WHERE label_key IS NOT NULL;
CREATE INDEX heads_by_state ON heads (state);
",
    "
-- Completion offers the words in use of every attribute, with their counts.
ALTER TABLE heads ADD COLUMN theme TEXT NOT NULL DEFAULT '[]';
ALTER TABLE heads ADD COLUMN material TEXT NOT NULL DEFAULT '[]';
ALTER TABLE heads ADD COLUMN vibe TEXT NOT NULL DEFAULT '[]';
UPDATE heads SET
    theme = json_extract(d.labels, '$.attributes.theme'),
    material = json_extract(d.labels, '$.attributes.material'),
    vibe = json_extract(d.labels, '$.attributes.vibe')
FROM drafts d WHERE d.id = json_extract(heads.head, '$.draft');
",
    "
-- The checksum reveals damage to a record. NULL only until the journal is next opened.
ALTER TABLE records ADD COLUMN checksum TEXT;
CREATE INDEX records_without_checksum ON records (id) WHERE checksum IS NULL;
CREATE INDEX records_by_group ON records (group_id, id);
-- Versions count changes of the journal's contents, not of files.
UPDATE meta SET key = 'version:records' WHERE key = 'changes';
UPDATE meta SET key = 'version:failures' WHERE key = 'changes:labels_errors.jsonl';
",
    // "LTUI" tells a journal from the databases of other programs.
    "
PRAGMA application_id = 1280595273;
",
    "
-- A model's new answer is an offer; an accepted draft that is the committed line is committed.
ALTER TABLE heads ADD COLUMN offered INTEGER NOT NULL DEFAULT 0;
UPDATE heads SET state = 'committed'
WHERE state = 'accepted'
    AND json_extract(head, '$.draft') = (SELECT draft FROM records r WHERE r.id = heads.record);
",
    "
ALTER TABLE heads RENAME COLUMN doubt TO uncertainty;
",
    "
-- One column for the text of a draft that the queue shows, with the keys of a record.
ALTER TABLE heads ADD COLUMN labels TEXT NOT NULL DEFAULT '{\"label_ko\":\"\"}';
UPDATE heads SET labels = json_object(
    'label_ko', label_ko,
    'tags_ko', json(tags_ko),
    'attributes', json_object(
        'colors', json(colors), 'theme', json(theme), 'material', json(material),
        'vibe', json(vibe), 'item_type_guess', item_type));
ALTER TABLE heads DROP COLUMN label_ko;
ALTER TABLE heads DROP COLUMN tags_ko;
ALTER TABLE heads DROP COLUMN colors;
ALTER TABLE heads DROP COLUMN theme;
ALTER TABLE heads DROP COLUMN material;
ALTER TABLE heads DROP COLUMN vibe;
ALTER TABLE heads DROP COLUMN item_type;
",
    "
-- Computed from an image: the area of each color. Can be rebuilt.
CREATE TABLE colors (
    group_id  INTEGER PRIMARY KEY REFERENCES groups (id),
    histogram TEXT NOT NULL
);
INSERT INTO colors SELECT id, histogram FROM groups WHERE histogram IS NOT NULL;
ALTER TABLE groups DROP COLUMN histogram;

-- Computed from a draft: its reasons, if they differ from those stored with it. Can be rebuilt.
CREATE TABLE checks (
    draft   INTEGER PRIMARY KEY REFERENCES drafts (id),
    reasons TEXT NOT NULL
);

-- A group is one image now and keeps its text when another image appears at its path. Earlier
-- versions removed the draft from the record in that case.
UPDATE heads SET
    head = json_set(head, '$.draft', r.draft),
    has_draft = 1,
    state = CASE WHEN d.reasons = '' OR r.made_by = 'operator' THEN 'committed' ELSE 'uncertain' END,
    reasons = d.reasons,
    labels = d.labels
FROM records r JOIN drafts d ON d.id = r.draft
WHERE r.id = heads.record AND r.made_by <> 'unread'
    AND json_valid(heads.head) AND json_valid(d.labels)
    AND json_extract(heads.head, '$.draft') IS NULL
    AND json_extract(heads.head, '$.decision') = 'open';
",
    "
-- Colors are counted without the outline now. They are counted again when an image is next read.
DELETE FROM colors;
",
    "
-- Computed from an image: its drawing without the colors (NULL if there is too little to compare),
-- and its recolor family: the smallest group id of all images with the same drawing, NULL if no
-- other image has it. Can be rebuilt.
CREATE TABLE drawings (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    outline  BLOB,
    edges    BLOB,
    family   INTEGER
);
CREATE INDEX drawings_by_outline ON drawings (outline) WHERE outline IS NOT NULL;
CREATE INDEX drawings_by_family ON drawings (family) WHERE family IS NOT NULL;
",
    "
-- The item name for which a text was written. The source may have changed the name since.
ALTER TABLE drafts ADD COLUMN item_name TEXT NOT NULL DEFAULT '';
UPDATE drafts SET item_name = coalesce(
    (SELECT json_extract(r.record, '$.item_name') FROM records r
     WHERE r.group_id = drafts.group_id AND r.draft = drafts.id AND json_valid(r.record)
     ORDER BY r.id LIMIT 1),
    (SELECT g.name FROM groups g WHERE g.id = drafts.group_id),
    '');
-- Translucent pixels are counted now. Colors are counted again when an image is next read.
DELETE FROM colors;
",
    "
-- Inputs of the uncertainty score besides the reasons. The score is computed on reading.
ALTER TABLE heads ADD COLUMN signals TEXT NOT NULL DEFAULT '[]';
UPDATE heads SET signals = (
    SELECT coalesce(json_group_array(json_object(
        'field', json_extract(c.value, '$.field'),
        'confidence', json_extract(c.value, '$.mean'))), '[]')
    FROM json_each(d.confidence) c)
FROM drafts d
WHERE json_valid(heads.head) AND json_valid(d.confidence)
    AND d.id = json_extract(heads.head, '$.draft') AND json_array_length(d.confidence) > 0;
ALTER TABLE heads DROP COLUMN uncertainty;
-- To find the steps of one group.
CREATE INDEX step_entries_by_group ON step_entries (group_id, step);
",
    "
-- A head has all labels of its draft, including the queries.
UPDATE heads SET labels = d.labels FROM drafts d
WHERE json_valid(heads.head) AND json_valid(d.labels)
    AND d.id = json_extract(heads.head, '$.draft');
",
    "
-- Append-only: judgments of committed records in blind audits. All judgments with one seed are one
-- audit. A retraction is another row.
CREATE TABLE judgments (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    seed     INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    draft    INTEGER NOT NULL REFERENCES drafts (id),
    verdict  TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'unsure', 'taken_back')),
    field    TEXT
);
CREATE INDEX judgments_by_group ON judgments (group_id, id);
",
    "
-- Computed by a retriever: how well the texts of a record find its image. Can be rebuilt.
CREATE TABLE retrieved (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    finding  TEXT NOT NULL
);
",
    "
-- Covering index to find the families of an outline.
DROP INDEX drawings_by_outline;
CREATE INDEX drawings_by_outline ON drawings (outline, family) WHERE outline IS NOT NULL;
",
    "
-- From this version on, the detail of a failure is a JSON object with a code and values. Earlier
-- details remain sentences.
",
    "
-- Whether another image is at the path of this one.
ALTER TABLE groups ADD COLUMN displaced INTEGER NOT NULL DEFAULT 0;
UPDATE groups AS g SET displaced = 1
WHERE image_path <> '' AND EXISTS (
    SELECT 1 FROM paths p WHERE p.path = g.image_path AND p.group_id <> g.id);
",
    "
-- Dark pixels apart from the outline are counted now. Colors are counted again when an image is
-- next read.
DELETE FROM colors;
-- Whether the draft is committed, which would otherwise have to be sought in the large records.
ALTER TABLE heads ADD COLUMN committed INTEGER NOT NULL DEFAULT 0;
UPDATE heads SET committed = 1 FROM records r
WHERE r.id = heads.record AND r.made_by <> 'unread'
    AND json_valid(heads.head) AND json_extract(heads.head, '$.draft') = r.draft;
-- To count records that are not flagged as uncertain.
CREATE INDEX records_unflagged ON records (id) WHERE instr(record, '\"is_uncertain\":false');
",
    "
-- What can be read of an unreadable line is neither a record nor an answer.
UPDATE heads SET
    record = NULL,
    has_draft = json_extract(head, '$.draft') IS NOT NULL AND NOT (
        json_extract(head, '$.draft') = r.draft AND json_extract(head, '$.decision') = 'open')
FROM records r
WHERE r.id = heads.record AND r.made_by = 'unread' AND json_valid(heads.head);
",
    "
-- Lines of other programs had texts in the place of the hash, such as an empty one.
UPDATE groups SET sha256 = NULL
WHERE length(sha256) <> 64 OR sha256 GLOB '*[^0-9a-fA-F]*';
",
    "
-- Hashes are compared in lower case.
UPDATE groups SET sha256 = lower(sha256) WHERE sha256 GLOB '*[A-F]*';
",
];

/// Append-only tables: only a migration changes or removes a row.
#[cfg(test)]
pub const GROWING: [&str; 8] = [
    "attempts",
    "failures",
    "drafts",
    "records",
    "steps",
    "step_entries",
    "import_faults",
    "judgments",
];

/// Tables that hold the current state.
#[cfg(test)]
pub const CURRENT: [&str; 4] = ["meta", "groups", "paths", "heads"];

/// Tables that can be rebuilt from the other tables and the images.
#[cfg(test)]
pub const COMPUTED: [&str; 4] = ["colors", "drawings", "retrieved", "checks"];

/// The schema version that this program writes.
pub const VERSION: usize = MIGRATIONS.len();

/// The schema of a new journal. Running all migrations would take most of the startup time.
const LAYOUT: &str = include_str!("layout.sql");

/// Brings the schema of a new or existing database up to date.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    match version_of(connection)? {
        0 => create(connection),
        _ => {
            migrate_to(VERSION, connection)?;
            fill_checksums(connection)
        }
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(LAYOUT)?;
    transaction.pragma_update(None, "user_version", VERSION as u32)?;
    transaction.commit()
}

fn version_of(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Migrates the schema to `version` in one transaction. A later version is left as it is.
pub fn migrate_to(version: usize, connection: &mut Connection) -> rusqlite::Result<()> {
    let have = version_of(connection)?;
    let missing = MIGRATIONS.iter().take(version).skip(have as usize);
    if missing.len() == 0 {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", version as u32)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns each schema object with its SQL, without whitespace.
    fn layout(connection: &Connection) -> Vec<(String, String)> {
        let mut select = connection
            .prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            .unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
        rows.unwrap()
            .map(Result::unwrap)
            .map(|(name, sql)| (name, sql.split_whitespace().collect()))
            .collect()
    }

    #[test]
    fn a_new_journal_has_the_schema_of_a_migrated_one() {
        let mut migrated = Connection::open_in_memory().unwrap();
        migrate_to(VERSION, &mut migrated).unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        migrate(&mut new).unwrap();
        assert_eq!(layout(&new), layout(&migrated));
        for pragma in ["application_id", "user_version"] {
            let value = |db: &Connection| -> i64 {
                db.pragma_query_value(None, pragma, |row| row.get(0))
                    .unwrap()
            };
            assert_eq!(value(&new), value(&migrated), "{pragma}");
        }
    }
}
