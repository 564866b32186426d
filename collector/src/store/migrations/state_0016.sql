CREATE TABLE check_span (
  host BIGINT NOT NULL,
  name TEXT NOT NULL,
  n BIGINT NOT NULL,
  from_ms BIGINT NOT NULL,
  to_ms BIGINT NOT NULL,
  status TEXT NOT NULL,
  said TEXT NOT NULL,
  gone BIGINT NOT NULL,
  learned_ms BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (host, name, n)
);
CREATE INDEX check_span_from ON check_span (host, name, from_ms);
