-- Files from user to user: a row from the moment the sender asks until the receiver has the file, refuses it, or it is
-- past its time. The content of an offline one is the file of kind `transfer` that has the task id for a name (0006_files.sql),
-- and goes with it; the name given by the sender is sealed like a message.
create table meta.file_transfer (
  task_id      uuid     primary key, -- 128 random bits; whoever knows them and is one of the two users gets in
  from_user_id integer  not null references meta.users (id),
  to_user_id   integer  not null references meta.users (id),
  mode         smallint not null check (mode in (1, 2)), -- 1 online: both at once; 2 offline: by way of a blob
  size         bigint   not null check (size between 1 and 4294967295),
  -- open: under way; stored: all of it is there; offered: and the receiver may see it
  state        text     not null default 'open' check (state in ('open', 'stored', 'offered')),
  key_id       integer  not null,
  sealed_name  bytea    not null,
  upload_id    text, -- while the sender uploads
  created      timestamptz not null default now(),
  expires      timestamptz not null,
  check (from_user_id <> to_user_id)
);
create index file_transfer_from on meta.file_transfer (from_user_id);
create index file_transfer_offered on meta.file_transfer (to_user_id, created) where state = 'offered';
create index file_transfer_expires on meta.file_transfer (expires);
create index file_transfer_key on meta.file_transfer (key_id); -- a key that seals a name is still wanted
