import { createHash } from 'node:crypto';
import { isGroupType } from '../../common/chat/message.js';
import { consoleView } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import { decryptText } from '../../common/text-cipher.js';
import type { ExportInfo } from './api.js';
import type { AdminContext } from './context.js';

const { MsgType } = IM.BaseDefine;
const VOICE_SECONDS_SIZE = 4;

/** What a file came to. */
export interface ExportTotal {
  readonly messages: number;
  readonly bytes: number;
  readonly sha256: Buffer;
}

/**
 * The file of an export, a line of JSON each, made page by page while it is sent: what it is of, then every message in
 * the order of conversations, then how many there were and the SHA-256 of all lines before. Nothing of it is kept.
 */
export async function* exportLines(
  ctx: AdminContext,
  tokenHash: Buffer,
  info: ExportInfo,
  ended: (total: ExportTotal) => Promise<void>,
): AsyncGenerator<Buffer> {
  const lines = createHash('sha256');
  let [messages, bytes] = [0, 0];
  const put = (values: readonly object[]): Buffer => {
    const text = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    lines.update(text);
    bytes += text.length;
    return text;
  };
  yield put([headOf(info)]);
  let after: IM.Cluster.MissedPlace | undefined;
  do {
    const page = await ctx.dbProxies.ask(consoleView.exportPage, { tokenHash, id: info.id, after, taken: messages });
    messages += page.messageList.length;
    if (page.messageList.length > 0) yield put(page.messageList.map(lineOf));
    after = page.next ?? undefined;
  } while (after !== undefined);
  const whole = lines.copy();
  const end = Buffer.from(`${JSON.stringify({ type: 'end', messages, sha256: lines.digest('hex') })}\n`);
  // In the trail before the last line leaves: a file that is whole has been noted.
  await ended({ messages, bytes: bytes + end.length, sha256: whole.update(end).digest() });
  yield end;
}

function headOf({ id, caseNumber, reason, askedBy, decidedBy, ...info }: ExportInfo): object {
  const { userIds: users, groupIds: groups, withGroups } = info;
  const [from, to] = [info.fromMs, info.toMs].map((ms) => new Date(ms).toISOString());
  const about = { id, case: caseNumber, reason, askedBy, approvedBy: decidedBy ?? null };
  return { type: 'export', format: 1, ...about, users, groups, withGroups, from, to, made: new Date().toISOString() };
}

/** Pictures and files are addresses in the text, as clients wrote them; voice is here itself. */
function lineOf(message: IM.Cluster.StoredMessage): object {
  const { fromUserId: from, toSessionId: to, msgId: number, msgType, msgData } = message;
  const users = [Math.min(from, to), Math.max(from, to)];
  const conversation = isGroupType(msgType) ? { group: to } : { users };
  const whole = { type: 'message', conversation, number, at: new Date(message.createTimeMs).toISOString(), from };
  if (msgType !== MsgType.MSG_TYPE_SINGLE_AUDIO && msgType !== MsgType.MSG_TYPE_GROUP_AUDIO)
    return { ...whole, text: decryptText(msgData) ?? null };
  const voice = Buffer.from(msgData);
  const seconds = voice.length < VOICE_SECONDS_SIZE ? 0 : voice.readUInt32BE(0);
  return { ...whole, voice: { seconds, data: voice.subarray(VOICE_SECONDS_SIZE).toString('base64') } };
}
