-- The life of data keys: who knows which of them, and how far the resealing of old messages has come.

-- Grows with every change of meta.data_key, in the same transaction. Its row lock is what changes take turns by.
create table meta.key_version (version bigint not null);
insert into meta.key_version values (1);

alter table meta.data_key add column destroyed timestamptz; -- set together with wrapped = null

-- Who seals messages at the moment, and by which version of the keys. A db-proxy writes its row before it seals
-- anything and again every few seconds; when it could not for some time it stops sealing (storage/key-watch.ts). So
-- once every row is of the new version, or too old to count, nothing is sealed under a key of before.
create table meta.key_holder (
  instance uuid        primary key,
  name     text        not null, -- host and process, for people
  version  bigint      not null,
  since    timestamptz not null default now(), -- it has had this version for so long
  seen     timestamptz not null default now(),
  problem  text        not null default '' -- what it lacks, in words
);

-- Sealing old messages anew, by bucket: all up to here are sealed under `key_id`, or could not be opened.
create table meta.reseal (
  bucket          smallint    primary key,
  key_id          integer     not null,
  conversation_id bigint      not null default 0,
  msg_id          integer     not null default 0,
  passed          bigint      not null default 0, -- messages up to here, the unopenable ones included
  unopenable      bigint      not null default 0,
  started         timestamptz not null default now(),
  updated         timestamptz not null default now(),
  finished        timestamptz
);
