/** What is computed, not looked up: ids and places of conversations, the text cipher, error codes, bounds. */
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import {
  bucketOf,
  groupConversation,
  groupOf,
  isGroupConversation,
  isGroupId,
  isUserId,
  singleConversation,
  userBucketOf,
  usersOf,
} from '../../common/conversation.js';
import { type ErrorCode, ImError, isErrorCode } from '../../common/errors.js';
import * as limits from '../../common/limits.js';
import { clientConnectionLimits } from '../../common/net/connection.js';
import { linkConnectionLimits } from '../../common/net/link.js';
import { HEADER_SIZE } from '../../common/pdu/header.js';
import { decryptText, encryptText } from '../../common/text-cipher.js';

const USER_ID_MAX = 2 ** 30 - 1;
const GROUP_ID_MAX = 2 ** 31 - 1;
const INT8_MAX = 2n ** 63n - 1n;

/** Small ids, which tests use, as well as all of them. */
const userId = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: USER_ID_MAX }));
const groupId = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: GROUP_ID_MAX }));
const pair = fc.tuple(userId, userId).filter(([a, b]) => a !== b);

t.test('conversation ids', async (t) => {
  t.test('are the same from both sides, and say whose they are', async () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const id = singleConversation(a, b);
        const [smaller, larger] = usersOf(id);
        return (
          id === singleConversation(b, a) &&
          smaller === Math.min(a, b) &&
          larger === Math.max(a, b) &&
          !isGroupConversation(id)
        );
      }),
    );
    fc.assert(
      fc.property(groupId, (group) => {
        const id = groupConversation(group);
        return groupOf(id) === group && isGroupConversation(id);
      }),
    );
  });

  t.test('belong to one pair or one group only', async () => {
    const named = fc.oneof(
      pair.map(([a, b]) => ({ name: `users ${Math.min(a, b)} ${Math.max(a, b)}`, id: singleConversation(a, b) })),
      groupId.map((group) => ({ name: `group ${group}`, id: groupConversation(group) })),
    );
    fc.assert(fc.property(named, named, (one, other) => (one.id === other.id) === (one.name === other.name)));
    fc.assert(
      fc.property(fc.array(named, { minLength: 50, maxLength: 500 }), (all) => {
        return new Set(all.map(({ id }) => id)).size === new Set(all.map(({ name }) => name)).size;
      }),
      { numRuns: 50 },
    );
  });

  t.test('fit into an int8 of PostgreSQL', async (t) => {
    for (const id of [singleConversation(USER_ID_MAX - 1, USER_ID_MAX), groupConversation(GROUP_ID_MAX)]) {
      t.ok(id > 0n && id <= INT8_MAX);
    }
  });

  t.test('are not made from what is no id', async (t) => {
    for (const id of [0, -1, 1.5, USER_ID_MAX + 1, 2 ** 32 + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.notOk(isUserId(id), `${id}`);
      t.throws(() => singleConversation(1, id));
      t.throws(() => singleConversation(id, 1));
    }
    t.throws(() => singleConversation(5, 5), 'nobody talks to himself');
    for (const id of [0, -1, 1.5, GROUP_ID_MAX + 1, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.notOk(isGroupId(id), `${id}`);
      t.throws(() => groupConversation(id));
    }
    t.ok(isUserId(1) && isUserId(USER_ID_MAX) && isGroupId(1) && isGroupId(GROUP_ID_MAX));
  });
});

t.test('ids and buckets as they are stored', async (t) => {
  // Never to be changed: rows of running clusters are where these functions once said.
  const single = singleConversation;
  const group = groupConversation;
  const conversations = [
    [single(1, 2), 4294967298n, 16],
    [single(1, 3), 4294967299n, 183],
    [single(2, 3), 8589934595n, 96],
    [single(7, 1_000), 30064772072n, 44],
    [single(1_000, 1_001), 4294967297001n, 239],
    [single(123_456, 654_321), 530239483149297n, 128],
    [single(1, USER_ID_MAX), 5368709119n, 17],
    [single(USER_ID_MAX - 1, USER_ID_MAX), 4611686010911195135n, 67],
    [group(1), 4611686018427387905n, 221],
    [group(2), 4611686018427387906n, 145],
    [group(3), 4611686018427387907n, 186],
    [group(1_000), 4611686018427388904n, 127],
    [group(123_456), 4611686018427511360n, 115],
    [group(GROUP_ID_MAX), 4611686020574871551n, 66],
  ] as const;
  for (const [computed, id, bucket] of conversations) {
    t.equal(computed, id);
    t.equal(bucketOf(id), bucket, `bucket of ${id}`);
  }
  const users = [
    [1, 183],
    [2, 6],
    [3, 39],
    [300, 208],
    [1_000, 88],
    [123_456, 203],
    [USER_ID_MAX, 160],
  ] as const;
  for (const [id, bucket] of users) t.equal(userBucketOf(id), bucket, `bucket of user ${id}`);
  t.equal(limits.BUCKETS, 256);
});

t.test('conversations spread evenly over the buckets', async (t) => {
  const COUNT = 100_000;
  const counting = function* (make: (i: number) => bigint | number) {
    for (let i = 1; i <= COUNT; i++) yield make(i);
  };
  const everyPair = function* () {
    for (let larger = 2, made = 0; ; larger++) {
      for (let smaller = 1; smaller < larger; smaller++, made++) {
        if (made === COUNT) return;
        yield singleConversation(smaller, larger);
      }
    }
  };
  const kinds: [string, Iterable<bigint | number>][] = [
    ['groups, one after the other', counting((i) => groupConversation(i))],
    ['every thousandth group', counting((i) => groupConversation(i * 1_000))],
    ['one user with many', counting((i) => singleConversation(1, i + 1))],
    ['neighbours', counting((i) => singleConversation(i, i + 1))],
    ['everybody with everybody', everyPair()],
    ['users, one after the other', counting((i) => i)],
  ];
  for (const [kind, ids] of kinds) {
    const buckets = new Array<number>(limits.BUCKETS).fill(0);
    for (const id of ids) {
      const bucket = typeof id === 'bigint' ? bucketOf(id) : userBucketOf(id);
      buckets[bucket] = buckets[bucket]! + 1;
    }
    const expected = COUNT / limits.BUCKETS;
    const chiSquare = buckets.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    t.equal(buckets.length, limits.BUCKETS, 'no bucket that does not exist');
    // 255 degrees of freedom: 255 on average, standard deviation 22.6. Chance is above 400 once in 10^8 times.
    t.ok(chiSquare < 400, `${kind}: ${chiSquare.toFixed(0)}`);
  }
});

t.test('text cipher', async (t) => {
  t.test('as the clients write it', async (t) => {
    // Made by running the original library.
    const examples: Record<string, string> = {
      a: '8+lyaGSNdKxdsEEADyYxvw==',
      hello: 'nnZSBwfPCz60q69ddmfIJA==',
      '[语音]': 'QhGXlpFjvMFUNrtl1aaPzA==',
      '0123456789ab': 'pjioVtcJuh77LuSiew7aJw==',
      '0123456789abc': 'TAzR6N1CfvlADH+XckBekQr+GZ43+2mMfQMFqTsGBjY=',
      '0123456789abcdef': 'BY1wZOT9JPljcE5qNjw9cQfU6OB7fpsvZh6GP3dYB9g=',
      '你好，TeamTalk': 'kCh1sJcqHYpN+vj969iDKnX/avQ3sKqrBkV4r0JiyLI=',
      '\0\0': 'jQQDRDLmFjSC++T92+441A==',
      '&$#@~^@[{:http://127.0.0.1:8700/g0/000/000/1_2_300x200.jpg:}]&$~@#@':
        'dgjzZcuwYVvgiMtBlzoa8eN8fHjZTwqiCiw3dkhroNnD5igSBtZJyCg85ThckDagc7UcMd+fRrbUvWbxk72YHX/2hXvZLevQwa7LsHDboHY=',
    };
    for (const [text, encrypted] of Object.entries(examples)) {
      t.equal(encryptText(text).toString('latin1'), encrypted, JSON.stringify(text));
      t.equal(decryptText(Buffer.from(encrypted)), text);
      t.equal(decryptText(Buffer.from(encrypted.replace(/(.{7})/g, '$1\r\n'))), text, 'broken into lines');
    }
  });

  t.test('any text comes back', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 80 }));
    fc.assert(
      fc.property(text, (text) => {
        const encrypted = encryptText(text);
        const blocks = Math.ceil((Buffer.byteLength(text) + 4) / 16);
        return (
          decryptText(encrypted) === text &&
          /^[\w+/]+={0,2}$/.test(encrypted.toString()) &&
          encrypted.length === Math.ceil((blocks * 16) / 3) * 4
        );
      }),
      { numRuns: 500 },
    );
  });

  t.test('what is no such text is undefined', async (t) => {
    for (const nonsense of ['', '====', 'no base64?!', 'AAAA', 'nnZSBwfPCz60q69ddmfIJA', '\0\0\0\0', '你好']) {
      const bytes = Buffer.from(nonsense);
      // Padding that is missing is forgiven: the bytes are all there.
      t.equal(decryptText(bytes), nonsense.startsWith('nnZ') ? 'hello' : undefined, JSON.stringify(nonsense));
    }
    t.equal(decryptText(Buffer.alloc(64)), undefined);
    const blockThatSays = (length: number) => {
      const cipher = createCipheriv('aes-256-ecb', '12345678901234567890123456789012', null).setAutoPadding(false);
      const block = Buffer.alloc(16, 'x');
      block.writeUInt32BE(length, 12);
      return Buffer.from(cipher.update(block).toString('base64'));
    };
    t.equal(decryptText(blockThatSays(12)), 'x'.repeat(12));
    for (const length of [13, 16, 17, 2 ** 32 - 1]) t.equal(decryptText(blockThatSays(length)), undefined, `${length}`);
    // A block under another key ends in a length that is too large; by chance it does not, once in 10^8 times.
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => decryptText(bytes) === undefined));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (block) => {
        return decryptText(Buffer.from(Buffer.from(block).toString('base64'))) === undefined;
      }),
    );
  });
});

t.test('errors', async (t) => {
  const retry: Record<ErrorCode, boolean> = {
    BAD_REQUEST: false,
    NOT_ALLOWED: false,
    NO_SUCH_USER: false,
    NO_SUCH_GROUP: false,
    NO_SUCH_DEPARTMENT: false,
    NAME_TAKEN: false,
    CONFLICT: false,
    NOT_EMPTY: false,
    NOT_A_MEMBER: false,
    SEND_ID_REUSED: false,
    NO_SUCH_UPLOAD: false,
    NO_SUCH_FILE: false,
    WRONG_OFFSET: false,
    UPLOAD_IN_USE: true,
    FILE_TOO_LARGE: false,
    QUOTA_EXCEEDED: false,
    FILE_REFUSED: false,
    STORE_FULL: true,
    FILE_DAMAGED: false,
    TOO_FAST: true,
    BUSY: true,
    TIMEOUT: true,
    NO_LINK: true,
    STORE_UNAVAILABLE: true,
    DIRECTORY_UNAVAILABLE: true,
    INTERNAL: false,
  };
  for (const [code, again] of Object.entries(retry)) {
    t.ok(isErrorCode(code), code);
    const cause = new Error('why');
    const error = new ImError(code as ErrorCode, 'it', { cause });
    t.match(error, { name: 'ImError', code, message: `${code}: it`, detail: 'it', retry: again, cause });
    t.ok(error instanceof Error);
  }
  for (const text of ['', 'busy', 'OTHER', 'toString', 'constructor', '__proto__']) t.notOk(isErrorCode(text), text);
});

t.test('bounds go together', async (t) => {
  const {
    FRAME_SIZE_MAX,
    LINK_FRAME_SIZE_MAX,
    ANDROID_FRAME_SIZE_MAX,
    MESSAGE_SIZE_MAX,
    HISTORY_PAGE_MAX,
    MESSAGES_BY_ID_MAX,
    USERS_ASKED_MAX,
    GROUP_MEMBERS_MAX,
  } = limits;
  /** A number of protobuf with its tag, and what else a message says about itself. */
  const NUMBER = 6;
  const FIELDS = 64;
  t.ok(MESSAGE_SIZE_MAX + FIELDS + HEADER_SIZE < FRAME_SIZE_MAX, 'a message fits into a frame of a client');
  t.ok(MESSAGE_SIZE_MAX + FIELDS + HEADER_SIZE < ANDROID_FRAME_SIZE_MAX, 'and into one for Android');
  t.ok(FRAME_SIZE_MAX + FIELDS < LINK_FRAME_SIZE_MAX, 'what a client may send fits through a link');
  const page = Math.max(HISTORY_PAGE_MAX, MESSAGES_BY_ID_MAX) * (MESSAGE_SIZE_MAX + FIELDS);
  t.ok(page < LINK_FRAME_SIZE_MAX, 'so does a page of the largest messages');
  t.ok(Math.max(USERS_ASKED_MAX, GROUP_MEMBERS_MAX) * NUMBER < FRAME_SIZE_MAX, 'so do lists of ids');
  t.ok(clientConnectionLimits.frameSizeMax === FRAME_SIZE_MAX);
  t.ok(clientConnectionLimits.sendQueueMax > 2 * FRAME_SIZE_MAX, 'a large frame makes nobody a slow reader');
  t.ok(linkConnectionLimits.frameSizeMax === LINK_FRAME_SIZE_MAX);
  t.ok(linkConnectionLimits.sendQueueMax > 2 * LINK_FRAME_SIZE_MAX);
  for (const [name, value] of Object.entries(limits)) t.ok(Number.isSafeInteger(value) && value > 0, name);
});
