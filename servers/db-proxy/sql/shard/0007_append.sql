-- Stores a message that comes alone, as most do at low load. A statement with a part for each table is planned once but set
-- up anew at every commit; in here each table has a small statement of its own, and none where there is nothing to do: 0.66
-- of the CPU without the commit, 0.8 with it. Messages that come together go by one statement over all of them, as ever.
-- False: the head was not where it was expected, and nothing is stored.
create function shard.append(
  place        smallint,
  conversation bigint,
  id           integer,
  time_ms      bigint,
  low          integer, -- how far the two users of a single conversation have read at least
  high         integer,
  sender       integer,
  type         smallint,
  data_key     integer,
  send         bytea,
  body         bytea,
  consumers    smallint[],
  in_group     boolean
) returns boolean language plpgsql volatile as $$
declare
  one smallint;
begin
  if not shard.writable(array[place]) then
    return false;
  end if;
  update shard.conversation c
     set head = append.id, head_time_ms = time_ms, low_read = greatest(low_read, low), high_read = greatest(high_read, high)
   where c.bucket = place and c.id = conversation and c.head = append.id - 1;
  if not found then
    return false;
  end if;
  insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed)
  values (place, conversation, append.id, sender, type, time_ms, data_key, send, body);
  if in_group then
    insert into shard.group_read (bucket, conversation_id, user_id, read_id) values (place, conversation, sender, append.id)
    on conflict (bucket, conversation_id, user_id) do update set read_id = greatest(group_read.read_id, excluded.read_id);
  end if;
  foreach one in array consumers loop
    insert into shard.outbox (bucket, consumer, conversation_id, msg_id) values (place, one, conversation, append.id);
  end loop;
  return true;
end $$;
