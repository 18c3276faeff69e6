// Messages about groups: IGMPv2 and v3 (RFC 2236, RFC 3376), MLDv1 and v2 (RFC 2710, RFC 3810).

import type { IpAddress } from '../address.ts';
import { getIpv4, getIpv6 } from '../address.ts';

export const IGMP_QUERY = 0x11;
export const IGMP_V1_REPORT = 0x12;
export const IGMP_V2_REPORT = 0x16;
export const IGMP_LEAVE = 0x17;
export const IGMP_V3_REPORT = 0x22;
export const IGMP_SIZE = 8;
export const MLD_SIZE = 24;

/** Records of a report: MODE_IS_EXCLUDE answers a query, the CHANGE_TOs tell news (RFC 3376, section 4.2.12). */
export const RECORD_IS_EXCLUDE = 2;
export const RECORD_TO_INCLUDE = 3;
export const RECORD_TO_EXCLUDE = 4;

export const ALL_HOSTS_V4 = 0xe0000001;
export const IGMP_V3_ROUTERS = 0xe0000016;
export const IGMP_ALL_ROUTERS = 0xe0000002;

/** A query: version 1, 2 or 3, which group (the unspecified address for all), and how long answers may take. */
export class GroupQuery {
  version = 0;
  group: IpAddress | null = null;
  maxResponseMs = 0;

  /** Reads view[at..end) as an IGMP query: RFC 3376, section 7.1. */
  parseIgmp(view: DataView, at: number, end: number): boolean {
    if (end - at < IGMP_SIZE || view.getUint8(at) !== IGMP_QUERY) return false;
    const code = view.getUint8(at + 1);
    this.version = end - at >= 12 ? 3 : code === 0 ? 1 : 2;
    this.group = getIpv4(view, at + 4);
    this.maxResponseMs = code === 0 ? 10_000 : 100 * (this.version === 3 ? expanded(code, 128, 4) : code);
    return true;
  }

  /** The same of MLD: RFC 3810, section 8.1. */
  parseMld(view: DataView, at: number, end: number): boolean {
    if (end - at < MLD_SIZE) return false;
    const code = view.getUint16(at + 4);
    this.version = end - at >= 28 ? 2 : 1;
    this.group = getIpv6(view, at + 8);
    this.maxResponseMs = this.version === 2 ? expanded(code, 32768, 12) : code;
    return true;
  }
}

/** Floating-point codes: RFC 3376, section 4.1.1; RFC 3810, section 5.1.3. */
function expanded(code: number, from: number, bits: number): number {
  if (code < from) return code;
  const mantissa = code & ((1 << bits) - 1);
  return (mantissa | (1 << bits)) << (((code >>> bits) & 7) + 3);
}

/** Writes an IGMPv1/v2 message without checksum at `at`. */
export function putIgmp(view: DataView, at: number, type: number, group: IpAddress): void {
  view.setUint32(at, type << 24);
  group.put(view, at + 4);
}

/** Bytes of a report with one record that names no sources. */
export function reportSize(group: IpAddress): number {
  return group.isV4 ? 16 : 28;
}

/** Writes such a report, IGMPv3 or MLDv2, without checksum at `at`. `type` is that of the message. */
export function putReport(view: DataView, at: number, type: number, record: number, group: IpAddress): void {
  view.setUint32(at, (type << 24) >>> 0);
  view.setUint32(at + 4, 1);
  view.setUint32(at + 8, (record << 24) >>> 0);
  group.put(view, at + 12);
}
