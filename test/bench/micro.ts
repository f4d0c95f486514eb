/**
 * What the small parts cost, each by itself: `npm run bench:micro [part of a name]`. Nanoseconds of one thread for each
 * operation, the best and the middle of nine rounds; on a shared machine the best one says more.
 */
import { randomBytes } from 'node:crypto';
import { pushFrame } from '../../common/chat/message.js';
import { singleConversation } from '../../common/conversation.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { cluster, message } from '../../common/pdu/commands.js';
import { nothingPending, takeFrames } from '../../common/pdu/framing.js';
import { Frame } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import { decryptText, encryptText } from '../../common/text-cipher.js';
import { Nonces, openBody, sealBody } from '../../servers/db-proxy/storage/sealing.js';
import { Deliveries } from '../../servers/msg/deliveries.js';
import { RecentSends } from '../../servers/msg/recent-sends.js';
import { Subjects } from '../../servers/route/subjects.js';

const ROUNDS = 9;
const ROUND_MS = 60;
const { MsgType } = IM.BaseDefine;

const wanted = process.argv[2] ?? '';
const rows: { readonly part: string; readonly best: number; readonly middle: number }[] = [];

/** @param work one operation, or `each` of them at once */
function measure(part: string, work: () => unknown, each = 1): void {
  if (!part.includes(wanted)) return;
  const run = (times: number) => {
    const startedNs = process.hrtime.bigint();
    for (let i = 0; i < times; i++) work();
    return Number(process.hrtime.bigint() - startedNs);
  };
  let times = 1;
  while (run(times) < ROUND_MS * 1e6) times *= 2; // and warm by then
  const ns = Array.from({ length: ROUNDS }, () => run(times) / times / each).sort((a, b) => a - b);
  rows.push({ part, best: ns[0]!, middle: ns[ROUNDS >> 1]! });
}

const said = encryptText('a message of some sixty bytes, as people write to each other');
const draft = { fromUserId: 1, toSessionId: 2, msgType: MsgType.MSG_TYPE_SINGLE_TEXT, msgData: said };
const stored = { msgId: 1_000, createTimeMs: Date.now() };
const sent = encodeFrame(message.data, 7, { ...draft, msgId: 0, createTime: 0 });
const many = Buffer.concat(Array.from({ length: 400 }, () => sent));
const ask = { ...draft, sendId: randomBytes(16), sessionType: IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE };
const asked = encodeFrame(cluster.storeMessage, 7, ask).subarray(16);

measure('framing: a frame out of a read of 400', () => takeFrames(nothingPending, many), 400);
measure('framing: a frame that comes alone', () => takeFrames(nothingPending, sent));
measure('codec: IMMsgData, decode', () => message.data.codec.decode(sent.subarray(16)));
measure('codec: IMMsgData, a whole frame', () => pushFrame(draft, stored));
measure('codec: IMStoreMsgReq, a whole frame', () => encodeFrame(cluster.storeMessage, 7, ask));
measure('codec: IMStoreMsgReq, decode', () => cluster.storeMessage.codec.decode(asked));

const table = commandTable([hear(message.data, () => undefined)]);
const frame = new Frame(sent);
measure('dispatch: a command to its handler', () => table.get(frame.command)!.run(undefined, undefined, frame));

const key = randomBytes(32);
const nonces = new Nonces();
const bound = { conversationId: singleConversation(1, 2), msgId: 1_000, senderId: 1 };
for (const size of [100, 1_024, 16_384]) {
  const body = randomBytes(size);
  const sealed = Buffer.concat(sealBody(key, 1, nonces.next(), bound, body));
  measure(`seal: ${size} bytes`, () => sealBody(key, 1, nonces.next(), bound, body));
  measure(`open: ${size} bytes`, () => openBody(key, 1, bound, sealed));
}
measure('text cipher of TeamTalk: decrypt 64 bytes', () => decryptText(said));

let id = 0;
const deliveries = new Deliveries();
measure('deliveries: a message that is new', () => deliveries.first(bound.conversationId, ++id));
const sends = new RecentSends();
const sendId = randomBytes(16);
measure('resends: a message that is none', () => sends.recall(++id, 2, 1, said, id, () => sendId));
const subjects = new Subjects();
const peers = Array.from({ length: 4 }, (_, i) => ({ name: `msg-${i}` }) as never);
for (let user = 1; user <= 100_000; user++) subjects.add(peers[user % 4]!, [user], []);
measure('subjects: who cares about two of 100,000', () => subjects.interested([(++id % 100_000) + 1, 5]));

const width = Math.max(...rows.map(({ part }) => part.length));
process.stdout.write(`${''.padEnd(width)}    best   middle  ns\n`);
for (const { part, best, middle } of rows)
  process.stdout.write(`${part.padEnd(width)} ${best.toFixed(0).padStart(7)} ${middle.toFixed(0).padStart(8)}\n`);
