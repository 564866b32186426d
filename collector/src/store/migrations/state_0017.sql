CREATE TABLE agreement (
  name TEXT NOT NULL,
  version BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  definition TEXT NOT NULL,
  PRIMARY KEY (name, version)
);
