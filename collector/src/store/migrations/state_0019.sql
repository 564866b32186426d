CREATE TABLE report_issue (
  no BIGINT NOT NULL PRIMARY KEY,
  report TEXT NOT NULL,
  agreement TEXT NOT NULL,
  period TEXT NOT NULL,
  due_ms BIGINT NOT NULL,
  scheduled BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE UNIQUE INDEX report_issue_once ON report_issue (report, agreement, period) WHERE scheduled = 1;
CREATE INDEX report_issue_newest ON report_issue (report, agreement, no);
CREATE TABLE report_delivery (
  issue BIGINT NOT NULL,
  n BIGINT NOT NULL,
  state TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (issue, n)
);
CREATE INDEX report_delivery_open ON report_delivery (issue) WHERE state IN ('waiting', 'under_way');
CREATE TABLE report_document (
  issue BIGINT NOT NULL,
  format TEXT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (issue, format)
);
