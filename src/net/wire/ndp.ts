// Neighbour discovery (RFC 4861, section 4): messages in ICMPv6 and their options, each of which counts its size in 8 bytes.

import type { IpAddress } from '../address.ts';
import { getIpv6 } from '../address.ts';
import { MAC_SIZE } from './ethernet.ts';

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

/** Sizes of the fixed parts, ICMPv6 header included. */
export const RS_SIZE = 8;
export const RA_SIZE = 16;
export const NS_SIZE = 24;
export const NDP_TARGET = 8;
/** Flags of an advertisement, in the byte at 4. */
export const NA_ROUTER = 0x80;
export const NA_SOLICITED = 0x40;
export const NA_OVERRIDE = 0x20;

const SOURCE_LINK = 1;
const TARGET_LINK = 2;
const PREFIX = 3;
const MTU = 5;
export const PREFIX_ON_LINK = 0x80;
export const PREFIX_AUTONOMOUS = 0x40;
/** Prefixes that are read of one advertisement. */
const MOST_PREFIXES = 16;

export class NdpPrefix {
  readonly prefix: IpAddress;
  readonly bits: number;
  readonly flags: number;
  readonly validS: number;
  readonly preferredS: number;

  constructor(view: DataView, at: number) {
    this.bits = Math.min(view.getUint8(at + 2), 128);
    this.flags = view.getUint8(at + 3);
    this.validS = view.getUint32(at + 4);
    this.preferredS = view.getUint32(at + 8);
    this.prefix = getIpv6(view, at + 16).masked(this.bits);
  }
}

/** The options of one message. */
export class NdpOptions {
  source: Uint8Array | null = null;
  target: Uint8Array | null = null;
  mtu = 0;
  readonly prefixes: NdpPrefix[] = [];

  /** Reads view[from..to); false when an option is malformed, and the message is to be dropped (section 4.6). */
  parse(bytes: Uint8Array, view: DataView, from: number, to: number): boolean {
    let at = from;
    while (at < to) {
      if (at + 2 > to) return false;
      const size = view.getUint8(at + 1) * 8;
      if (size === 0 || at + size > to) return false;
      const type = view.getUint8(at);
      if (type === SOURCE_LINK) this.source = bytes.slice(at + 2, at + 2 + MAC_SIZE);
      else if (type === TARGET_LINK) this.target = bytes.slice(at + 2, at + 2 + MAC_SIZE);
      else if (type === MTU && size === 8) this.mtu = view.getUint32(at + 4);
      else if (type === PREFIX && size === 32 && this.prefixes.length < MOST_PREFIXES)
        this.prefixes.push(new NdpPrefix(view, at));
      at += size;
    }
    return true;
  }
}

/** Writes a link-layer address option at `at`; 8 bytes. */
export function putLinkOption(head: Uint8Array, at: number, isTarget: boolean, mac: Uint8Array): void {
  head[at] = isTarget ? TARGET_LINK : SOURCE_LINK;
  head[at + 1] = 1;
  head.set(mac, at + 2);
}
