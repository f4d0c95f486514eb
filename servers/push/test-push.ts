import { randomUUID } from 'node:crypto';
import type { LinkGroup } from '../../common/net/link-group.js';
import { push } from '../../common/pdu/commands.js';
import type { IM } from '../../common/pdu/pb.js';
import type { Outcome } from './providers/provider.js';
import type { VendorName, Vendors } from './vendors.js';

/** Whoever has asked waits no longer than this, whatever the vendor does. */
const ANSWER_MS_MAX = 12_000;
const TOKEN_SHOWN = 12;
const TITLE = 'TeamTalk';

interface Tested extends IM.Push.PushTested.$Properties {
  readonly vendor: VendorName;
}

/**
 * Something to every phone of a user, at once: whether he is here, sleeps, or wants no pushes is not asked. A token that
 * the vendor does not know any more is forgotten, as with any push.
 */
export async function testPush(
  dbProxies: LinkGroup,
  vendors: Vendors,
  { userId, body }: IM.Push.IMPushTestReq,
): Promise<Tested[]> {
  const { deviceList } = await dbProxies.ask(push.devices, { userId });
  const testedList = await Promise.all(deviceList.map((device) => sendTo(vendors, device, body)));
  const invalidTokenList = deviceList.filter((_, i) => testedList[i]!.result === 'gone').map(({ token }) => token);
  if (invalidTokenList.length > 0) await dbProxies.ask(push.settle, { shownList: [], invalidTokenList });
  return testedList;
}

async function sendTo(
  vendors: Vendors,
  { clientType, token: stored, badge, updatedMs }: IM.Push.PushDevice,
  body: string,
): Promise<Tested> {
  const { vendor, token } = vendors.of(clientType, stored);
  const id = randomUUID();
  const startedMs = performance.now();
  const late = AbortSignal.timeout(ANSWER_MS_MAX);
  const outcome = await Promise.race([
    vendors.send(vendor, {
      ...{ id, token, kind: 'ring' as const, title: TITLE, body, badge, collapseId: id.slice(0, 24), about: undefined },
      expiresMs: Date.now() + ANSWER_MS_MAX,
    }),
    new Promise<Outcome>((resolve) => {
      late.onabort = () => resolve({ result: 'later', reason: `no answer within ${ANSWER_MS_MAX / 1000} s` });
    }),
  ]);
  return {
    clientType,
    token: `${stored.slice(0, TOKEN_SHOWN)}…`,
    updatedMs,
    vendor,
    result: outcome.result,
    reason: 'reason' in outcome ? outcome.reason : '',
    tookMs: Math.round(performance.now() - startedMs),
  };
}
