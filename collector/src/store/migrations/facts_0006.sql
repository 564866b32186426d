-- Which hosts have a thing is asked of 32 hosts at a time: their rows of it lie together, a look-up of each for itself
-- reads as many pages as there are hosts. With the thing first, a first inventory would write a page for each row.
CREATE INDEX holding_block ON holding ((host / 32), section, thing, host, first_ms, item, removed_ms);
DROP INDEX holding_removed;
CREATE INDEX holding_removed ON holding (host, removed_ms) WHERE removed_ms IS NOT NULL;
-- The only host that ever told it; 0: several, or nobody knows.
ALTER TABLE item ADD COLUMN host BIGINT NOT NULL DEFAULT 0;
-- States that somebody had and that nobody may have any more.
CREATE TABLE inventory_loose (item BIGINT PRIMARY KEY);
-- How much of a host's past is kept: rows that ended and events, and the bytes of both; since when all of it.
CREATE TABLE inventory_past (
  host BIGINT PRIMARY KEY,
  ended BIGINT NOT NULL,
  ended_bytes BIGINT NOT NULL,
  events BIGINT NOT NULL,
  event_bytes BIGINT NOT NULL,
  from_ms BIGINT
);
INSERT INTO inventory_past (host, ended, ended_bytes, events, event_bytes)
SELECT host, sum(ended), sum(ended_bytes), sum(events), sum(event_bytes) FROM (
  SELECT h.host AS host, count(*) AS ended, sum(length(i.body)) AS ended_bytes, 0 AS events, 0 AS event_bytes
  FROM holding h JOIN item i ON i.no = h.item WHERE h.removed_ms IS NOT NULL GROUP BY h.host
  UNION ALL
  SELECT host, 0, 0, count(*), sum(length(body)) FROM inventory_change GROUP BY host
) past GROUP BY host;
-- Sections of which rows are written that are not to be seen yet: what begins or ends at this instant or later.
CREATE TABLE inventory_writing (host BIGINT NOT NULL, section BIGINT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (host, section));
-- What the rows take that a host tells, keys and values.
ALTER TABLE latest ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
