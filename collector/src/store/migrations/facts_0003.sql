-- What was found of the hardware, by source and part; n counts what differed from what was found before.
CREATE TABLE evidence (
  host BIGINT NOT NULL,
  source TEXT NOT NULL,
  part TEXT NOT NULL,
  n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  format BIGINT NOT NULL,
  size BIGINT NOT NULL,
  payload BYTEA NOT NULL,
  PRIMARY KEY (host, source, part, n)
);
CREATE INDEX evidence_at ON evidence (host, at_ms);
