ALTER TABLE liveness ADD COLUMN answered_ms BIGINT;
