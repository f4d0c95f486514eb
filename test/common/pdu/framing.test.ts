/** Bytes to frames and back: TCP may cut anywhere, and a stranger may send anything. */
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { ImError } from '../../../common/errors.js';
import { FRAME_SIZE_MAX } from '../../../common/limits.js';
import { type Ask, type Command, decodeBody, encodeFrame } from '../../../common/pdu/command.js';
import * as subjects from '../../../common/pdu/commands.js';
import { type Breach, nothingPending, type Pending, takeFrames } from '../../../common/pdu/framing.js';
import { Frame, frameOf, HEADER_SIZE, serviceOf, withSeq } from '../../../common/pdu/header.js';
import { IM } from '../../../common/pdu/pb.js';

const { message, other } = subjects;

interface Fed {
  readonly frames: Buffer[];
  /** Bytes that wait for more, or what was wrong. */
  readonly left: number | Breach;
}

/** What comes out when the chunks come in one after the other. A breach ends it, as it ends a connection. */
function feed(chunks: Iterable<Buffer>, frameSizeMax?: number): Fed {
  const frames: Buffer[] = [];
  let pending: Pending = nothingPending;
  for (const chunk of chunks) {
    const taken = takeFrames(pending, chunk, frameSizeMax);
    for (const frame of taken.frames) frames.push(Buffer.from(frame.bytes));
    if ('breach' in taken) return { frames, left: taken.breach };
    pending = taken.pending;
  }
  return { frames, left: pending.size };
}

/** The bytes cut into pieces of these sizes, over and over again. */
function* cut(bytes: Buffer, sizes: readonly number[]): Iterable<Buffer> {
  for (let start = 0, i = 0; start < bytes.length; i++) {
    const end = start + sizes[i % sizes.length]!;
    yield bytes.subarray(start, end);
    start = end;
  }
}

function same(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((bytes, i) => bytes.equals(b[i]!));
}

/** A header as the protocol's description has it, written out word by word. */
function handMade(length: number, command: number, seq: number, reserved: number, body = Buffer.alloc(0)): Buffer {
  const header = [
    ...[length >>> 24, length >>> 16, length >>> 8, length],
    ...[0, 1, 0, 0],
    ...[0, command >>> 8],
    ...[command >>> 8, command],
    ...[seq >>> 8, seq],
    ...[reserved >>> 8, reserved],
  ];
  return Buffer.concat([Buffer.from(header.map((byte) => byte & 0xff)), body]);
}

const uint16 = fc.integer({ min: 0, max: 0xffff });
const body = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const frame = fc.record({ command: uint16, seq: uint16, reserved: uint16, body });

t.test('every pair of cuts of a stream', async (t) => {
  const frames = [0, 1, 20, 0, 33].map((size, i) => frameOf(0x0301 + i, i, Buffer.alloc(size, 0xa0 + i)));
  const stream = Buffer.concat(frames);
  const wrong: string[] = [];
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
      const { frames: came, left } = feed(chunks);
      if (left !== 0 || !same(came, frames)) wrong.push(`${first}, ${second}: ${came.length} frames, ${left} left`);
    }
  }
  t.same(wrong, []);
});

t.test('any frames in any chunks come out equal, in order, with nothing left over', async () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 }),
      (list, sizes) => {
        const frames = list.map((it) => frameOf(it.command, it.seq, it.body, it.reserved));
        const { frames: came, left } = feed(cut(Buffer.concat(frames), sizes));
        return left === 0 && same(came, frames);
      },
    ),
    { numRuns: 500 },
  );
});

t.test('a frame comes with its last byte, not before and not later', async (t) => {
  const whole = frameOf(0x0301, 1, Buffer.alloc(20));
  let pending: Pending = nothingPending;
  for (let i = 0; i < whole.length; i++) {
    const taken = takeFrames(pending, whole.subarray(i, i + 1));
    t.equal(taken.frames.length, i === whole.length - 1 ? 1 : 0, `after ${i + 1} bytes`);
    if (!('pending' in taken)) throw new Error('a breach');
    pending = taken.pending;
  }
  t.same(feed([Buffer.alloc(0), whole, Buffer.alloc(0)]), { frames: [whole], left: 0 }, 'empty reads do no harm');
});

t.test('lengths that no honest peer sends', async (t) => {
  const good = [frameOf(0x0701, 1, Buffer.alloc(0)), frameOf(0x0301, 2, Buffer.alloc(50, 7))];
  const breaches = (t: Test, length: number, max: number | undefined, breach: Breach) => {
    const stream = Buffer.concat([...good, handMade(length, 0x0301, 3, 0), ...good]);
    for (const sizes of [[stream.length], [1], [16], [17, 3]]) {
      const { frames, left } = feed(cut(stream, sizes), max);
      t.equal(left, breach, `length ${length} in reads of ${sizes}`);
      t.ok(same(frames, good), 'the frames before it are given, those behind it are not');
    }
  };
  for (let length = 0; length < HEADER_SIZE; length++) breaches(t, length, undefined, 'length-too-small');
  for (const length of [FRAME_SIZE_MAX + 1, 2 ** 31, 2 ** 32 - 1]) breaches(t, length, undefined, 'length-too-large');
  breaches(t, 101, 100, 'length-too-large');

  const largest = frameOf(0x0301, 1, Buffer.alloc(FRAME_SIZE_MAX - HEADER_SIZE));
  t.ok(same(feed(cut(largest, [65_536])).frames, [largest]), 'a frame of just the limit is none of them');
  t.same(feed([handMade(100, 0x0301, 1, 0)], 100), { frames: [], left: HEADER_SIZE }, 'nor is one of a smaller limit');
});

t.test('no bytes make it throw, none are lost and none are made up', async () => {
  const piece = fc.oneof(
    frame.map((it) => frameOf(it.command, it.seq, it.body, it.reserved)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(fc.integer({ min: 0, max: 80 }), body).map(([length, bytes]) => handMade(length, 0x0301, 1, 0, bytes)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 200 }), (pieces, size) => {
      const stream = Buffer.concat(pieces);
      const { frames, left } = feed(cut(stream, [size]), 400);
      const given = Buffer.concat(frames);
      return (
        frames.every((bytes) => bytes.length >= HEADER_SIZE && bytes.length <= 400) &&
        given.equals(stream.subarray(0, given.length)) &&
        (typeof left === 'string' || given.length + left === stream.length)
      );
    }),
    { numRuns: 1000 },
  );
});

t.test('a large frame in small reads costs no more than a large frame', async (t) => {
  const concat = Buffer.concat;
  t.teardown(() => {
    Buffer.concat = concat;
  });
  let copied = 0;
  Buffer.concat = (list, size) => {
    const bytes = concat(list, size);
    copied += bytes.length;
    return bytes;
  };
  // The last number: how often a byte may be copied. Small reads are joined in pairs, large ones wait for the end.
  for (const [frameSize, readSize, timesMax] of [
    [256 * 1024, 1, 20],
    [256 * 1024, 7, 20],
    [512 * 1024, 1460, 8],
    [16 * 1024 * 1024, 65_536, 2],
  ] as const) {
    const whole = Buffer.alloc(frameSize, 5);
    whole.writeUInt32BE(frameSize);
    copied = 0;
    let pending: Pending = nothingPending;
    let waitingMax = 0;
    let frames = 0;
    for (const chunk of cut(whole, [readSize])) {
      const taken = takeFrames(pending, chunk, frameSize);
      frames += taken.frames.length;
      if (!('pending' in taken)) throw new Error('a breach');
      pending = taken.pending;
      waitingMax = Math.max(waitingMax, pending.chunks.length);
    }
    const what = `${frameSize} bytes in reads of ${readSize}`;
    t.equal(frames, 1, what);
    t.ok(copied <= timesMax * frameSize, `${what}: ${(copied / frameSize).toFixed(1)} copies`);
    t.ok(waitingMax <= 400, `${what}: ${waitingMax} chunks wait`);
  }
});

t.test('what waits does not hold on to the read it came in', async (t) => {
  const read = Buffer.concat([frameOf(0x0301, 1, Buffer.alloc(60_000)), Buffer.from([0, 0, 1])]);
  const taken = takeFrames(nothingPending, read);
  if (!('pending' in taken)) throw new Error('a breach');
  t.not(taken.pending.chunks[0]!.buffer, read.buffer);
});

t.test('the header says what was asked for', async (t) => {
  fc.assert(
    fc.property(frame, (it) => {
      const read = new Frame(frameOf(it.command, it.seq, it.body, it.reserved));
      t.same(
        [read.command, read.service, read.seq, read.reserved, Buffer.from(read.body)],
        [it.command, it.command >>> 8, it.seq, it.reserved, it.body],
      );
      t.ok(read.bytes.equals(handMade(HEADER_SIZE + it.body.length, it.command, it.seq, it.reserved, it.body)));
    }),
    { numRuns: 50 },
  );
  t.equal(serviceOf(0x0701), 7);
});

t.test('encodeFrame writes header and body as one', async (t) => {
  const ack = { userId: 1, sessionId: 300, msgId: 7, sessionType: IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE };
  const { IMMsgData } = IM.Message;
  const data = {
    fromUserId: 1,
    toSessionId: 2,
    msgId: 3,
    createTime: 1_700_000_000,
    msgType: IM.BaseDefine.MsgType.MSG_TYPE_SINGLE_TEXT,
    msgData: Buffer.alloc(0),
  };

  t.test('to the byte', async (t) => {
    const hex = (bytes: Buffer) => bytes.toString('hex');
    t.equal(hex(encodeFrame(other.heartbeat, 0, {})), '00000010000100000007070100000000');
    t.equal(
      hex(encodeFrame(message.ack, 42, ack)),
      '000000190001000000030302002a00000801' + '10ac0218072001',
      'as stock servers write it',
    );
  });
  t.test('for every number there may be', async (t) => {
    const wrong: number[] = [];
    for (let id = 0; id <= 0xffff; id += 7) {
      const bytes = encodeFrame({ ...other.heartbeat, id }, id * 3, {}, id * 5);
      if (!bytes.equals(handMade(HEADER_SIZE, id, id * 3, id * 5))) wrong.push(id);
    }
    t.same(wrong, []);
  });
  t.test('the same as a frame around the encoded body, whatever the size', async () => {
    const number = fc.integer({ min: 0, max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000, size: 'max' }), number, number, (msgData, seq, reserved) => {
        const it = { ...data, msgData };
        const encoded = encodeFrame(message.data, seq, it, reserved);
        const body = IMMsgData.encode(it).finish();
        return (
          encoded.equals(frameOf(0x0301, seq, body, reserved)) &&
          encoded.equals(handMade(HEADER_SIZE + body.length, 0x0301, seq, reserved, Buffer.from(body)))
        );
      }),
      { numRuns: 100 },
    );
  });
  t.test('seq and reserved wrap at 16 bits', async (t) => {
    for (const make of [
      (seq: number, reserved: number) => encodeFrame(other.heartbeat, seq, {}, reserved),
      (seq: number, reserved: number) => frameOf(0x0701, seq, Buffer.alloc(0), reserved),
    ]) {
      const read = (seq: number, reserved: number) => {
        const it = new Frame(make(seq, reserved));
        return [it.bytes.length, it.command, it.seq, it.reserved];
      };
      t.same(read(0x1_0000, 0x1_ffff), [16, 0x0701, 0, 0xffff]);
      t.same(read(0xffff, 0xffff), [16, 0x0701, 0xffff, 0xffff]);
      t.same(read(2 ** 31 + 5, -1), [16, 0x0701, 5, 0xffff]);
    }
  });
});

t.test('withSeq changes the seq of a copy and nothing else', async () => {
  fc.assert(
    fc.property(frame, fc.integer({ min: 0, max: 2 ** 20 }), (it, seq) => {
      const original = frameOf(it.command, it.seq, it.body, it.reserved);
      const before = Buffer.from(original);
      const changed = withSeq(original, seq);
      return original.equals(before) && changed.equals(frameOf(it.command, seq % 0x1_0000, it.body, it.reserved));
    }),
  );
});

t.test('a body that is not what the command says is a bad request', async (t) => {
  const cutShort = IM.Message.IMMsgDataAck.encode({ userId: 1, sessionId: 2, msgId: 3, sessionType: 1 })
    .finish()
    .subarray(0, -1);
  for (const bytes of [cutShort, Buffer.alloc(0), Buffer.from('ff', 'hex')]) {
    t.throws(() => decodeBody(message.ack, bytes), { name: 'ImError', code: 'BAD_REQUEST', message: /IMMsgDataAck/ });
  }
  fc.assert(
    fc.property(body, (bytes) => {
      try {
        decodeBody(message.data, bytes);
      } catch (error) {
        if (!(error instanceof ImError) || error.code !== 'BAD_REQUEST') throw error;
      }
    }),
  );
});

t.test('no two commands share a number, and each is named after its message', async (t) => {
  const names = new Map<number, string>();
  for (const [subject, commands] of Object.entries(subjects)) {
    for (const each of Object.values(commands) as (Command<never, unknown> &
      Partial<Ask<never, unknown, never, unknown>>)[]) {
      for (const { id, name, codec } of each.reply === undefined ? [each] : [each, each.reply]) {
        t.notOk(names.has(id), `0x${id.toString(16)} ${name} of ${subject} is not ${names.get(id)}`);
        t.equal((codec as unknown as { name: string }).name, name);
        names.set(id, name);
      }
    }
  }
  t.ok(names.size > 80);
});
