import type { Limits } from '../../../common/live/limits.js';
import type { Logger } from '../../../common/log.js';
import type { LinkGroup } from '../../../common/net/link-group.js';
import { file, transfer } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { Driver } from '../blobs/driver.js';
import type { BlobStore } from '../blobs/store.js';
import type { Sweeper } from '../blobs/sweeper.js';
import type { Scanner } from '../scan.js';
import type { SessionAddresses } from '../session-addresses.js';
import type { FileSettings } from '../settings.js';
import type { TransferCounters } from './counters.js';
import type { Party } from './party.js';

export type Transfer = IM.Cluster.Transfer;

/** What a transfer may reach. */
export interface TransferContext {
  readonly blobs: BlobStore;
  readonly dbProxies: LinkGroup;
  readonly sessionAddresses: SessionAddresses;
  readonly counters: TransferCounters;
  readonly settings: FileSettings;
  readonly limits: Limits<'file'>;
  /** Of this server, unique in the cluster. */
  readonly name: string;
  readonly driver: Driver;
  readonly scanner: Scanner;
  readonly sweeper: Sweeper;
  /** Where clients are told to connect. */
  readonly advertised: IM.BaseDefine.IpAddr.$Properties;
  readonly log: Logger;
}

/** What a transfer does with what its parties say. Messages are theirs by now: the task is theirs, the user is who logged in. */
export interface Course {
  joined(party: Party): void;
  pull(party: Party, asked: IM.File.IMFilePullDataReq, seq: number): void;
  block(party: Party, block: IM.File.IMFilePullDataRsp): void;
  state(party: Party, state: IM.BaseDefine.ClientFileState, seq: number): void;
  left(party: Party): void;
  /** Ended for good; nobody is let in any more. */
  readonly isOver: boolean;
  /** There may be room again for what waits. */
  pump(): void;
  /** Bytes of the file that are in memory besides what waits in connections. */
  readonly buffered: number;
}

/** How a transfer ended; what an operator wants to tell apart. */
export type Ending = 'done' | 'cancelled' | 'refused' | 'peer-gone' | 'failed';

/** The task is over: resolves when the db-proxies know of none any more, or cannot be told. */
export async function endTask(ctx: TransferContext, { taskId, fromUserId, toUserId }: Transfer): Promise<void> {
  try {
    await ctx.dbProxies.ask(transfer.end, { taskId });
  } catch (error) {
    ctx.log.warn({ fromUserId, toUserId, error }, 'an ended task stays until its time is over');
  }
}

/** There is nothing at that place of the file. Stock clients never ask for it. */
export function refusePull(party: Party, userId: number, offset: number, seq: number): void {
  const { taskId } = party;
  party.send(file.pullData.reply, seq, { resultCode: 1, taskId, userId, offset, fileData: new Uint8Array() });
  party.close('breach');
}
