// The host's interfaces, as programs inside see them with --network=host. Read once, at the start.

import { readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { parseAddress } from '../../net/address.ts';
import type { AddressView, LinkView } from '../../sentry/socket/inet/links.ts';

const FOLDER = '/sys/class/net';
const NO_COUNTERS = {
  rxBytes: 0,
  rxPackets: 0,
  rxErrors: 0,
  rxDropped: 0,
  txBytes: 0,
  txPackets: 0,
  txErrors: 0,
  txDropped: 0,
};

function number(name: string, file: string): number {
  try {
    return Number(readFileSync(`${FOLDER}/${name}/${file}`, 'latin1'));
  } catch {
    return 0;
  }
}

function hardware(name: string): Uint8Array {
  try {
    return Buffer.from(readFileSync(`${FOLDER}/${name}/address`, 'latin1').trim().replaceAll(':', ''), 'hex');
  } catch {
    return new Uint8Array(6);
  }
}

export function hostLinks(): LinkView[] {
  const addresses = networkInterfaces();
  let names: string[] = [];
  try {
    names = readdirSync(FOLDER).filter((name) => number(name, 'ifindex') > 0);
  } catch {}
  return names
    .map((name): LinkView => {
      const shown = (addresses[name] ?? []).flatMap((a): AddressView[] => {
        const address = parseAddress(a.address);
        if (address === undefined) return [];
        const bits = Number(a.cidr?.split('/')[1] ?? (address.isV4 ? 32 : 128));
        const broadcast = address.isV4 && bits < 31 ? address.masked(bits, true) : null;
        return [{ address, bits, broadcast }];
      });
      return {
        ifindex: number(name, 'ifindex'),
        name,
        mtu: number(name, 'mtu'),
        flags: number(name, 'flags'),
        hardwareType: number(name, 'type'),
        hardwareAddress: hardware(name),
        queueLength: number(name, 'tx_queue_len'),
        addresses: shown,
        counters: NO_COUNTERS,
      };
    })
    .sort((a, b) => a.ifindex - b.ifindex);
}
