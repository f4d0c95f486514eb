-- Whether a running db-proxy finds what lies in shard.attachment. Those of builds before do not know the column: as long
-- as there is one of them, voice messages are stored as they were then (storage/key-watch.ts).
alter table meta.key_holder add column reads_attachments boolean not null default false;
