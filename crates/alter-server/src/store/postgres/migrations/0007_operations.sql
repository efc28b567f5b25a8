-- What a call does, by the description of its provider. See 0002_people.sql for the conventions.

-- Where an operation is served, the families that it is of, and the scopes that it needs, as JSON; null where nobody has said. What an earlier version
-- loaded has no places, so that no call is taken for one of its operations until the document is loaded again.
ALTER TABLE spec_operations ADD COLUMN places TEXT NOT NULL DEFAULT '[]';
ALTER TABLE spec_operations ADD COLUMN families TEXT;
ALTER TABLE spec_operations ADD COLUMN scopes TEXT;
