import type { LANGUAGES, TEXTS, WHILE_PC_ONLINE } from '../../common/live/push-settings.js';
import type { IM } from '../../common/pdu/pb.js';

/** What the administration may change while the server runs. */
export interface Manner {
  readonly text: (typeof TEXTS)[number];
  readonly language: (typeof LANGUAGES)[number];
  readonly whilePcOnline: (typeof WHILE_PC_ONLINE)[number];
}

/** Bytes of a line in UTF-8: all vendors take 4 KiB in all, and no phone shows more. */
const LINE_SIZE_MAX = 400;

const WORDS = {
  zh: { some: '您收到了一条消息', voice: '[语音]', picture: '[图片]' },
  en: { some: 'You have a new message', voice: '[voice message]', picture: '[picture]' },
} as const;

/** A picture within a text, as all TeamTalk clients write it. */
const PICTURE = /&\$#@~\^@\[\{:.*?:\}\]&\$~@#@/gs;

/** What a phone shows of a message. */
export function noticeOf(push: IM.Push.PlannedPush, manner: Manner): { title: string; body: string } {
  const words = WORDS[manner.language];
  if (manner.text === 'none') return { title: '', body: words.some };
  const title = cut(push.groupName ?? push.fromNick);
  const said = manner.text === 'sender' ? words.some : contentOf(push, words);
  return { title, body: cut(push.groupName == null ? said : `${push.fromNick}: ${said}`) };
}

function contentOf({ msgType, text }: IM.Push.PlannedPush, words: (typeof WORDS)[Manner['language']]): string {
  if ((msgType & 0x0f) === 2) return words.voice;
  const readable = text?.replace(PICTURE, words.picture).trim() ?? '';
  return readable === '' ? words.some : readable;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Never within what a reader takes for one character: a family of four is one. */
export function cut(line: string, sizeMax = LINE_SIZE_MAX): string {
  const clean = line.replace(/\s+/g, ' ');
  if (Buffer.byteLength(clean) <= sizeMax) return clean;
  let kept = '';
  let size = Buffer.byteLength('…');
  for (const { segment } of graphemes.segment(clean)) {
    size += Buffer.byteLength(segment);
    if (size > sizeMax) break;
    kept += segment;
  }
  return `${kept}…`;
}
