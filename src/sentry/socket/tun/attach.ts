// TUNSETIFF: makes an interface, or joins one that is there; and how a file leaves it.

import { E2BIG, EBUSY, EINVAL, ENOBUFS, EPERM } from '../../../abi/errno.ts';
import {
  IFF_MULTI_QUEUE,
  IFF_NO_CARRIER,
  IFF_NO_PI,
  IFF_ONE_QUEUE,
  IFF_PERSIST,
  IFF_TAP,
  IFF_TUN,
  IFF_TUN_EXCL,
  IFF_VNET_HDR,
} from '../../../abi/net/packet.ts';
import { CAP_NET_ADMIN } from '../../../abi/process/capability.ts';
import type { Link } from '../../../net/link/link.ts';
import { MOST_QUEUES, TunDevice, tunLink } from '../../../net/link/tun.ts';
import type { Stack } from '../../../net/stack.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { ChargedLink, isLinkName, LINK_BYTES, randomMac, removeLink } from '../inet/link_life.ts';
import type { TunHolder } from './holder.ts';

/** TUN_FEATURES: what TUNSETIFF sets beside the type. */
export const FEATURES = IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR | IFF_MULTI_QUEUE;

/** What TUNGETIFF shows. */
export function shownFlags(device: TunDevice): number {
  return device.mode | (device.persists ? IFF_PERSIST : 0);
}

/** tun_not_capable(): what nobody owns is everybody's. */
function mayJoin(ctx: VfsContext, device: TunDevice): boolean {
  const { owner, group } = device;
  const { cred } = ctx;
  const foreign = (owner >= 0 && owner !== cred.euid) || (group >= 0 && !isMember(ctx, group));
  return !foreign || cred.capable(CAP_NET_ADMIN);
}

function isMember(ctx: VfsContext, group: number): boolean {
  return ctx.cred.egid === group || ctx.cred.groups.includes(group);
}

/** An interface that is there: -EBUSY, -EINVAL, -EPERM, -E2BIG. */
function join(ctx: VfsContext, file: TunHolder, link: Link, flags: number): number {
  if ((flags & IFF_TUN_EXCL) !== 0) return -EBUSY;
  const { device } = link;
  if (!(device instanceof TunDevice)) return -EINVAL;
  const type = flags & (IFF_TUN | IFF_TAP);
  if ((type & device.mode) === 0 || type === (IFF_TUN | IFF_TAP)) return -EINVAL;
  if ((flags & IFF_MULTI_QUEUE) !== (device.mode & IFF_MULTI_QUEUE)) return -EINVAL;
  if (!mayJoin(ctx, device)) return -EPERM;
  if ((device.mode & IFF_MULTI_QUEUE) === 0 && device.queues.length > 0) return -EBUSY;
  if (device.queues.length >= MOST_QUEUES) return -E2BIG;
  device.mode = (device.mode & (IFF_TUN | IFF_TAP)) | (flags & FEATURES);
  file.join(device);
  return 0;
}

function make(ctx: VfsContext, file: TunHolder, asked: string, flags: number): Link | number {
  if (!ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
  const isTap = (flags & IFF_TUN) === 0;
  if (isTap && (flags & IFF_TAP) === 0) return -EINVAL;
  const pattern = asked !== '' ? asked : isTap ? 'tap%d' : 'tun%d';
  if (!isLinkName(pattern)) return -EINVAL;
  if (pattern.includes('%') && (!pattern.includes('%d') || pattern.split('%').length > 2)) return -EINVAL;
  const stack = file.ns.home!;
  if (!stack.linksFit || !kernelMemory.fits(LINK_BYTES)) return -ENOBUFS;
  const index = file.wantedIndex;
  if (index > 0 && stack.link(index) !== null) return -EBUSY;
  const name = pattern.includes('%d') ? stack.freeName(pattern) : pattern;
  const link = tunLink(name, (isTap ? IFF_TAP : IFF_TUN) | (flags & FEATURES), isTap, randomMac(stack));
  const r = stack.addLink(link, index);
  if (r < 0) return r;
  link.payer = new ChargedLink();
  file.join(link.device as TunDevice);
  stack.observer?.linkChanged(link);
  return link;
}

/** TUNSETIFF: the interface, or -errno. */
export function attach(ctx: VfsContext, file: TunHolder, name: string, flags: number): Link | number {
  const stack = file.ns.home;
  if (stack === null) return -EINVAL;
  if (file.device !== null) return -EINVAL;
  const there = name === '' ? null : stack.linkByName(name);
  const link = there ?? make(ctx, file, name, flags);
  if (typeof link === 'number') return link;
  if (there !== null) {
    const r = join(ctx, file, there, flags);
    if (r < 0) return r;
  }
  link.carrierTo((flags & IFF_NO_CARRIER) === 0);
  return link;
}

/** The file is closed: its queue goes, and with the last one an interface that does not persist. */
export function detach(file: TunHolder): void {
  const { device, queue_: queue } = file;
  if (device === null || queue === null) return;
  const at = device.queues.indexOf(queue);
  if (at >= 0) device.queues.splice(at, 1);
  file.drain();
  file.device = null;
  file.queue_ = null;
  const { link } = device;
  if (link === null || device.queues.length > 0) return;
  if (device.persists) link.carrierTo(false);
  else removeLink(link);
}

/** The interface's stack tells those who listen. */
export function told(link: Link): void {
  (link.owner as Stack | null)?.observer?.linkChanged(link);
}
