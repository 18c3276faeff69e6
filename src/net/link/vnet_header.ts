// struct virtio_net_hdr (linux/virtio_net.h): what stands before a frame for a side that takes large packets, and packets
// without checksums.
//
//   0: flags   1: type   2: header length   4: segment size   6: where to sum from   8: where to put the sum   (10: buffers)

import { EINVAL } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import {
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
} from '../../abi/net/tun.ts';
import { type Packet, SUM_GOOD, SUM_MISSING, SUM_UNCHECKED } from '../packet.ts';
import { fold, pseudoSum, sumOffset } from '../wire/checksum.ts';
import { transportHeaderSize } from './gso.ts';

/** Without the count of buffers. */
export const VNET_HEADER = 10;

/** Writes the header of a packet at `at`, and in the packet the sum of its pseudo-header. */
export function putVnetHeader(packet: Packet, view: DataView, at: number, headerSize: number): void {
  for (let i = 0; i < headerSize; i++) view.setUint8(at + i, 0);
  const offset = packet.sum === SUM_MISSING ? sumOffset(packet.protocol) : -1;
  if (offset < 0) return;
  const length = packet.end - packet.l4 + packet.length;
  const partial =
    packet.protocol === 1 ? 0 : fold(pseudoSum(packet.src, packet.dst, packet.protocol, length));
  packet.view.setUint16(packet.l4 + offset, partial);
  view.setUint8(at, VIRTIO_NET_HDR_F_NEEDS_CSUM);
  view.setUint16(at + 6, packet.l4 - packet.start, true);
  view.setUint16(at + 8, offset, true);
  if (packet.segment === 0 || packet.protocol !== IPPROTO_TCP) return;
  view.setUint8(at + 1, packet.src.isV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
  view.setUint16(at + 2, packet.l4 - packet.start + transportHeaderSize(packet), true);
  view.setUint16(at + 4, packet.segment, true);
}

/** Takes over what a header says of its packet. 0, or -EINVAL for one that makes no sense (virtio_net_hdr_to_skb()). */
export function readVnetHeader(packet: Packet, view: DataView, at: number): number {
  const flags = view.getUint8(at);
  packet.sum = SUM_UNCHECKED;
  if ((flags & VIRTIO_NET_HDR_F_DATA_VALID) !== 0) packet.sum = SUM_GOOD;
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
    if (view.getUint16(at + 6, true) + view.getUint16(at + 8, true) + 2 > packet.size) return -EINVAL;
    packet.sum = SUM_MISSING;
  }
  const type = view.getUint8(at + 1) & ~VIRTIO_NET_HDR_GSO_ECN;
  if (type === VIRTIO_NET_HDR_GSO_NONE) return 0;
  const segment = view.getUint16(at + 4, true);
  if (segment === 0 || (type !== VIRTIO_NET_HDR_GSO_TCPV4 && type !== VIRTIO_NET_HDR_GSO_TCPV6))
    return -EINVAL;
  packet.segment = segment;
  return 0;
}
