-- Lists of series that rows of trends are about; alike hosts share one.
CREATE TABLE trend_set (no BIGINT PRIMARY KEY, series TEXT NOT NULL UNIQUE, used_ms BIGINT NOT NULL);
-- An hour of minutes of one host.
CREATE TABLE trend_minute (
  host BIGINT NOT NULL,
  from_ms BIGINT NOT NULL,
  series BIGINT NOT NULL,
  packed BYTEA NOT NULL,
  PRIMARY KEY (host, from_ms)
);
-- A day, or several, of hours of one host.
CREATE TABLE trend_hour (
  host BIGINT NOT NULL,
  from_ms BIGINT NOT NULL,
  series BIGINT NOT NULL,
  packed BYTEA NOT NULL,
  PRIMARY KEY (host, from_ms)
);
-- What both hold, so that nobody has to count.
CREATE TABLE trend_size (grain TEXT PRIMARY KEY, held BIGINT NOT NULL, bytes BIGINT NOT NULL);
INSERT INTO trend_size (grain, held, bytes) VALUES ('minute', 0, 0), ('hour', 0, 0);
