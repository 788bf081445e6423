-- The schema of a new journal. A test checks that it equals the result of all migrations.

-- "LTUI".
PRAGMA application_id = 1280595273;

-- Current state: small values kept between runs.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Current state: what the source reports about an image. It is displaced while another image is at
-- its path.
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
    displaced   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX groups_by_order ON groups (ord, id);
CREATE INDEX groups_by_hash ON groups (sha256) WHERE sha256 IS NOT NULL;

-- Current state: the image that is at each known path now.
CREATE TABLE paths (
    path     TEXT PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id)
) WITHOUT ROWID;

-- Append-only: every answer of a model and every failed attempt.
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

-- Append-only: failures before a request to the model.
CREATE TABLE failures (
    id       INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    at       TEXT NOT NULL,
    code     TEXT NOT NULL,
    detail   TEXT NOT NULL
);

-- Append-only: every text of an image, whoever wrote it. `item_name` is the item name for which it
-- was written.
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
    generated_at   TEXT NOT NULL,
    item_name      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX drafts_by_group ON drafts (group_id, id);

-- Append-only: every committed record, with a checksum that reveals damage.
CREATE TABLE records (
    id        INTEGER PRIMARY KEY,
    group_id  INTEGER NOT NULL REFERENCES groups (id),
    draft     INTEGER NOT NULL REFERENCES drafts (id),
    at        TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    record    TEXT NOT NULL,
    raw       TEXT,
    label_key TEXT NOT NULL,
    checksum  TEXT
);
CREATE INDEX records_without_checksum ON records (id) WHERE checksum IS NULL;
CREATE INDEX records_by_group ON records (group_id, id);
CREATE INDEX records_unflagged ON records (id) WHERE instr(record, '"is_uncertain":false');

-- Append-only: an operator's step, or the undo or redo of one, and its effect on each group.
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
CREATE INDEX step_entries_by_group ON step_entries (group_id, step);

-- Append-only: lines of imported files that could not be read as they are.
CREATE TABLE import_faults (
    id   INTEGER PRIMARY KEY,
    at   TEXT NOT NULL,
    line INTEGER NOT NULL,
    why  TEXT NOT NULL,
    text TEXT NOT NULL
);

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

-- Current state of each group, which follows from the tables above, and what the queue shows.
-- `signals` are the inputs of the uncertainty score besides the reasons. `committed` says whether the
-- draft is. What can be read of an unreadable line is a draft only in `head`, and never a `record`.
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
    label_key   TEXT,
    changed_at  INTEGER NOT NULL,
    offered     INTEGER NOT NULL DEFAULT 0,
    labels      TEXT NOT NULL DEFAULT '{"label_ko":""}',
    signals     TEXT NOT NULL DEFAULT '[]',
    committed   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX heads_by_label ON heads (label_key, duplicate) WHERE label_key IS NOT NULL;
CREATE INDEX heads_by_state ON heads (state);

-- Computed from an image: the area of each color. Can be rebuilt.
CREATE TABLE colors (
    group_id  INTEGER PRIMARY KEY REFERENCES groups (id),
    histogram TEXT NOT NULL
);

-- Computed from an image: its drawing without the colors (NULL if there is too little to compare),
-- and its recolor family: the smallest group id of all images with the same drawing, NULL if no
-- other image has it. Can be rebuilt.
CREATE TABLE drawings (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    outline  BLOB,
    edges    BLOB,
    family   INTEGER
);
CREATE INDEX drawings_by_outline ON drawings (outline, family) WHERE outline IS NOT NULL;
CREATE INDEX drawings_by_family ON drawings (family) WHERE family IS NOT NULL;

-- Computed from a draft: its reasons, if they differ from those stored with it. Can be rebuilt.
CREATE TABLE checks (
    draft   INTEGER PRIMARY KEY REFERENCES drafts (id),
    reasons TEXT NOT NULL
);

-- Computed by a retriever: how well the texts of a record find its image. Can be rebuilt.
CREATE TABLE retrieved (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    finding  TEXT NOT NULL
);
