ALTER TABLE host ADD COLUMN layers TEXT NOT NULL DEFAULT '{}';
CREATE TABLE asset (host TEXT PRIMARY KEY, says TEXT NOT NULL);
CREATE INDEX audit_at ON audit (at_ms, subject);
