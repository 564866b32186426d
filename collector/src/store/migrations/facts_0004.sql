-- Lives of drives as far as they were watched, in whatever host they are: for what models and firmwares come to over years.
CREATE TABLE drive_life (
  serial TEXT NOT NULL,
  model TEXT NOT NULL,
  firmware TEXT NOT NULL,
  host BIGINT NOT NULL,
  device TEXT NOT NULL,
  entered_ms BIGINT NOT NULL,
  entered_hours BIGINT,
  seen_ms BIGINT NOT NULL,
  hours BIGINT,
  failing_ms BIGINT,
  failed_ms BIGINT,
  gone_ms BIGINT,
  PRIMARY KEY (serial, model)
);
CREATE INDEX drive_life_host ON drive_life (host);
-- Where a drive was before, the latest with the greatest n.
CREATE TABLE drive_place (
  serial TEXT NOT NULL,
  model TEXT NOT NULL,
  n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  host BIGINT NOT NULL,
  device TEXT NOT NULL,
  PRIMARY KEY (serial, model, n)
);
