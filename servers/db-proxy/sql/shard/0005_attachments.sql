-- What lies beside a message because it is large and rarely wanted: the sound of voice messages. Lists, unread counts and
-- pushes read shard.message only. Both are sealed under the data key that the message's row names, and written, sealed
-- anew, moved and removed together with it. Rows of before have all of their message in shard.message.
create table shard.attachment (
  bucket          smallint not null,
  conversation_id bigint   not null,
  msg_id          integer  not null,
  sealed          bytea    not null, -- as in shard.message
  primary key (bucket, conversation_id, msg_id)
);
alter table shard.attachment alter column sealed set storage external; -- cipher text does not compress

-- `sealed` is only the seconds of a voice message then, and not null costs texts a byte where null would cost eight.
alter table shard.message add column attached boolean not null default false;
