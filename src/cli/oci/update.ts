// `vedette update`: other limits for a container that is there.

import { readFileSync } from 'node:fs';
import { writeLimits } from '../../runtime/oci/cgroup_limits.ts';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { readResources, withResources } from '../../runtime/oci/read_resources.ts';
import { readJson } from '../../runtime/oci/reader.ts';
import { ask, type Context, theId, withContainer } from './context.ts';
import { type Flags, readFlags } from './flags.ts';

/** Flag -> where its value goes in linux.resources, and how it is written. */
const VALUES: Readonly<
  Record<string, readonly [group: string, name: string, kind: 'number' | 'bytes' | 'list']>
> = {
  'blkio-weight': ['blockIO', 'weight', 'number'],
  'cpu-period': ['cpu', 'period', 'number'],
  'cpu-quota': ['cpu', 'quota', 'number'],
  'cpu-share': ['cpu', 'shares', 'number'],
  'cpu-rt-period': ['cpu', 'realtimePeriod', 'number'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime', 'number'],
  'cpuset-cpus': ['cpu', 'cpus', 'list'],
  'cpuset-mems': ['cpu', 'mems', 'list'],
  memory: ['memory', 'limit', 'bytes'],
  'memory-reservation': ['memory', 'reservation', 'bytes'],
  'memory-swap': ['memory', 'swap', 'bytes'],
  'kernel-memory': ['memory', 'kernel', 'bytes'],
  'kernel-memory-tcp': ['memory', 'kernelTCP', 'bytes'],
  'pids-limit': ['pids', 'limit', 'number'],
};
const FLAGS = {
  resources: 'text',
  r: 'text',
  'l3-cache-schema': 'text',
  'mem-bw-schema': 'text',
  ...Object.fromEntries(Object.keys(VALUES).map((name) => [name, 'text'] as const)),
} as const;
const UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** 64m, 1.5GiB, 1048576, -1: github.com/docker/go-units, RAMInBytes. */
function bytesOf(flag: string, text: string): number {
  const m = /^(-1|\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (m === null) throw new RuntimeError(`invalid value for ${flag}: ${text}; fix: 64m, 1g, -1`);
  return m[1] === '-1' ? -1 : Math.floor(Number(m[1]) * 1024 ** UNITS.indexOf(m[2]!.toLowerCase()));
}

/** The document that the flags stand for. */
function given(flags: Flags): string {
  const file = flags.text('resources') ?? flags.text('r');
  if (file !== null && file !== '') {
    try {
      return readFileSync(file === '-' ? 0 : file, 'utf8');
    } catch (error) {
      throw new RuntimeError(`--resources ${file}: ${(error as NodeJS.ErrnoException).code}`);
    }
  }
  const document: Record<string, Record<string, unknown>> = {};
  for (const [flag, [group, name, kind]] of Object.entries(VALUES)) {
    const text = flags.text(flag);
    if (text === null || text === '') continue;
    if (kind === 'number' && !/^-?\d+$/.test(text))
      throw new RuntimeError(`invalid value for ${flag}: ${text}; fix: a whole number`);
    document[group] ??= {};
    document[group][name] = kind === 'list' ? text : kind === 'bytes' ? bytesOf(flag, text) : Number(text);
  }
  return JSON.stringify(document);
}

export function update(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, FLAGS);
  const id = theId(flags, 'update');
  for (const name of ['l3-cache-schema', 'mem-bw-schema'])
    if ((flags.text(name) ?? '') !== '') ctx.log.warn(`--${name}: no effect`);
  const warn = (line: string) => ctx.log.warn(line);
  const text = given(flags);
  withContainer(ctx, id, (folder, record) => {
    if (folder.status(record) === 'stopped') throw new RuntimeError(NOT_RUNNING);
    const resources = JSON.parse(text) as unknown;
    const changes = readResources(readJson(text, '--resources'), warn);
    const all = withResources(record.resources, changes);
    // Version 2 has quota and period in one file: the one that is not given stays.
    const both = { ...changes, cpuQuota: changes.cpuQuota, cpuPeriod: changes.cpuPeriod };
    if (changes.cpuQuota !== null || changes.cpuPeriod !== null) {
      both.cpuQuota = all.cpuQuota;
      both.cpuPeriod = all.cpuPeriod;
    }
    ask(folder, { method: 'update', resources });
    writeLimits(record.cgroups, both, warn);
    folder.write({ ...record, resources: all });
  });
  return 0;
}
