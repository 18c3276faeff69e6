// The seam for a packet filter: where packets pass it on their way (netfilter's hooks). A stack without one tests a field.

import type { Packet } from './packet.ts';
import type { Path } from './path.ts';

export interface PacketHooks {
  /** PREROUTING and INPUT of a whole packet for us. False when it goes no further here. */
  local(packet: Packet): boolean;
  /** PREROUTING and FORWARD of a packet for somebody else; false as above. */
  through(packet: Packet): boolean;
  /** POSTROUTING of what `through` let pass. */
  leaving(packet: Packet, path: Path): boolean;
  /** OUTPUT and POSTROUTING of a packet of ours: the way that it goes now, or -EPERM. */
  output(packet: Packet, path: Path): Path | number;
}
