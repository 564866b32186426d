-- The living inventory. What hosts have is interned: a thing is what a key names, an item is one state of it.
CREATE TABLE inventory_section (no BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE thing (no BIGINT PRIMARY KEY, section BIGINT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL);
CREATE UNIQUE INDEX thing_key ON thing (section, key);
CREATE INDEX thing_name ON thing (section, name);
CREATE TABLE item (no BIGINT PRIMARY KEY, thing BIGINT NOT NULL, hash BYTEA NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX item_hash ON item (thing, hash);
-- What a host has or had, and when. The key begins with the host, so that a first inventory is written in one place; the
-- other way round it touches a page for each of its rows.
CREATE TABLE holding (
  host BIGINT NOT NULL,
  section BIGINT NOT NULL,
  thing BIGINT NOT NULL,
  first_ms BIGINT NOT NULL,
  item BIGINT NOT NULL,
  removed_ms BIGINT,
  away_ms BIGINT,
  looks BIGINT,
  PRIMARY KEY (host, section, thing, first_ms)
);
CREATE INDEX holding_removed ON holding (removed_ms) WHERE removed_ms IS NOT NULL;
CREATE INDEX holding_away ON holding (host, section) WHERE away_ms IS NOT NULL;
-- What a host told last of a section as a whole; values without a history are in the body.
CREATE TABLE latest (
  host BIGINT NOT NULL,
  section BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  rows_told BIGINT NOT NULL,
  status BIGINT NOT NULL,
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  first_ms BIGINT NOT NULL,
  looked_ms BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (host, section)
);
CREATE INDEX latest_host ON latest (section, host);
CREATE INDEX latest_status ON latest (section, status);
-- Differences that were not taken, the last of each section.
CREATE TABLE inventory_refused (host BIGINT NOT NULL, section TEXT NOT NULL, at_ms BIGINT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (host, section));
-- Parts of differences that are not complete yet.
CREATE TABLE inventory_part (host BIGINT NOT NULL, section TEXT NOT NULL, part BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (host, section, part));
CREATE TABLE inventory_change (
  host BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  n BIGINT NOT NULL,
  since_ms BIGINT NOT NULL,
  section TEXT NOT NULL,
  class TEXT NOT NULL,
  title TEXT NOT NULL,
  parts BIGINT NOT NULL,
  body TEXT NOT NULL,
  judged BIGINT NOT NULL,
  planned TEXT NOT NULL,
  reason TEXT NOT NULL,
  reason_by TEXT NOT NULL,
  reason_ms BIGINT,
  PRIMARY KEY (host, at_ms, n)
);
CREATE INDEX inventory_change_at ON inventory_change (at_ms, host, n);
CREATE INDEX inventory_change_unjudged ON inventory_change (judged, host) WHERE judged = 0;
