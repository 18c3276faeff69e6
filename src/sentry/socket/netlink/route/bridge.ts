// What rtnetlink says of bridges and their ports: IFLA_BR_*, IFLA_BRPORT_*; bridge(8).

import { EINVAL, EOPNOTSUPP } from '../../../../abi/errno.ts';
import {
  BR_STATE_DISABLED,
  BR_STATE_FORWARDING,
  IFLA_BR_AGEING_TIME,
  IFLA_BR_BRIDGE_ID,
  IFLA_BR_FDB_FLUSH,
  IFLA_BR_FORWARD_DELAY,
  IFLA_BR_GROUP_ADDR,
  IFLA_BR_GROUP_FWD_MASK,
  IFLA_BR_HELLO_TIME,
  IFLA_BR_MAX_AGE,
  IFLA_BR_MCAST_QUERIER_STATE,
  IFLA_BR_MCAST_SNOOPING,
  IFLA_BR_NF_CALL_ARPTABLES,
  IFLA_BR_NF_CALL_IP6TABLES,
  IFLA_BR_NF_CALL_IPTABLES,
  IFLA_BR_PRIORITY,
  IFLA_BR_ROOT_ID,
  IFLA_BR_STP_STATE,
  IFLA_BR_VLAN_FILTERING,
  IFLA_BRPORT_BCAST_FLOOD,
  IFLA_BRPORT_COST,
  IFLA_BRPORT_DESIGNATED_PORT,
  IFLA_BRPORT_FAST_LEAVE,
  IFLA_BRPORT_GUARD,
  IFLA_BRPORT_ID,
  IFLA_BRPORT_ISOLATED,
  IFLA_BRPORT_LEARNING,
  IFLA_BRPORT_MCAST_FLOOD,
  IFLA_BRPORT_MODE,
  IFLA_BRPORT_NO,
  IFLA_BRPORT_PRIORITY,
  IFLA_BRPORT_PROTECT,
  IFLA_BRPORT_STATE,
  IFLA_BRPORT_UNICAST_FLOOD,
} from '../../../../abi/net/link_kinds.ts';
import type { BridgeDevice } from '../../../../net/link/bridge.ts';
import type { Link } from '../../../../net/link/link.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { Attributes } from '../reader.ts';
import type { NetlinkWriter } from '../writer.ts';

/** Times of bridges are in clock ticks of user space: USER_HZ is 100. */
const TICK_NS = 1e7;
/** The spanning tree's times and priority, which mean nothing while it is off. */
const FORWARD_DELAY = 1500;
const HELLO_TIME = 200;
const MAX_AGE = 2000;
const PRIORITY = 0x8000;
const PORT_PRIORITY = 32;
/** Of 10 Gbit/s. */
const PORT_COST = 2;
const GROUP_ADDRESS = Uint8Array.of(1, 0x80, 0xc2, 0, 0, 0);

/** struct ifla_bridge_id: priority and address. */
function putId(w: NetlinkWriter, type: number, address: Uint8Array): void {
  const id = new Uint8Array(8);
  id[0] = PRIORITY >>> 8;
  id.set(address.subarray(0, 6), 2);
  w.raw(type, id);
}

/** IFLA_INFO_DATA of a bridge. */
export function putBridgeData(w: NetlinkWriter, device: BridgeDevice): void {
  w.u32(IFLA_BR_FORWARD_DELAY, FORWARD_DELAY);
  w.u32(IFLA_BR_HELLO_TIME, HELLO_TIME);
  w.u32(IFLA_BR_MAX_AGE, MAX_AGE);
  w.u32(IFLA_BR_AGEING_TIME, Math.round(device.fdb.ageingNs / TICK_NS));
  w.u32(IFLA_BR_STP_STATE, 0);
  w.u16(IFLA_BR_PRIORITY, PRIORITY);
  w.u8(IFLA_BR_VLAN_FILTERING, 0);
  w.u16(IFLA_BR_GROUP_FWD_MASK, 0);
  putId(w, IFLA_BR_ROOT_ID, device.link.address);
  putId(w, IFLA_BR_BRIDGE_ID, device.link.address);
  w.raw(IFLA_BR_GROUP_ADDR, GROUP_ADDRESS);
  w.u8(IFLA_BR_MCAST_SNOOPING, 0);
  w.u8(IFLA_BR_NF_CALL_IPTABLES, 0);
  w.u8(IFLA_BR_NF_CALL_IP6TABLES, 0);
  w.u8(IFLA_BR_NF_CALL_ARPTABLES, 0);
}

/** IFLA_BR_* of a request: 0, or -EOPNOTSUPP for what is not as it would be. */
export function changeBridge(device: BridgeDevice, data: Attributes): number {
  for (let type = 1; type <= IFLA_BR_MCAST_QUERIER_STATE; type++) {
    if (!data.has(type)) continue;
    const value = data.u32(type) ?? data.u16(type) ?? data.u8(type) ?? 0;
    switch (type) {
      case IFLA_BR_AGEING_TIME:
        if (data.get(type)!.size < 4) return -EINVAL;
        device.fdb.ageingNs = value * TICK_NS;
        break;
      case IFLA_BR_FDB_FLUSH:
        device.fdb.flush(null, false);
        break;
      case IFLA_BR_STP_STATE:
      case IFLA_BR_VLAN_FILTERING:
      case IFLA_BR_GROUP_FWD_MASK:
      case IFLA_BR_MCAST_SNOOPING:
      case IFLA_BR_NF_CALL_IPTABLES:
      case IFLA_BR_NF_CALL_IP6TABLES:
      case IFLA_BR_NF_CALL_ARPTABLES:
        if (value !== 0) return unsupported(type);
        break;
      case IFLA_BR_FORWARD_DELAY:
        // Without a spanning tree ports forward at once, whatever it says.
        break;
      default:
        return unsupported(type);
    }
  }
  return 0;
}

function unsupported(type: number): number {
  countUnsupported(`IFLA_BR attribute ${type}`);
  return -EOPNOTSUPP;
}

/** IFLA_BRPORT_* of a port: in IFLA_INFO_SLAVE_DATA and in IFLA_PROTINFO. */
export function putPortData(w: NetlinkWriter, port: Link): void {
  const number = (port.master as BridgeDevice).ports.indexOf(port) + 1;
  w.u8(IFLA_BRPORT_STATE, port.isReady ? BR_STATE_FORWARDING : BR_STATE_DISABLED);
  w.u16(IFLA_BRPORT_PRIORITY, PORT_PRIORITY);
  w.u32(IFLA_BRPORT_COST, PORT_COST);
  w.u8(IFLA_BRPORT_MODE, 0);
  w.u8(IFLA_BRPORT_GUARD, 0);
  w.u8(IFLA_BRPORT_PROTECT, 0);
  w.u8(IFLA_BRPORT_FAST_LEAVE, 0);
  w.u8(IFLA_BRPORT_LEARNING, 1);
  w.u8(IFLA_BRPORT_UNICAST_FLOOD, 1);
  w.u8(IFLA_BRPORT_MCAST_FLOOD, 1);
  w.u8(IFLA_BRPORT_BCAST_FLOOD, 1);
  w.u8(IFLA_BRPORT_ISOLATED, 0);
  w.u16(IFLA_BRPORT_DESIGNATED_PORT, 0x8000 | number);
  w.u16(IFLA_BRPORT_ID, 0x8000 | number);
  w.u16(IFLA_BRPORT_NO, number);
}
