"""The tables of the library's file, and how those of earlier versions become these."""

from __future__ import annotations

from tonearm.data import embedding_store
from tonearm.database import Schema
from tonearm.windows import LONG_S

_TABLES = f"""{embedding_store.TABLES};
CREATE TABLE models(
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    encoder TEXT NOT NULL, labels TEXT NOT NULL, names TEXT);
CREATE TABLE sounds(
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model INTEGER NOT NULL REFERENCES models,
    duration_s REAL NOT NULL, genre TEXT, nearest TEXT NOT NULL, confidence REAL NOT NULL,
    warning TEXT, probabilities BLOB NOT NULL, pooled BLOB NOT NULL,
    styles TEXT NOT NULL DEFAULT '{{}}', note TEXT, mix TEXT);
CREATE TABLE tracks(
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, missing INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL, sound INTEGER REFERENCES sounds,
    title TEXT, artist TEXT, album TEXT, album_artist TEXT,
    genres TEXT NOT NULL DEFAULT '[]', by_tonearm INTEGER NOT NULL DEFAULT 0, tag_error TEXT,
    error_kind TEXT, error_message TEXT);
CREATE INDEX tracks_sound ON tracks(sound, missing);
CREATE INDEX sounds_model ON sounds(model);
CREATE TABLE roots(path BLOB PRIMARY KEY);
"""
# As they were in version 2.
_EMBEDDINGS_2 = embedding_store.TABLES.replace(
    embedding_store.SILENT + embedding_store.LOW_RATE, ""
)
# Version 1 kept the embeddings of each sound in a table of their own, without where they begin.
_TO_VERSION_2 = f"""{_EMBEDDINGS_2};
ALTER TABLE models RENAME COLUMN listener TO encoder;
ALTER TABLE sounds ADD COLUMN styles TEXT NOT NULL DEFAULT '{{}}';
INSERT INTO embeddings(key, encoder, duration_s, warning, windows, values_f16)
    SELECT s.key, m.encoder, s.duration_s, s.warning,
        2 * length(w.values_f16) / length(s.pooled), w.values_f16
    FROM windows w JOIN sounds s ON s.id = w.sound JOIN models m ON m.id = s.model;
DROP TABLE windows
"""  # noqa: S608
# Version 2 did not keep that a sound is silent or short; of what it analysed nobody knows. Nor did
# it keep the parts of a mix: of a long sound without a genre they are empty until the next scan
# classifies it again, from its embeddings.
_TO_VERSION_3 = f"""
ALTER TABLE embeddings ADD COLUMN {embedding_store.SILENT.strip(" ,")};
ALTER TABLE sounds ADD COLUMN note TEXT;
ALTER TABLE sounds ADD COLUMN mix TEXT;
UPDATE sounds SET mix = '' WHERE genre IS NULL AND duration_s >= {LONG_S}
"""  # noqa: S608
# Nor did version 3 keep that a sound was sampled at a low rate.
_TO_VERSION_4 = f"ALTER TABLE embeddings ADD COLUMN {embedding_store.LOW_RATE.strip(' ,')}"
SCHEMA = Schema(
    "library",
    application_id=0x544F4E45,  # "TONE"
    version=4,
    tables=_TABLES,
    remedy="run `tonearm scan FOLDER`",
    later=(
        "CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value BLOB NOT NULL);"
        # What the last walk could not look at: links to nowhere, folders without rights.
        "CREATE TABLE IF NOT EXISTS unread(path BLOB PRIMARY KEY, reason TEXT NOT NULL);"
        # Folders that the last walk found on another disk than the folder above them.
        "CREATE TABLE IF NOT EXISTS mounts(path BLOB PRIMARY KEY)"
    ),
    upgrades=(_TO_VERSION_2, _TO_VERSION_3, _TO_VERSION_4),
)
