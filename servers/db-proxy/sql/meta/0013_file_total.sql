-- The bytes of all files and of what uploads under way may become, so that the quota need not add them up. Whoever changes
-- them takes one row, mostly not the one that others wait for; the sum of all rows counts.
create table meta.file_total (
  slot  integer primary key,
  bytes bigint  not null
);
insert into meta.file_total (slot, bytes)
select slot, case when slot > 0 then 0 else
         coalesce((select sum(size) from meta.blob), 0)
         + coalesce((select sum(size_max) from meta.upload where removing is null), 0) end
  from generate_series(0, 15) as slot;
