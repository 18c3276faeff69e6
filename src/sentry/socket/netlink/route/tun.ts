// IFLA_INFO_DATA of interfaces of /dev/net/tun: IFLA_TUN_*.

import {
  IFLA_TUN_GROUP,
  IFLA_TUN_MULTI_QUEUE,
  IFLA_TUN_NUM_DISABLED_QUEUES,
  IFLA_TUN_NUM_QUEUES,
  IFLA_TUN_OWNER,
  IFLA_TUN_PERSIST,
  IFLA_TUN_PI,
  IFLA_TUN_TYPE,
  IFLA_TUN_VNET_HDR,
} from '../../../../abi/net/link_kinds.ts';
import { IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR, TUN_TYPE_MASK } from '../../../../abi/net/packet.ts';
import type { TunDevice } from '../../../../net/link/tun.ts';
import type { NetlinkWriter } from '../writer.ts';

/** tun_fill_info(). */
export function putTunData(w: NetlinkWriter, device: TunDevice): void {
  const { mode, queues } = device;
  w.u8(IFLA_TUN_TYPE, mode & TUN_TYPE_MASK);
  if (device.owner >= 0) w.u32(IFLA_TUN_OWNER, device.owner);
  if (device.group >= 0) w.u32(IFLA_TUN_GROUP, device.group);
  w.u8(IFLA_TUN_PI, (mode & IFF_NO_PI) === 0 ? 1 : 0);
  w.u8(IFLA_TUN_VNET_HDR, (mode & IFF_VNET_HDR) === 0 ? 0 : 1);
  w.u8(IFLA_TUN_PERSIST, device.persists ? 1 : 0);
  const several = (mode & IFF_MULTI_QUEUE) !== 0;
  w.u8(IFLA_TUN_MULTI_QUEUE, several ? 1 : 0);
  if (!several) return;
  w.u32(IFLA_TUN_NUM_QUEUES, queues.filter((q) => !q.detached).length);
  w.u32(IFLA_TUN_NUM_DISABLED_QUEUES, queues.filter((q) => q.detached).length);
}
