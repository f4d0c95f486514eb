-- What phones were told of and may still show: the newest message of a conversation, until the user has read it.
-- A row less is a notice that stays until the app is opened, or one that comes twice under one id.
create table meta.push_shown (
  user_id         integer not null references meta.users (id),
  conversation_id bigint  not null,
  msg_id          integer not null,
  at              timestamptz not null default now(),
  primary key (user_id, conversation_id)
);
