CREATE TABLE settings (scope TEXT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL, at_ms BIGINT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (scope, version));
CREATE TABLE settings_given (host BIGINT PRIMARY KEY, version BIGINT NOT NULL, digest BIGINT NOT NULL);
