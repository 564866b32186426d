CREATE TABLE received (host BIGINT NOT NULL, epoch BYTEA NOT NULL, n BIGINT NOT NULL, through BIGINT NOT NULL, PRIMARY KEY (host, epoch));
CREATE TABLE fact (
  host BIGINT NOT NULL,
  epoch BYTEA NOT NULL,
  sequence BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (host, epoch, sequence)
);
CREATE INDEX fact_kind ON fact (host, kind, at_ms);
