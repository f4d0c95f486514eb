-- Devices that log in by a token in place of the password. Tokens are 32 random bytes, here only as SHA-256 digests.
create table meta.login_token (
  user_id     integer     not null references meta.users (id),
  device_id   text        not null, -- of the client's own making
  device_name text        not null,
  client_type smallint    not null,
  hash        bytea       not null unique, -- of the token in use
  next        bytea       unique,          -- handed out, and not used so far
  spent       bytea       unique,          -- the one before that in use: whoever still comes with it has stolen it
  created     timestamptz not null default now(),
  rotated     timestamptz not null default now(),
  used        timestamptz not null default now(),
  expires     timestamptz not null,
  primary key (user_id, device_id)
);
