-- What people add to the record of service levels afterwards; version 2 is its withdrawal.
CREATE TABLE amendment (no BIGINT NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (no, version));
