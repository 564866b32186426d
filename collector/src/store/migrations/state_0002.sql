CREATE TABLE check_state (host BIGINT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (host, name));
CREATE TABLE rule_override (name TEXT NOT NULL, version BIGINT NOT NULL, line TEXT NOT NULL, at_ms BIGINT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (name, version));
