-- Conversations and their messages. The same tables on every shard; `bucket` leads every key, so that a bucket is one
-- range of each index and can be copied and dropped as such. Not partitioned: 256 list partitions cost 25 to 110 % more
-- PostgreSQL CPU per stored row (batches of 50), 16 partitions 8 to 22 %.

-- The buckets that live here. A move fences a bucket (nobody writes) and then takes it away (nobody reads); whoever
-- comes with an old map is refused by the two functions below, reads the map anew, and comes again.
create table shard.bucket (
  bucket smallint primary key,
  state  text not null default 'open' check (state in ('open', 'fenced'))
);

create function shard.readable(wanted smallint[]) returns boolean language plpgsql stable as $$
declare
  elsewhere smallint[];
begin
  select array_agg(w) into elsewhere from unnest(wanted) w where not exists (select from shard.bucket where bucket = w);
  if elsewhere is not null then
    raise exception 'buckets that are not here: %', elsewhere using errcode = 'TT001', detail = array_to_string(elsewhere, ',');
  end if;
  return true;
end $$;

-- Holds the buckets where they are until the calling transaction ends; `wanted` has no bucket twice. The hold is a
-- shared advisory lock, taken first; the state is then read by a statement of its own, so after whoever fenced the
-- bucket has committed. A lock on the row would do the same and cost a page write and WAL per bucket and batch.
create function shard.writable(wanted smallint[]) returns boolean language plpgsql volatile as $$
declare
  elsewhere smallint[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('shard.bucket'), w) from unnest(wanted) w;
  select array_agg(w) into elsewhere from unnest(wanted) w
   where not exists (select from shard.bucket where bucket = w and state = 'open');
  if elsewhere is not null then
    raise exception 'buckets that are not open here: %', elsewhere using errcode = 'TT001', detail = array_to_string(elsewhere, ',');
  end if;
  return true;
end $$;

-- Fencing a bucket, or taking it away, waits for everybody who holds it.
create function shard.wait_for_writers() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('shard.bucket'), old.bucket);
  return case tg_op when 'DELETE' then old else new end;
end $$;

create trigger wait_for_writers before update or delete on shard.bucket
  for each row execute function shard.wait_for_writers();

create table shard.conversation (
  bucket       smallint not null,
  id           bigint   not null,
  head         integer  not null default 0, -- the newest msg_id; the next message is head + 1
  head_time_ms bigint   not null default 0,
  -- How far the two users of a single conversation have read. Here and not in a table of their own because sending
  -- counts as reading: the head row moves with every message anyway, so this costs no second row.
  low_read     integer  not null default 0, -- the user with the smaller id
  high_read    integer  not null default 0,
  primary key (bucket, id)
) with (fillfactor = 70); -- room for updates on the same page, which then touch no index

create table shard.message (
  bucket          smallint not null,
  conversation_id bigint   not null,
  msg_id          integer  not null,
  sender_id       integer  not null,
  msg_type        smallint not null,
  create_time_ms  bigint   not null,
  key_id          integer  not null,
  send_id         bytea    not null,
  sealed          bytea    not null, -- nonce (12), AES-256-GCM cipher text, tag (16)
  primary key (bucket, conversation_id, msg_id)
);
alter table shard.message alter column sealed set storage external; -- cipher text does not compress
create unique index message_send_id on shard.message (bucket, conversation_id, sender_id, send_id);

-- How far each member of a group has read, own messages included.
create table shard.group_read (
  bucket          smallint not null,
  conversation_id bigint   not null,
  user_id         integer  not null,
  read_id         integer  not null,
  primary key (bucket, conversation_id, user_id)
) with (fillfactor = 70);

-- The conversations of a user, in the bucket of the user. Written when a conversation first appears for him, and then
-- at most once an hour: `active` is the last hour (hours since 1970) in which something happened there, so that a
-- device that comes back looks at the few that may have changed and not at all of them.
create table shard.user_conversation (
  bucket          smallint not null, -- of the user
  user_id         integer  not null,
  conversation_id bigint   not null,
  hidden_to       integer  not null default 0, -- removed from the list until a message after this one
  active          integer  not null default 0,
  primary key (bucket, user_id, conversation_id)
);
create index user_conversation_active on shard.user_conversation (bucket, user_id, active);

-- What is to be done because of a message, for everybody who registered for it (meta.outbox_consumer): written in the
-- message's own transaction, taken away when it is done. Done at least once, never lost.
create table shard.outbox (
  bucket          smallint not null,
  consumer        smallint not null,
  conversation_id bigint   not null,
  msg_id          integer  not null,
  claimed_until   timestamptz, -- somebody is at it until then
  primary key (bucket, consumer, conversation_id, msg_id)
);
create index outbox_consumer on shard.outbox (consumer, conversation_id, msg_id);
