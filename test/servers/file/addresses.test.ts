import t from 'tap';
import { LinkGroup } from '../../../common/net/link-group.js';
import { server } from '../../../common/pdu/commands.js';
import { commandTable } from '../../../common/server/command-table.js';
import { CLUSTER_SECRET, TestCluster, testLog } from '../../support/cluster.js';
import { testPostgres } from '../../support/postgres.js';

t.test('a file server says where clients reach it', async (t) => {
  const cluster = await TestCluster.start(t, await testPostgres(t), { file: { advertisedIp: 'files.example.com' } });
  const links = new LinkGroup({
    self: { role: 'msg', name: 'msg-by-hand' },
    role: 'file',
    secret: CLUSTER_SECRET,
    addresses: [{ host: '127.0.0.1', port: cluster.file!.running.ports.servers! }],
    askTimeoutMs: 5_000,
    asksMax: 1,
    log: testLog('msg-by-hand'),
    hears: commandTable<never, never>([]),
    ctx: undefined as never,
  });
  t.teardown(() => links.close());
  const { ipAddrList } = await links.ask(server.fileAddresses, {});
  t.match(ipAddrList, [{ ip: 'files.example.com', port: cluster.file!.running.ports.clients! }]);
});
