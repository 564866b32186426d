CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, term BIGINT NOT NULL, expires_ms BIGINT NOT NULL);
CREATE TABLE collector_run (id BIGINT PRIMARY KEY, from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL);

CREATE TABLE host (
  no BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  class TEXT NOT NULL,
  site TEXT,
  watch TEXT NOT NULL,
  labels TEXT NOT NULL,
  sources TEXT NOT NULL,
  admission TEXT NOT NULL,
  facts TEXT NOT NULL,
  fingerprint TEXT NOT NULL DEFAULT '{}',
  generation BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX host_admission ON host (admission);
CREATE TABLE certificate (
  serial BYTEA PRIMARY KEY, host BIGINT NOT NULL, from_ms BIGINT NOT NULL, until_ms BIGINT NOT NULL, state TEXT NOT NULL
);
CREATE INDEX certificate_host ON certificate (host);
CREATE TABLE token (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  hash TEXT NOT NULL,
  uses_left BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  gives TEXT NOT NULL,
  host TEXT,
  made_by TEXT NOT NULL,
  revoked BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE enrolment (
  nonce BYTEA PRIMARY KEY,
  key_hash BYTEA NOT NULL,
  host BIGINT NOT NULL,
  token TEXT NOT NULL,
  chain BYTEA NOT NULL,
  at_ms BIGINT NOT NULL
);

CREATE TABLE liveness (
  host BIGINT PRIMARY KEY,
  state TEXT NOT NULL,
  since_ms BIGINT NOT NULL,
  cause TEXT NOT NULL,
  boot_id BYTEA,
  proof_ms BIGINT NOT NULL,
  peer TEXT
);
CREATE TABLE span (
  host BIGINT NOT NULL,
  n BIGINT NOT NULL,
  from_ms BIGINT NOT NULL,
  to_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  cause TEXT NOT NULL,
  evidence TEXT NOT NULL,
  learned_ms BIGINT NOT NULL,
  replaces BIGINT,
  hash BYTEA NOT NULL,
  PRIMARY KEY (host, n)
);
CREATE TABLE finding (
  host BIGINT NOT NULL,
  part TEXT NOT NULL,
  rule TEXT NOT NULL,
  open BIGINT NOT NULL,
  severity TEXT NOT NULL,
  since_ms BIGINT NOT NULL,
  evidence TEXT NOT NULL,
  PRIMARY KEY (host, part, rule)
);
CREATE INDEX finding_open ON finding (open);
CREATE TABLE problem (key TEXT PRIMARY KEY, host BIGINT, severity TEXT NOT NULL, since_ms BIGINT NOT NULL, body TEXT NOT NULL);

CREATE TABLE incident (
  no BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  severity TEXT NOT NULL,
  opened_ms BIGINT NOT NULL,
  resolved_ms BIGINT,
  body TEXT NOT NULL
);
CREATE INDEX incident_state ON incident (state, resolved_ms);
CREATE TABLE incident_event (
  incident BIGINT NOT NULL,
  n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  person TEXT,
  PRIMARY KEY (incident, n)
);
CREATE TABLE page (
  id BIGINT PRIMARY KEY,
  incident BIGINT,
  receiver TEXT NOT NULL,
  n BIGINT NOT NULL,
  delivery TEXT NOT NULL,
  decided_ms BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX page_incident ON page (incident);
CREATE INDEX page_delivery ON page (delivery);
CREATE TABLE attempt (
  page BIGINT NOT NULL, n BIGINT NOT NULL, at_ms BIGINT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (page, n)
);

CREATE TABLE principal (name TEXT PRIMARY KEY, role TEXT NOT NULL, password_hash TEXT NOT NULL, enabled BIGINT NOT NULL);
CREATE TABLE api_token (
  id TEXT PRIMARY KEY, hash BYTEA NOT NULL UNIQUE, role TEXT NOT NULL, note TEXT NOT NULL, expires_ms BIGINT NOT NULL
);
CREATE TABLE web_session (
  hash BYTEA PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, expires_ms BIGINT NOT NULL, link BIGINT NOT NULL
);
CREATE INDEX web_session_name ON web_session (name);
CREATE TABLE audit (
  day BIGINT NOT NULL,
  n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  who TEXT NOT NULL,
  origin TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (day, n)
);
