import type { Peer } from '../../common/net/peers.js';
import { server, transfer } from '../../common/pdu/commands.js';
import { answer, commandTable } from '../../common/server/command-table.js';
import * as files from './handlers/file.js';
import type { TransferContext } from './transfer/course.js';

/** What msg servers ask. */
export const fromMsgServers = commandTable<TransferContext, Peer>([
  answer(transfer.makeTask, files.makeTask),
  answer(server.fileAddresses, files.addresses),
]);
