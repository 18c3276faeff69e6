// `vedette events`: what a container uses, and that it ran out of memory, as lines of runc's JSON (runc's types/events.go).

import { POLLIN } from '../../abi/events/poll.ts';
import { HostPoller, type HostPollTarget } from '../../host/poller.ts';
import { NOT_RUNNING, RuntimeError } from '../../runtime/oci/failure.ts';
import { StateFolder } from '../../runtime/oci/state.ts';
import { type Context, theId } from './context.ts';
import { readFlags } from './flags.ts';

const INTERVAL_MS = 5000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** What Go's runc writes for a limit that there is not. */
const NO_LIMIT = 2 ** 63;

/** 1m30s, 500ms: Go's time.ParseDuration. */
function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS_MS[unit!]!, 0);
  if (parts.map(([all]) => all).join('') !== text || ms < 1)
    throw new RuntimeError(`--interval ${text}: no duration; fix: 5s, 500ms`);
  return Math.min(Math.round(ms), 2 ** 31 - 1);
}

interface Stats {
  readonly cpu: { readonly user: number; readonly kernel: number };
  readonly cpus: string;
  readonly memory: Readonly<Record<'usage' | 'limit' | 'files' | 'kernel' | 'ooms', number>>;
  readonly pids: { readonly current: number; readonly limit: number };
}

/** The processors of a list such as 0-3. */
function numbersIn(list: string): number[] {
  const [from = 0, to = from] = list.split('-').map(Number);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function statsEvent(id: string, { cpu, cpus, memory, pids }: Stats): object {
  const limit = memory.limit < 0 ? NO_LIMIT : memory.limit;
  const none = { limit: 0, failcnt: 0 };
  const { user, kernel } = cpu;
  return {
    type: 'stats',
    id,
    data: {
      cpu: { usage: { total: user + kernel, kernel, user }, throttling: {} },
      cpuset: {
        cpus: numbersIn(cpus),
        cpu_exclusive: 0,
        mems: [0],
        mem_hardwall: 0,
        mem_exclusive: 0,
        memory_migrate: 0,
        memory_spread_page: 0,
        memory_spread_slab: 0,
        memory_pressure: 0,
        sched_load_balance: 0,
        sched_relax_domain_level: 0,
      },
      memory: {
        cache: memory.files,
        usage: { limit, usage: memory.usage, failcnt: memory.ooms },
        swap: none,
        kernel: { limit: NO_LIMIT, usage: memory.kernel, failcnt: 0 },
        kernelTCP: none,
        raw: {
          anon: Math.max(0, memory.usage - memory.files - memory.kernel),
          file: memory.files,
          kernel: memory.kernel,
        },
      },
      pids: { current: pids.current, ...(pids.limit > 0 ? { limit: pids.limit } : {}) },
      blkio: {},
      hugetlb: {},
      intel_rdt: {},
      network_interfaces: null,
    },
  };
}

export function events(ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { stats: 'bool', interval: 'text' });
  const id = theId(flags, 'events');
  const folder = new StateFolder(ctx.root, id);
  const status = folder.status(folder.read());
  const client = status === 'stopped' ? null : folder.connect();
  if (client === null) throw new RuntimeError(`container with id ${id} is not running`);
  const print = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);
  if (flags.has('stats')) {
    const answer = client.ask({ method: 'stats' });
    if (answer === null) throw new RuntimeError(NOT_RUNNING);
    print(statsEvent(id, answer.stats as Stats));
    return 0;
  }
  const intervalMs = durationMs(flags.text('interval') ?? `${INTERVAL_MS}ms`);
  let ended = client.ask({ method: 'events' }) === null;
  const poller = new HostPoller();
  const target: HostPollTarget = {
    onHostReady: () => {
      if (!client.fill()) ended = true;
      for (let m = client.next(); m !== null; m = client.next())
        if (m.event === 'oom') print({ type: 'oom', id });
        else if (m.stats !== undefined) print(statsEvent(id, m.stats as Stats));
    },
  };
  poller.add(client.fd, POLLIN, target);
  for (let due = Date.now() + intervalMs; !ended; ) {
    poller.dispatch(Math.max(0, due - Date.now()));
    if (ended || Date.now() < due) continue;
    due += intervalMs;
    ended = !client.send({ method: 'stats' });
  }
  return 0;
}
