-- The lowest msg_id that retention has left; head + 1 when it left none. What is below was there once: ids are never
-- given again, and a hole in a conversation is a fault while a beginning that is gone is not.
alter table shard.conversation add column first_kept integer not null default 1;
