-- Other systems: keys of the HTTP interface, what they are told, and what they have asked before.

create table meta.api_key (
  id          text        primary key check (id ~ '^[0-9a-z]{8,32}$'),
  secret_hash bytea       not null check (length(secret_hash) = 32), -- SHA-256 of 32 random bytes: nothing to guess
  name        text        not null check (length(name) between 1 and 64),
  scopes      text[]      not null,
  user_id     integer     references meta.users (id), -- it speaks as this user only; null: no person of its own
  created     timestamptz not null default now(),
  created_by  text        not null,
  expires     timestamptz,
  revoked     timestamptz,
  revoked_by  text,
  last_used   timestamptz -- to the minute
);

-- Every event in one order. Written from the outbox by one db-proxy at a time, so numbers appear in their order.
create table meta.event (
  seq             bigint      generated always as identity primary key,
  conversation_id bigint      not null,
  msg_id          integer     not null,
  at              timestamptz not null default now(),
  unique (conversation_id, msg_id)
);
create index event_at on meta.event (at);
create table meta.event_gone (up_to bigint not null); -- these and earlier ones have left the log
insert into meta.event_gone values (0);

create table meta.webhook (
  id          text        primary key,
  url         text        not null,
  secret      text        not null, -- signs what is sent, so it has to be readable
  user_id     integer     references meta.users (id),
  with_bodies boolean     not null,
  active      boolean     not null default true,
  created     timestamptz not null default now(),
  key_id      text        references meta.api_key (id),
  last_error  text
);

-- A conversation on its way to a webhook: told up to `told`, to be told up to `head`. One is out at a time.
create table meta.webhook_lane (
  webhook_id      text        not null references meta.webhook (id) on delete cascade,
  conversation_id bigint      not null,
  told            integer     not null,
  head            integer     not null,
  attempts        integer     not null default 0,
  due             timestamptz not null default now(), -- not before
  claim           uuid,
  touched         timestamptz not null default now(),
  primary key (webhook_id, conversation_id)
);
create index webhook_lane_due on meta.webhook_lane (webhook_id, due) where told < head;

-- What was given up. `due` is set while it is being delivered once more.
create table meta.webhook_dead (
  id              bigint      generated always as identity primary key,
  webhook_id      text        not null references meta.webhook (id) on delete cascade,
  conversation_id bigint      not null,
  from_msg_id     integer     not null,
  to_msg_id       integer     not null,
  error           text        not null,
  at              timestamptz not null default now(),
  due             timestamptz,
  claim           uuid
);
create index webhook_dead_webhook on meta.webhook_dead (webhook_id, id);
create index webhook_dead_due on meta.webhook_dead (due) where due is not null;

-- What a key of idempotency stood for, for a day.
create table meta.api_request (
  key_hash     bytea       primary key check (length(key_hash) = 32),
  request_hash bytea       not null check (length(request_hash) = 32),
  at           timestamptz not null default now()
);
create index api_request_at on meta.api_request (at);
