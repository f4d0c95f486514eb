import type { Agent, request } from 'undici';
import { ImError } from '../errors.js';
import { IM } from '../pdu/pb.js';
import { choice, milliseconds, secret, text } from '../settings.js';
import { decryptText, encryptText } from '../text-cipher.js';
import { type Draft, isGroupType } from './message.js';

const { MsgType } = IM.BaseDefine;

/** Of every server that messages come in through. */
export const sendHookSettings = {
  sendHookUrl: { ...text('', 'URL that is asked before a message is stored; empty: none'), secret: true },
  sendHookToken: secret('sent to it as Authorization: Bearer', 1),
  sendHookTimeoutMs: milliseconds(1_000, 'how long it may take'),
  sendHookFailure: choice(['refuse', 'pass'], 'refuse', 'what happens to a message when it does not answer in time'),
};

export interface SendHookSettings {
  readonly sendHookUrl: string;
  readonly sendHookToken: string;
  readonly sendHookTimeoutMs: number;
  readonly sendHookFailure: 'refuse' | 'pass';
}

const CONNECTIONS_MAX = 32;
const ANSWER_SIZE_MAX = 256 * 1024;

interface Answer {
  readonly action: 'pass' | 'refuse' | 'replace';
  readonly reason?: string;
  readonly text?: string;
}

/**
 * Somebody else's say before a message is stored. The hook is asked by POST with
 *
 *   {"from": 1, "to": {"user": 2}, "type": "text", "text": "hello"}    voice: without text
 *
 * and answers {"action": "pass"}, {"action": "refuse", "reason": "…"} or {"action": "replace", "text": "…"}. A sender
 * who repeats himself is asked about again, so the same question should get the same answer.
 */
export class SendHook {
  readonly #settings: SendHookSettings;
  readonly #request: typeof request;
  readonly #agent: Agent;

  private constructor(settings: SendHookSettings, undici: typeof import('undici')) {
    this.#settings = settings;
    this.#request = undici.request;
    this.#agent = new undici.Agent({ connections: CONNECTIONS_MAX, maxResponseSize: ANSWER_SIZE_MAX });
  }

  /** Undefined: there is none, as in most clusters; then what it asks with is not loaded either. */
  static async of(settings: SendHookSettings): Promise<SendHook | undefined> {
    return settings.sendHookUrl === '' ? undefined : new SendHook(settings, await import('undici'));
  }

  /** @returns the message as it is to be stored. @throws ImError NOT_ALLOWED when it is refused. */
  async asked<D extends Draft>(draft: D): Promise<D> {
    const answer = await this.#ask(draft).catch((error: Error): Answer => {
      if (this.#settings.sendHookFailure === 'pass') return { action: 'pass' };
      throw new ImError('NOT_ALLOWED', `the check of messages did not answer: ${error.message}`);
    });
    if (answer.action === 'refuse')
      throw new ImError('NOT_ALLOWED', answer.reason ?? 'refused by the check of messages');
    return answer.action === 'replace' && isText(draft) ? { ...draft, msgData: encryptText(answer.text ?? '') } : draft;
  }

  close(): void {
    void this.#agent.destroy();
  }

  async #ask(draft: Draft): Promise<Answer> {
    const { sendHookUrl: url, sendHookToken: token, sendHookTimeoutMs: ms } = this.#settings;
    const to = isGroupType(draft.msgType) ? { group: draft.toSessionId } : { user: draft.toSessionId };
    const said = isText(draft) ? { type: 'text', text: decryptText(draft.msgData) ?? '' } : { type: 'voice' };
    const { statusCode, body } = await this.#request(url, {
      method: 'POST',
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(ms),
      headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ from: draft.fromUserId, to, ...said }),
    });
    const answer = (await body.json()) as { action?: unknown; reason?: unknown; text?: unknown } | null;
    const { action, reason, text } = answer ?? {};
    const known = action === 'pass' || action === 'refuse' || (action === 'replace' && typeof text === 'string');
    if (statusCode !== 200 || !known) throw new Error(`status ${statusCode}, action ${String(action)}`);
    return {
      action,
      ...(typeof reason === 'string' ? { reason } : {}),
      ...(typeof text === 'string' ? { text } : {}),
    };
  }
}

function isText({ msgType }: Draft): boolean {
  return msgType === MsgType.MSG_TYPE_SINGLE_TEXT || msgType === MsgType.MSG_TYPE_GROUP_TEXT;
}
