import t from 'tap';
import { fromClients } from '../../servers/msg/commands.js';
import { cheapHash, TestCluster } from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';
import {
  commandsOf,
  missingParts,
  readTranscripts,
  replay,
  type Seed,
  type SeedWorld,
  sameIds,
  setupWith,
  type Target,
} from '../support/transcript.js';

/**
 * What the original servers were recorded saying, replayed against a whole cluster: with both people on one msg
 * server, and spread over two. Scenarios that need a server which does not exist yet are listed as to come.
 */
const postgres = await testPostgres(t);

/** Answers and pushes: what a covered request brings about is covered as well. */
const known = new Set([...fromClients.values()].flatMap(({ command }) => [command.id, command.id + 1]));
const pushes = [0x0107, 0x0203, 0x020e, 0x020f, 0x0212, 0x0215, 0x0302, 0x0304, 0x040b, 0x0508, 0x0601, 0x0701];
/** Of the file server. */
const fileCommands = [0x0501, 0x0502, 0x0503, 0x0504, 0x0505];
for (const id of [...pushes, ...fileCommands]) known.add(id);

// They mostly wait for nothing to come.
t.jobs = 6;

for (const scenario of await readTranscripts()) {
  for (const msgServers of [1, 2]) {
    t.test(
      `${scenario.name} on ${msgServers} msg server${msgServers === 1 ? '' : 's'}`,
      { buffered: true },
      async (t) => {
        // The recorded calls of the HTTP interface carry a key of the original, which never looked at it.
        const httpMsg = { unkeyedQueries: true };
        // The original tells of who goes at once; a second later somebody who is just coming may be told of himself.
        const route = { goneMs: 0 };
        const cluster = await TestCluster.start(t, postgres, { msgServers, users: [], file: {}, httpMsg, route });
        const target: Target = {
          msg: cluster.msg,
          loginHttp: cluster.loginHttp,
          httpMsg: cluster.httpMsg[0]!.url,
          fileStore: cluster.file!.storeUrl,
          file: { host: '127.0.0.1', port: cluster.file!.running.ports.clients! },
        };
        const missing = [
          ...missingParts(scenario, target),
          ...[...commandsOf(scenario)].filter((id) => !known.has(id)).map((id) => `0x${id.toString(16)}`),
        ];
        if (missing.length > 0) return t.comment(`to come: ${scenario.name} needs ${missing.join(', ')}`);
        const report = await replay(scenario, target, { setup: setupWith(worldOf(cluster)), defects: 'refuse' });
        t.equal(report.verdict, 'equal', report.text);
      },
    );
  }
}

/** Each scenario has a cluster of its own, so it begins with nothing in it. */
function worldOf({ storage }: TestCluster): SeedWorld {
  return {
    async load(seed: Seed) {
      const passwordHash = await cheapHash(seed.password);
      await storage.departments.add(seed.departments.map(({ parent, ...each }) => ({ ...each, parentId: parent })));
      await storage.users.add(
        seed.users.map(({ department, sign_info: signInfo, ...each }) => ({
          ...each,
          departmentId: department,
          signInfo,
          passwordHash,
        })),
      );
      for (const group of seed.groups)
        await storage.groups.add({ ...group, creatorId: group.creator, type: 1, memberIds: group.members });
      return sameIds(seed);
    },
    async forgetFailedLogins() {},
  };
}
