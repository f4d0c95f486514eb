-- Log-ins in the order in which they were decided, by one counter for all db-proxies: of two sessions of a device class
-- the one with the smaller number has to go. Clocks of several machines could not tell which that is.
create sequence meta.login_number;

-- What the phones of a user have of the directory, as the change stamps of the last answers. Android asks for what has
-- changed since a time of its own clock, which may be ahead of ours.
create table meta.directory_sync (
  user_id     integer  not null references meta.users (id),
  class       smallint not null, -- 2: mobile
  users       bigint   not null default 0,
  departments bigint   not null default 0,
  primary key (user_id, class)
);

-- Where the night of a user is, as an IANA name; null: where the settings say.
alter table meta.users add column time_zone text;
