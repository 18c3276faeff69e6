// The life of interfaces across namespaces: their names, how they move, how they go.

import { EBUSY, EEXIST, EINVAL } from '../../../abi/errno.ts';
import { ARPHRD_LOOPBACK, IFNAMSIZ } from '../../../abi/net/if.ts';
import { BridgeDevice } from '../../../net/link/bridge.ts';
import type { Link } from '../../../net/link/link.ts';
import { VethDevice, vethPeer } from '../../../net/link/veth.ts';
import type { Stack } from '../../../net/stack.ts';

const SPACE = /[\t-\r ]/;

/** dev_valid_name(). */
export function isLinkName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    name.length < IFNAMSIZ &&
    !SPACE.test(name) &&
    !/[/:]/.test(name)
  );
}

/** The link in another namespace: dev_change_net_namespace(). -EINVAL, -EEXIST. */
export function moveLink(link: Link, to: Stack, wanted: string | undefined): number {
  const from = link.owner as Stack;
  if (from === to) return 0;
  if (link.hardware === ARPHRD_LOOPBACK || link.device instanceof BridgeDevice) return -EINVAL;
  const name = wanted === undefined || wanted === '' ? link.name : wanted;
  if (!isLinkName(name)) return -EINVAL;
  const full = name.includes('%d') ? to.freeName(name) : name;
  if (to.linkByName(full) !== null) return -EEXIST;
  if (!to.linksFit || to.ended) return -EBUSY;
  const { ifindex } = link;
  from.removeLink(link);
  link.name = full;
  to.addLink(link, ifindex);
  to.observer?.linkChanged(link);
  return 0;
}

/** The interface is gone for good, and with it the other end of a pair. */
export function removeLink(link: Link): void {
  const peer = vethPeer(link);
  const { device } = link;
  if (device instanceof BridgeDevice) {
    for (const port of [...device.ports]) {
      device.release(port);
      (port.owner as Stack | null)?.observer?.linkChanged(port);
    }
    device.fdb.clear();
  }
  for (const one of peer === null ? [link] : [link, peer]) {
    (one.owner as Stack | null)?.removeLink(one);
    one.payer?.gone();
    one.payer = null;
  }
  if (device instanceof VethDevice) device.cut();
}
