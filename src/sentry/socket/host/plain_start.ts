// PlainStart: what endpoints over the host's sockets do not have. Connections begin without data: to a server of which no cookie is known, Fast Open is an ordinary handshake
// (RFC 7413, section 4.2.1), and the host's cookies are not the guest's to use.

import { EINPROGRESS, ENOPROTOOPT } from '../../../abi/errno.ts';
import type { IpAddress } from '../../../net/address.ts';
import type { ByteSource } from '../../../net/endpoint.ts';

export abstract class PlainStart {
  readonly fastOpenKeys: Uint8Array | null = null;
  /** The host does not tell. */
  stamping = false;
  readonly receivedNs = 0;

  abstract connect(address: IpAddress, port: number): number;

  /** No byte of the send goes first. */
  fastConnect(address: IpAddress, port: number, _from: ByteSource): number {
    const r = this.connect(address, port);
    return r === -EINPROGRESS ? 0 : r;
  }

  defers(_address: IpAddress): boolean {
    return false;
  }

  setFastOpenKeys(_keys: Uint8Array): number {
    return -ENOPROTOOPT;
  }
}
