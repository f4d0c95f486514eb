import t from 'tap';
import { TestCluster } from '../../support/cluster.js';
import { caller } from '../../support/http.js';
import { testPostgres } from '../../support/postgres.js';

/** TeamTalk's own two calls, as its callers send and read them. */
const postgres = await testPostgres(t);
const newGroup = (app_key: string) => ({
  req_user_id: 0,
  app_key,
  group_name: 'All hands',
  group_type: 1,
  group_avatar: '',
  user_id_list: [1, 2],
});

t.test('groups are made and changed with a key, and clients hear of it', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
  const ask = caller(cluster.httpMsg[0]!.url);
  const key = await cluster.apiKey(['groups:write']);
  const alice = await cluster.login('alice');
  const made = await ask('POST', '/query/CreateGroup', newGroup(key));
  t.equal(made.text, '{\n   "error_code" : 0,\n   "error_msg" : "成功",\n   "group_id" : 1\n}\n', 'to the byte');
  t.equal(made.headers.get('content-type'), 'text/html;charset=utf-8');
  t.equal(made.headers.get('cache-control'), 'no-cache');
  const heard = new Promise<{ curUserIdList: number[]; userId: number }>((resolve) =>
    alice.on('groupChange', (it) => it.chgUserIdList.includes(3) && resolve(it)),
  );
  const change = { req_user_id: 0, app_key: key, group_id: 1, modify_type: 1, user_id_list: [3] };
  const added = await ask('POST', '/query/ChangeMembers', change);
  t.equal(added.text, '{\n   "error_code" : 0,\n   "error_msg" : "成功"\n}\n');
  t.match(await heard, { userId: 0, curUserIdList: [1, 2, 3] });
  const nowhere = await ask('POST', '/query/ChangeMembers', { ...change, group_id: 99 });
  t.match(nowhere.text, /"error_code" : 12,/, 'no such group is answered, not left waiting');
  const nobody = await ask('POST', '/query/CreateGroup', { ...newGroup(key), user_id_list: [77] });
  t.match(nobody.text, /"error_code" : 11,/);
});

t.test('what is wrong has a code', async (t) => {
  const cluster = await TestCluster.start(t, postgres, { httpMsg: {} });
  const ask = caller(cluster.httpMsg[0]!.url);
  const key = await cluster.apiKey(['groups:write']);
  const wrong: [string, unknown, number][] = [
    ['no JSON', 'nonsense', 1],
    ['a field is missing', { ...newGroup(key), group_name: undefined }, 1],
    ['a number as text', { ...newGroup(key), req_user_id: '0' }, 1],
    ['a type that is none', { ...newGroup(key), group_type: 3 }, 1],
    ['ids as one text', { ...newGroup(key), user_id_list: '1,2' }, 1],
    ['an unknown key', newGroup('asdfasdf'), 2],
    ['a key for other things', newGroup(await cluster.apiKey(['users:read'])), 5],
    ['a key of one person', newGroup(await cluster.apiKey(['groups:write'], 1)), 5],
  ];
  for (const [what, body, code] of wrong) {
    const answer = await ask('POST', '/query/CreateGroup', body);
    t.equal(answer.status, 200, what);
    t.match(answer.text, new RegExp(`"error_code" : ${code},`), what);
  }
  t.equal((await ask('GET', '/query/CreateGroup')).status, 404);
  t.equal((await ask('POST', '/query/Elsewhere', {})).status, 404);
});
