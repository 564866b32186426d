CREATE INDEX page_decided ON page (decided_ms);
