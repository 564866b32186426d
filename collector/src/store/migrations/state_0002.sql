CREATE TABLE check_state (host BIGINT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (host, name));
