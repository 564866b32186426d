CREATE TABLE dismissal (no BIGINT NOT NULL, version BIGINT NOT NULL, incident BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (no, version));
CREATE INDEX incident_opened ON incident (opened_ms);
