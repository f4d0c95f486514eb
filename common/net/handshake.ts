import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * How two of our servers convince each other that both know the cluster's secret, without sending it.
 *
 *   dialer    IMHelloReq   role, name, nonce D
 *   acceptor  IMHelloRsp   role, name, nonce A, proof "acceptor"
 *   dialer    IMHelloProof                      proof "dialer"
 *
 * Each proof is HMAC-SHA256(secret, side, nonce D, nonce A, roles, names). Fresh nonces from both make an old recording
 * useless; the side's name in it keeps one side's proof from being sent back as the other's.
 */
export interface Hello {
  readonly role: string;
  readonly name: string;
  readonly nonce: Uint8Array;
}

export type Side = 'dialer' | 'acceptor';

export const NONCE_SIZE = 32;

export function freshNonce(): Buffer {
  return randomBytes(NONCE_SIZE);
}

export function proofOf(secret: string, side: Side, dialer: Hello, acceptor: Hello): Buffer {
  const hmac = createHmac('sha256', secret);
  for (const part of [side, dialer.role, dialer.name, dialer.nonce, acceptor.role, acceptor.name, acceptor.nonce]) {
    const bytes = Buffer.from(part as string);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    hmac.update(size).update(bytes); // lengths first: no two lists of parts hash alike
  }
  return hmac.digest();
}

export function proves(proof: Uint8Array, secret: string, side: Side, dialer: Hello, acceptor: Hello): boolean {
  const right = proofOf(secret, side, dialer, acceptor);
  return (
    dialer.nonce.length === NONCE_SIZE &&
    acceptor.nonce.length === NONCE_SIZE &&
    proof.length === right.length &&
    timingSafeEqual(proof, right)
  );
}
