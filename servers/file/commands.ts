import type { Peer } from '../../common/net/peers.js';
import { cluster, consoleView, server, transfer } from '../../common/pdu/commands.js';
import { answer, commandTable, hear } from '../../common/server/command-table.js';
import * as consoles from './handlers/console.js';
import * as files from './handlers/file.js';
import type { TransferContext } from './transfer/course.js';

/** What msg servers ask and tell. */
export const fromMsgServers = commandTable<TransferContext, Peer>([
  answer(transfer.makeTask, files.makeTask),
  answer(server.fileAddresses, files.addresses),
  hear(cluster.sessionAddresses, (ctx, told, peer) => ctx.sessionAddresses.heard(peer, told)),
]);

export const fromConsoles = commandTable<TransferContext, Peer>([
  answer(consoleView.fileServer, consoles.state),
  answer(consoleView.removal, consoles.remove),
]);
