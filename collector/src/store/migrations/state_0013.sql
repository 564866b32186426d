CREATE TABLE host_change (host BIGINT NOT NULL, at_ms BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (host, at_ms, body));
CREATE INDEX host_change_at ON host_change (at_ms);
