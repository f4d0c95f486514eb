/**
 * What newer clients may have beyond the stock protocol, each asked for by name in the log-in. A session that asked for
 * nothing sees stock TeamTalk only, to the byte.
 *
 *   ack2   a message carries a send_id of the client's own, which makes sending it idempotent; its ack says more
 *   err1   IMError where stock TeamTalk stays silent
 *   dir1   IMDirectoryNotify when people or departments have changed
 *   file1  IMFileTokenReq: uploading to the store, and addresses to fetch files by
 *   sync1  IMSyncReq: one call that tells what has changed
 *   token1 logging in by a token in place of the password, and the list of the devices that do
 */
export const CAPABILITIES = ['ack2', 'dir1', 'err1', 'file1', 'sync1', 'token1'] as const;
export type Capability = (typeof CAPABILITIES)[number];

export function grantedOf(asked: readonly string[]): ReadonlySet<Capability> {
  return new Set(CAPABILITIES.filter((each) => asked.includes(each)));
}
