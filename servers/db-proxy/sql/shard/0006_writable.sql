-- What shard.writable says stays the same. It stands before every commit, and a commit at low load carries one message: two
-- queries over sets were a quarter of what such a commit cost PostgreSQL. Assignments run without a query; a few buckets
-- are looked up one by one, many together.
create or replace function shard.writable(wanted smallint[]) returns boolean language plpgsql volatile as $$
declare
  elsewhere smallint[];
  one       smallint;
  lock_got  text; -- nothing in it: a void function can be assigned, but not called without a query
begin
  foreach one in array wanted loop
    lock_got := pg_advisory_xact_lock_shared(hashtext('shard.bucket'), one);
  end loop;
  if cardinality(wanted) <= 4 then
    foreach one in array wanted loop
      if not exists (select from shard.bucket where bucket = one and state = 'open') then
        elsewhere := elsewhere || one;
      end if;
    end loop;
  else
    select array_agg(w) into elsewhere from unnest(wanted) w
     where not exists (select from shard.bucket where bucket = w and state = 'open');
  end if;
  if elsewhere is not null then
    raise exception 'buckets that are not open here: %', elsewhere using errcode = 'TT001', detail = array_to_string(elsewhere, ',');
  end if;
  return true;
end $$;
