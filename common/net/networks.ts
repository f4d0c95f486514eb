import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Setting } from '../settings.js';

export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** A comma-separated list of networks in CIDR notation. */
export function networks(doc: string): Setting<Network[]> {
  const parse = (list: string, ctx: z.RefinementCtx): Network[] => {
    const texts = list.split(',').filter((each) => each.trim() !== '');
    const found = texts.filter((each) => ipaddr.isValidCIDR(each.trim()));
    if (found.length < texts.length) ctx.addIssue({ code: 'custom', message: 'expected a.b.c.d/n[,…]' });
    return found.map((each) => ipaddr.parseCIDR(each.trim()));
  };
  const is = z.string().transform(parse) as unknown as z.ZodType<Network[]>;
  return { is, unit: 'networks', default: [], doc };
}
