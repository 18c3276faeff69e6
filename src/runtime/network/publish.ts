// What -p says: [ADDR:]HOST:GUEST[/udp].

import { type IpAddress, parseAddress } from '../../net/address.ts';

export interface Publish {
  /** Where this machine listens. */
  readonly address: IpAddress;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly text: string;
}

const LOCAL = parseAddress('127.0.0.1')!;
const FORM = '[ADDR:]HOST:GUEST[/udp], as in 8080:80 or 0.0.0.0:8080:80';

/** What is meant, or what is wrong with it. Without an address this machine alone can connect. */
export function parsePublish(text: string): Publish | string {
  const m = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  if (m === null) {
    if (/^\d{1,5}$/.test(text)) return `not understood; fix: did you mean -p ${text}:${text}?`;
    return `not understood; fix: ${FORM}`;
  }
  const [, where, host, guest, protocol] = m;
  const address = where === undefined ? LOCAL : parseAddress(where.replace(/^\[|\]$/g, ''));
  if (address === undefined) return `${where} is no address; fix: ${FORM}`;
  for (const port of [host, guest])
    if (Number(port) < 1 || Number(port) > 65535) return `${port} is no port; fix: one from 1 to 65535`;
  return {
    address,
    hostPort: Number(host),
    guestPort: Number(guest),
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    text,
  };
}
