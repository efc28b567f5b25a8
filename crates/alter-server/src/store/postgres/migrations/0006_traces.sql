-- The trace that a request was part of. It is under the row's MAC where there is one; rows of before have none.
ALTER TABLE audit_rows ADD COLUMN trace TEXT;
