-- Who changed what. Each row's hash covers the row and the hash before it, and the head holds the last one, so a row
-- that was altered, removed or slipped in shows. `before` and `after` are json, not jsonb: the hash is over their text.
create table meta.audit (
  id         bigint primary key, -- without holes: taken from the head
  at         timestamptz not null,
  actor_kind text        not null, -- admin, api-key, tool, …
  actor_name text        not null,
  address    text        not null,
  action     text        not null, -- user.create, group.members, …
  subject    text        not null, -- user:17, group:4, setting:push.text
  before     json,
  after      json,
  -- The change was asked for with this id: asked again, it is not made again.
  request    bytea unique,
  hash       bytea not null
);
create index audit_subject on meta.audit (subject, id);
create index audit_actor on meta.audit (actor_kind, actor_name, id);

create table meta.audit_head (
  one     boolean primary key default true check (one),
  last_id bigint not null,
  hash    bytea  not null
);
insert into meta.audit_head (last_id, hash) values (0, '');

-- What the administration sets while the cluster runs. What a server needs to start is in its environment instead.
create table meta.setting (
  name    text primary key check (length(name) between 1 and 128),
  value   json    not null,
  version integer not null default 1,
  updated timestamptz not null default now()
);

-- The console and other systems page through people by name too.
create index users_department on meta.users (department_id);
