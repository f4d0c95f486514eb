import { ANDROID_FRAME_SIZE_MAX } from '../../common/limits.js';
import { type Codec, type Command, encodeFrame } from '../../common/pdu/command.js';
import { type Frame, HEADER_SIZE } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import type { Session } from './session.js';

const { CLIENT_TYPE_ANDROID } = IM.BaseDefine.ClientType;

/** Tag and length of an entry, at most. */
const ENTRY_EXTRA = 6;
/** The numbers beside the list, at most. */
const REST_MAX = 64;

/**
 * Android breaks a connection that brings a frame over 400 KiB. What does not fit goes to it in parts: the first as the
 * answer, further ones as pushes, which it handles by their command as it does the answer. The other clients have no
 * limit, and want it whole.
 */
export function inParts<Name extends string, Entry, In, Out extends In & { readonly [K in Name]: readonly Entry[] }>(
  answer: Command<In, Out>,
  list: Name,
  entry: Codec<Entry, unknown>,
): (session: Session, reply: Frame) => Buffer[] | undefined {
  return (session, reply) => {
    if (session.clientType !== CLIENT_TYPE_ANDROID || reply.bytes.length <= ANDROID_FRAME_SIZE_MAX) return undefined;
    const whole = answer.codec.decode(reply.body);
    const parts: Entry[][] = [];
    let left = 0;
    for (const each of whole[list]) {
      const size = entry.encode(each).len + ENTRY_EXTRA;
      if (size > left) {
        parts.push([]);
        left = ANDROID_FRAME_SIZE_MAX - HEADER_SIZE - REST_MAX;
      }
      parts.at(-1)!.push(each);
      left -= size;
    }
    return parts.map((part) => encodeFrame(answer, 0, { ...whole, [list]: part }));
  };
}
