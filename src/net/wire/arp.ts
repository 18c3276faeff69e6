// ARP for IPv4 over Ethernet (RFC 826).
//
//   0: hardware type   2: protocol   4: sizes   6: operation   8: sender MAC   14: sender IP   18: target MAC   24: target IP

import { ARPHRD_ETHER, ETH_P_IP } from '../../abi/net/if.ts';
import type { IpAddress } from '../address.ts';
import { MAC_SIZE } from './ethernet.ts';

export const ARP_SIZE = 28;
export const ARP_OPERATION = 6;
export const ARP_SENDER_MAC = 8;
export const ARP_SENDER = 14;
export const ARP_TARGET_MAC = 18;
export const ARP_TARGET = 24;

/** Is there an ARP packet of ours at `at`, of `room` bytes? */
export function checkArp(view: DataView, at: number, room: number): boolean {
  return (
    room >= ARP_SIZE &&
    view.getUint16(at) === ARPHRD_ETHER &&
    view.getUint16(at + 2) === ETH_P_IP &&
    view.getUint16(at + 4) === 0x0604
  );
}

/** Writes a whole packet at `at`. */
export function putArp(
  head: Uint8Array,
  view: DataView,
  at: number,
  operation: number,
  senderMac: Uint8Array,
  sender: IpAddress,
  targetMac: Uint8Array,
  target: IpAddress,
): void {
  view.setUint16(at, ARPHRD_ETHER);
  view.setUint16(at + 2, ETH_P_IP);
  view.setUint16(at + 4, 0x0604);
  view.setUint16(at + ARP_OPERATION, operation);
  for (let i = 0; i < MAC_SIZE; i++) {
    head[at + ARP_SENDER_MAC + i] = senderMac[i]!;
    head[at + ARP_TARGET_MAC + i] = targetMac[i]!;
  }
  sender.put(view, at + ARP_SENDER);
  target.put(view, at + ARP_TARGET);
}
