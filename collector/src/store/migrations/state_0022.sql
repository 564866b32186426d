-- What names the cause where several findings have one: a drive that fails and the array that is degraded by it.
ALTER TABLE finding ADD COLUMN cause TEXT NOT NULL DEFAULT '';
