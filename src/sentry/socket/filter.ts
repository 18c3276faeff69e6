// SocketFilter: SO_ATTACH_FILTER of socket(7): a classic BPF program of the guest's that looks at what comes in before the socket does.

import { EBADF, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM } from '../../abi/errno.ts';
import {
  BPF_MAXINSNS,
  decodeSockFprog,
  SIZEOF_SOCK_FILTER,
  SIZEOF_SOCK_FPROG,
} from '../../abi/process/bpf_filter.ts';
import type { PacketFilter } from '../../net/endpoint.ts';
import type { Packet } from '../../net/packet.ts';
import { BpfFilter, BpfPacket } from '../base/bpf.ts';
import { type Account, kernelMemory } from '../base/charge.ts';
import { countUnsupported } from '../base/log.ts';
import { scratch, scratchView } from '../base/scratch.ts';
import type { VfsContext } from '../vfs/context.ts';

/** What the kernel keeps for an instruction, as seccomp(2)'s. */
const INSN_BYTES = 64;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/** The packet that is looked at; aimed anew for each. */
const view = new BpfPacket();

export class SocketFilter implements PacketFilter {
  readonly program: BpfFilter;

  constructor(program: BpfFilter) {
    this.program = program;
  }

  get bytes(): number {
    return this.program.length * INSN_BYTES;
  }

  /** A packet of the stack's; offset 0 is head[at]. */
  admits(packet: Packet, at: number): number {
    view.bytes = packet.bytesFrom(packet.l3);
    view.at = at - packet.l3;
    view.net = 0;
    view.link = -1;
    view.protocol = packet.dst.isV4 ? ETH_P_IP : ETH_P_IPV6;
    view.packetType = 0;
    view.ifindex = packet.ifindex;
    view.hardware = 0;
    view.mark = packet.mark;
    return this.program.runPacket(view);
  }

  /** A message that has bytes alone: of AF_UNIX and AF_NETLINK. */
  admitsBytes(bytes: Uint8Array): number {
    view.bytes = bytes;
    view.at = 0;
    view.net = -1;
    view.link = -1;
    view.protocol = 0;
    view.packetType = 0;
    view.ifindex = 0;
    view.hardware = 0;
    view.mark = 0;
    return this.program.runPacket(view);
  }

  /** A frame with its Ethernet header, of which the socket sees what begins at `at`. */
  admitsFrame(frame: Uint8Array, at: number, headerSize: number, ifindex: number, about: FrameFacts): number {
    view.bytes = frame;
    view.at = at;
    view.link = 0;
    view.net = headerSize;
    view.protocol = about.protocol;
    view.packetType = about.packetType;
    view.ifindex = ifindex;
    view.hardware = about.hardware;
    view.mark = 0;
    return this.program.runPacket(view);
  }
}

/** What a packet socket knows of a frame beside its bytes. */
export interface FrameFacts {
  readonly protocol: number;
  readonly packetType: number;
  readonly hardware: number;
}

/** A socket that may have a filter, and who pays for it. */
export interface Filtered {
  readonly payer: Account;
  filter: SocketFilter | null;
  filterLocked: boolean;
  /** Those who hear packets must know: 0 or -errno, and then nothing has changed. */
  filterChanges(filter: SocketFilter | null): number;
}

/** SO_ATTACH_FILTER; the struct sock_fprog is in scratch: -EINVAL, -EPERM, -EFAULT, -ENOMEM. */
export function attachFilter(ctx: VfsContext, s: Filtered, len: number): number {
  if (len !== SIZEOF_SOCK_FPROG) return -EINVAL;
  const { len: count, filter: at } = decodeSockFprog(scratchView, 0);
  if (s.filterLocked) return -EPERM;
  if (count === 0 || count > BPF_MAXINSNS || at === 0) return -EINVAL;
  if (ctx.mem.copyInExact(at, scratch, 0, count * SIZEOF_SOCK_FILTER) !== 0) return -EFAULT;
  const program = BpfFilter.forSocket(scratchView, count);
  if (program === null) return -EINVAL;
  const filter = new SocketFilter(program);
  if (!kernelMemory.fits(filter.bytes, s.payer)) return -ENOMEM;
  return replaceFilter(s, filter);
}

/** SO_DETACH_FILTER: -EPERM, -ENOENT. */
export function detachFilter(s: Filtered): number {
  if (s.filterLocked) return -EPERM;
  return s.filter === null ? -ENOENT : replaceFilter(s, null);
}

/** SO_LOCK_FILTER: once on, it stays: -EPERM. */
export function lockFilter(s: Filtered, on: boolean): number {
  if (s.filterLocked && !on) return -EPERM;
  s.filterLocked = on;
  return 0;
}

/** SO_ATTACH_BPF and its like take descriptors of bpf(2), which nobody has. */
export function attachBpf(s: Filtered, len: number): number {
  if (len !== 4) return -EINVAL;
  if (s.filterLocked) return -EPERM;
  countUnsupported('SO_ATTACH_BPF');
  return scratchView.getInt32(0, true) < 0 ? -EBADF : -EINVAL;
}

/** Gives a socket another filter, or none; the old one is no longer paid for. */
export function replaceFilter(s: Filtered, filter: SocketFilter | null): number {
  const r = s.filterChanges(filter);
  if (r < 0) return r;
  if (filter !== null) kernelMemory.take(filter.bytes, s.payer);
  if (s.filter !== null) kernelMemory.give(s.payer, s.filter.bytes);
  s.filter = filter;
  return 0;
}
