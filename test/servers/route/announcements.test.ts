/** Who came and who went: told at once on a quiet system, together on a busy one, and flaps not at all. */
import t from 'tap';
import { Announcements } from '../../../servers/route/announcements.js';
import { until } from '../../support/until.js';

t.test('announcements', async (t) => {
  const here = new Set<number>();
  const told: (readonly number[])[] = [];
  const himself: number[] = [];
  const announcements = new Announcements({
    goneMs: 500,
    isHere: (userId) => here.has(userId),
    tell: (userIds) => told.push(userIds.map((id) => (here.has(id) ? id : -id))),
    tellHimself: (userId) => himself.push(userId),
  });
  t.teardown(() => announcements.close());
  const come = (userId: number) => {
    here.add(userId);
    announcements.came(userId);
  };
  const go = (userId: number) => {
    here.delete(userId);
    announcements.went(userId);
  };

  come(1);
  t.same(told.splice(0), [[1]], 'the first at once');
  for (let id = 2; id <= 500; id++) come(id);
  go(500);
  const atOnce = told.splice(0);
  t.ok(atOnce.length < 30 && atOnce.every((each) => each.length === 1), `${atOnce.length} more at once`);
  await until(() => told.flat().length >= 499 - atOnce.length, 'all the others');
  t.ok(told.length <= 3, `told in ${told.length} words`);
  const together = told.splice(0).flat();
  t.equal(together.length, 499 - atOnce.length, 'each once');
  t.ok(together.includes(-500), 'as each is by then');

  go(1);
  come(1);
  t.same(himself, [1], 'who is back hears it');
  go(2);
  await until(() => told.flat().includes(-2), 'who is really gone');
  t.notOk(
    told.flat().some((id) => Math.abs(id) === 1),
    'nobody else hears of who was back at once',
  );
});
