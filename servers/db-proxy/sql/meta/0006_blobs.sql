-- Files at rest: which sealed objects there are, by which names, and what is being uploaded. The objects themselves are
-- in a folder or in S3 (servers/file/blobs), named by the id here and nothing else.

-- The key of each file is sealed under a data key of the bucket that the first byte of its id names.
create table meta.upload (
  id         bytea       primary key check (length(id) = 16), -- the id of the blob to be
  key_id     integer     not null references meta.data_key (id),
  file_key   bytea       not null,
  size_max   bigint      not null check (size_max >= 0),
  user_id    integer,
  detail     bytea,
  holder     text        not null, -- the file server that may write it until …
  held_until timestamptz not null,
  created    timestamptz not null default now(),
  touched    timestamptz not null default now(),
  removing   timestamptz -- given up; the row goes when the object is gone
);
create index upload_touched on meta.upload (touched);
create index upload_key on meta.upload (key_id);
create index upload_user on meta.upload (user_id) include (size_max) where removing is null;

create table meta.blob (
  id       bytea       primary key,
  sha256   bytea       not null check (length(sha256) = 32), -- of the plain content
  size     bigint      not null check (size >= 0),
  key_id   integer     not null references meta.data_key (id),
  file_key bytea       not null,
  created  timestamptz not null default now(),
  removing timestamptz -- nobody refers to it any more; the row goes when the object is gone
);
create unique index blob_content on meta.blob (sha256) where removing is null;
create index blob_removing on meta.blob (removing) where removing is not null;
create index blob_key on meta.blob (key_id);

-- Names. One content may have many; `made_of`: a picture made of that blob, which goes with it.
create table meta.file (
  kind       text        not null check (kind ~ '^[a-z]{1,16}$'),
  name       text        not null check (length(name) between 1 and 256),
  blob_id    bytea       not null references meta.blob (id),
  made_of    bytea       references meta.blob (id) on delete cascade,
  user_id    integer,
  size       bigint      not null,
  file_name  text        not null check (length(file_name) <= 255),
  media_type text        not null check (length(media_type) <= 127),
  created    timestamptz not null default now(),
  expires    timestamptz,
  primary key (kind, name)
);
create index file_blob on meta.file (blob_id);
create index file_made_of on meta.file (made_of) where made_of is not null;
create index file_user on meta.file (user_id) include (size) where user_id is not null;
create index file_expires on meta.file (expires) where expires is not null;
create index file_created on meta.file (kind, created);

-- How long files are kept, by kind. A kind without a row: for ever.
create table meta.file_rule (
  kind text    primary key,
  days integer not null check (days > 0)
);
