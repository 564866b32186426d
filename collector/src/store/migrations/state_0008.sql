CREATE TABLE heartbeat (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE heartbeat_secret (name TEXT PRIMARY KEY, secret TEXT NOT NULL);
