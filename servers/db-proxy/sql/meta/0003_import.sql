-- The taking over of an original TeamTalk database (tools/import-teamtalk.ts): where it came from and how far it is. The
-- row stays behind as the record of what was done.
create table meta.import (
  sole     boolean primary key default true check (sole),
  source   text   not null, -- a digest over the source's tables: an import goes on from the same source only
  options  text   not null, -- those that what is stored depends on
  started  bigint not null, -- Unix seconds; no message is given a later time
  finished bigint           -- null: under way, and nobody can log in yet, as the people come last
);

-- Each phase: where it goes on, and what it has counted so far. Written after the rows it speaks of.
create table meta.import_progress (
  phase text primary key,
  state jsonb   not null, -- the tool's own shape
  done  boolean not null
);

-- Members of groups until the people are there. The number is only known while the group's messages go by.
create table meta.import_member (
  group_id      integer  not null,
  user_id       integer  not null,
  joined_msg_id integer  not null,
  joined        bigint   not null,
  shield        smallint not null,
  primary key (group_id, user_id)
);
