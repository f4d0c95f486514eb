-- The ids of this table came from a sequence of its own, unlogged as the table is. A replica that is promoted before its
-- next restartpoint has nothing in such a sequence, and from then on nobody gets into the console ("bad magic number in
-- sequence"). One that is logged goes over with everything else.
alter table meta.admin_failure alter column id drop identity;
create sequence meta.admin_failure_id;
select setval('meta.admin_failure_id', coalesce((select max(id) from meta.admin_failure), 0) + 1, false);
alter table meta.admin_failure alter column id set default nextval('meta.admin_failure_id');
alter sequence meta.admin_failure_id owned by meta.admin_failure.id;
