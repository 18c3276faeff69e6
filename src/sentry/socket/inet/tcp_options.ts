// Options of tcp(7). Numbers are the endpoint's; names and structs are handled here.

import { EINVAL, ENOENT, ENOPROTOOPT, EPERM } from '../../../abi/errno.ts';
import { IPPROTO_TCP } from '../../../abi/net/in.ts';
import {
  SIZEOF_TCP_INFO,
  TCP_CC_INFO,
  TCP_CONGESTION,
  TCP_FASTOPEN_KEY,
  TCP_INFO,
  TCP_IS_MPTCP,
  TCP_REPAIR,
  TCP_ULP,
} from '../../../abi/net/tcp.ts';
import { CAP_NET_ADMIN } from '../../../abi/process/capability.ts';
import type { StreamEndpoint } from '../../../net/endpoint.ts';
import { FAST_OPEN_KEY_SIZE } from '../../../net/tcp/fastopen.ts';
import { bytesToString } from '../../base/bytes.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { putIntOption } from '../options.ts';
import { type IpOptionsOf, tellOption } from './ip_options.ts';
import { CONGESTION_CONTROLS } from './sysctl.ts';

/** TCP_CA_NAME_MAX. */
const NAME_MAX = 16;
const infoView = new DataView(new ArrayBuffer(SIZEOF_TCP_INFO));

export interface TcpOptionsOf extends IpOptionsOf {
  readonly endpoint: StreamEndpoint;
}

function nameIn(len: number, max: number): string {
  let n = 0;
  while (n < Math.min(len, max) && scratch[n] !== 0) n++;
  return bytesToString(scratch, 0, n);
}

/** setsockopt(2) with IPPROTO_TCP. */
export function setTcpOption(ctx: VfsContext, s: TcpOptionsOf, name: number, len: number): number {
  switch (name) {
    case TCP_CONGESTION: {
      if (len < 1) return -EINVAL;
      const wanted = nameIn(len, NAME_MAX - 1);
      if (!CONGESTION_CONTROLS.includes(wanted)) return -ENOENT;
      s.endpoint.congestion = wanted;
      return 0;
    }
    case TCP_ULP:
      if (len < 1) return -EINVAL;
      countUnsupported(`TCP_ULP ${nameIn(len, NAME_MAX)}`);
      return -ENOENT;
  }
  if (name === TCP_FASTOPEN_KEY) {
    if (len !== FAST_OPEN_KEY_SIZE && len !== 2 * FAST_OPEN_KEY_SIZE) return -EINVAL;
    return s.endpoint.setFastOpenKeys(scratch.slice(0, len));
  }
  if (len < 4) return -EINVAL;
  if (name === TCP_REPAIR && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
  return tellOption(s, IPPROTO_TCP, name, scratchView.getInt32(0, true), false);
}

/** getsockopt(2) with IPPROTO_TCP: the length of the value in scratch. */
export function getTcpOption(ep: StreamEndpoint, name: number, len: number): number {
  switch (name) {
    case TCP_INFO: {
      const n = Math.min(len, ep.info(infoView));
      scratch.set(new Uint8Array(infoView.buffer, 0, n), 0);
      return n;
    }
    case TCP_CONGESTION: {
      const n = Math.min(len, NAME_MAX);
      const text = ep.congestion;
      for (let i = 0; i < n; i++) scratch[i] = i < text.length ? text.charCodeAt(i) : 0;
      return n;
    }
    case TCP_FASTOPEN_KEY: {
      const keys = ep.fastOpenKeys;
      if (keys === null) return 0;
      scratch.set(keys, 0);
      return Math.min(len, keys.length);
    }
    case TCP_ULP:
    case TCP_CC_INFO:
      return 0;
    case TCP_IS_MPTCP:
      return putIntOption(0, len);
  }
  const r = ep.getOption(IPPROTO_TCP, name);
  if (r < 0) {
    if (r === -ENOPROTOOPT) countUnsupported(`getsockopt IPPROTO_TCP ${name}`);
    return r;
  }
  return putIntOption(ep.optionValue, len);
}
