// `npm run bench:network`: throughput and rates of the network, natively, inside Vedette in each mode, under runsc, and behind
// slirp4netns and pasta (passt's way for a namespace), all in one run: node dist/bench/network.js [--seconds N] [--rounds N] [ROW...]
// More is better in every row. Needs root for network namespaces, and the programs that a row names; what is missing is said.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, killAll, run, start } from './children.ts';
import { runscPath } from './runners.ts';
import { table } from './table.ts';

const VEDETTE = fileURLToPath(new URL('../vedette.cjs', import.meta.url));
const PORT = 17398;

interface Way {
  readonly name: string;
  readonly needs: readonly string[];
  /** The command line that runs a shell script there. */
  argv(script: string): string[];
}

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly needs: readonly string[];
  readonly ways: readonly Way[];
  /** Runs on the host beside it. */
  readonly server?: readonly string[];
  script(way: Way, seconds: number): string;
  /** The figure in the output; undefined when there is none. */
  figure(output: string): number | undefined;
}

const sh = (name: string, prefix: readonly string[], needs: readonly string[] = []): Way => ({
  name,
  needs,
  argv: (script) => [...prefix, 'sh', '-c', script],
});
const inside = (name: string, ...flags: string[]) => sh(name, [VEDETTE, 'do', ...flags, '--']);
const native = sh('native', []);
const runsc = sh(
  'runsc',
  [runscPath(), '--rootless=false', '--platform=systrap', '--network=none', 'do'],
  [runscPath()],
);
const LOOPBACK: readonly Way[] = [native, inside('vedette'), runsc];

// Behind slirp4netns and pasta the host's loopback is the gateway's address; in Vedette it has a name.
const USER = ['--network=user', '--allow', 'host.vedette.internal'];
const slirp = (mtu: number): Way => ({
  name: 'slirp4netns',
  needs: ['slirp4netns', 'unshare'],
  argv: (script) => [
    'sh',
    '-c',
    `unshare -n sh -c 'until ip link show tap0 > /dev/null 2>&1; do sleep 0.05; done; sleep 0.3; ${script}' &
     ns=$!; sleep 0.3
     slirp4netns --configure --mtu=${mtu} $ns tap0 > /dev/null 2>&1 & s=$!
     wait $ns; r=$?; kill $s; exit $r`,
  ],
});
// pasta leaves root by itself, and then may not do what it does as somebody else from the start.
const pasta = (mtu: number): Way => ({
  name: 'pasta',
  needs: ['pasta', 'setpriv'],
  argv: (script) =>
    `setpriv --reuid=65534 --regid=65534 --clear-groups pasta --config-net -4 -f -m ${mtu} --`
      .split(' ')
      .concat(['sh', '-c', script]),
});
const outside = (mtu: number): readonly Way[] => [
  native,
  inside('vedette', ...USER, `--mtu=${mtu}`),
  inside('vedette-host', '--network=host'),
  slirp(mtu),
  pasta(mtu),
];
/** What a program connects to for a server on the host. */
function hostOf(way: Way): string {
  if (way.name === 'vedette') return 'host.vedette.internal';
  if (way.name === 'slirp4netns') return '10.0.2.2';
  // The address of the first route's gateway.
  if (way.name === 'pasta') return "$(ip -4 route show default | cut -d' ' -f3)";
  return '127.0.0.1';
}

const iperf = (output: string) => {
  const line = output.split('\n').findLast((l) => / receiver$/.test(l.trim()));
  const m = /([\d.]+) ([KMG]?)bits\/sec/.exec(line ?? '');
  const factor = { '': 1e-9, K: 1e-6, M: 1e-3, G: 1 }[m?.[2] ?? 'G'] ?? 1;
  return m === null ? undefined : Number(m[1]) * factor;
};

const serve = `iperf3 -s -1 -p ${PORT} > /dev/null 2>&1 & sleep 0.5`;
const IPERF_SERVER = ['iperf3', '-s', '-p', String(PORT)];

const WEB = `
  d=$(mktemp -d); mkdir $d/logs; head -c 1024 /dev/zero | tr '\\0' x > $d/page
  printf 'daemon off; worker_processes 1; pid %s/pid; error_log stderr crit; events { worker_connections 512; }
    http { access_log off; keepalive_requests 1000000; server { listen 127.0.0.1:${PORT}; root %s; } }' $d $d > $d/conf
  nginx -p $d -c $d/conf 2> /dev/null & n=$!; sleep 0.7`;
const WEB_END = 'kill $n; wait $n 2> /dev/null; rm -rf $d';

const REDIS = `
  redis-server --port ${PORT} --save '' --appendonly no --dir /tmp > /dev/null 2>&1 & r=$!; sleep 0.7
  redis-benchmark -p ${PORT} -n 1000 -c 20 -t get -q > /dev/null`;

const rate = (pattern: RegExp) => (output: string) => {
  const m = pattern.exec(output);
  return m === null ? undefined : Number(m[1]);
};

function stream(name: string, ways: readonly Way[], flags: string): Row {
  return {
    name,
    unit: 'Gbit/s',
    needs: ['iperf3'],
    ways,
    server: IPERF_SERVER,
    script: (way, seconds) => `iperf3 -c ${hostOf(way)} -p ${PORT} -t ${seconds} ${flags}`,
    figure: iperf,
  };
}

/** A pair of interfaces between two network namespaces, the same script natively and inside. */
function veth(name: string, flags: string): Row {
  return {
    name,
    unit: 'Gbit/s',
    needs: ['iperf3', 'ip', 'unshare', 'nsenter'],
    ways: [sh('native', ['unshare', '-n']), inside('vedette', '--user=0')],
    script: (_way, seconds) => `
      ip link set lo up; unshare -n sleep 60 & far=$!; sleep 0.3
      ip link add v0 type veth peer name v1 && ip link set v1 netns $far || exit 1
      ip addr add 10.77.0.1/24 dev v0; ip link set v0 up
      peer() { nsenter -n -t $far "$@"; }
      peer ip addr add 10.77.0.2/24 dev v1; peer ip link set v1 up; peer ip link set lo up
      peer iperf3 -s -1 -p ${PORT} > /dev/null 2>&1 & sleep 0.7
      iperf3 -c 10.77.0.2 -p ${PORT} -t ${seconds} ${flags}; kill $far`,
    figure: iperf,
  };
}

const ROWS: readonly Row[] = [
  {
    name: 'loopback_stream',
    unit: 'Gbit/s',
    needs: ['iperf3'],
    ways: LOOPBACK,
    script: (_way, seconds) => `${serve}; iperf3 -c 127.0.0.1 -p ${PORT} -t ${seconds}; wait`,
    figure: iperf,
  },
  veth('veth_stream', ''),
  veth('veth_stream_back', '-R'),
  stream('user_1500_out', outside(1500), ''),
  stream('user_1500_in', outside(1500), '-R'),
  stream('user_large_out', outside(65520), ''),
  stream('user_large_in', outside(65520), '-R'),
  {
    name: 'nginx_wrk',
    unit: 'requests/s',
    needs: ['nginx', 'wrk'],
    ways: LOOPBACK,
    script: (_way, seconds) => `${WEB}; wrk -t1 -c16 -d${seconds}s http://127.0.0.1:${PORT}/page; ${WEB_END}`,
    figure: rate(/Requests\/sec:\s+([\d.]+)/),
  },
  {
    name: 'nginx_connections',
    unit: 'connections/s',
    needs: ['nginx', 'wrk'],
    ways: LOOPBACK,
    script: (_way, seconds) =>
      `${WEB}; wrk -t1 -c16 -d${seconds}s -H 'Connection: close' http://127.0.0.1:${PORT}/page; ${WEB_END}`,
    figure: rate(/Requests\/sec:\s+([\d.]+)/),
  },
  ...['get', 'set'].map(
    (call): Row => ({
      name: `redis_tcp_${call}`,
      unit: 'requests/s',
      needs: ['redis-server', 'redis-benchmark'],
      ways: LOOPBACK,
      script: (_way, seconds) =>
        `${REDIS}; redis-benchmark -p ${PORT} -n ${seconds * 4000} -c 20 -t ${call} --csv | tr -d '"' | tail -n 1; kill $r; wait $r`,
      figure: rate(/^[GS]ET,([\d.]+)/m),
    }),
  ),
];

function isThere(program: string): boolean {
  if (program.includes('/')) return existsSync(program);
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => folder !== '' && existsSync(join(folder, program)));
}

function option(args: string[], name: string, otherwise: number): number {
  const at = args.indexOf(name);
  if (at < 0) return otherwise;
  const value = Number(args.splice(at, 2)[1]);
  if (!(value >= 1)) throw new Error(`${name}: fix: a number from 1 on`);
  return value;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function measure(row: Row, way: Way, seconds: number): Promise<number | string> {
  const lacking = [...row.needs, ...way.needs].find((program) => !isThere(program));
  if (lacking !== undefined) return `no ${lacking}`;
  let server: Child | undefined;
  if (row.server !== undefined) {
    server = start(row.server, 120_000);
    await new Promise((r) => setTimeout(r, 500));
  }
  const r = await run(way.argv(row.script(way, seconds)), 15_000 + 2000 * seconds);
  server?.kill();
  await server?.done;
  return row.figure(r.stdout) ?? (r.reason || 'no figure in what it printed');
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const seconds = option(args, '--seconds', 3);
  const rounds = option(args, '--rounds', 3);
  const unknown = args.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined)
    throw new Error(`${unknown}: no such row; fix: some of ${ROWS.map((row) => row.name).join(' ')}`);
  const rows = args.length === 0 ? ROWS : ROWS.filter((row) => args.includes(row.name));
  const troubles: string[] = [];
  for (const row of rows) {
    const found = new Map<string, number[]>(row.ways.map((way) => [way.name, []]));
    for (let n = 0; n < rounds; n++)
      for (const way of row.ways) {
        // What did not work once is not tried again.
        if (n > 0 && found.get(way.name)!.length === 0) continue;
        const value = await measure(row, way, seconds);
        if (typeof value === 'number') found.get(way.name)!.push(value);
        else troubles.push(`${row.name}, ${way.name}: ${value}`);
      }
    const base = median(found.get('native')!);
    const cells = row.ways.map((way) => {
      const value = median(found.get(way.name)!);
      if (value === undefined) return [way.name, '-', ''];
      const part = base === undefined ? '' : `${(value / base).toFixed(2)}x`;
      return [way.name, value < 100 ? value.toFixed(2) : value.toFixed(0), part];
    });
    process.stdout.write(`${table([[`${row.name}, ${row.unit}`, 'median', 'of native'], ...cells])}\n\n`);
  }
  for (const line of troubles) process.stdout.write(`not measured: ${line}\n`);
}

const scratch = mkdtempSync(join(tmpdir(), 'vedette-bench-network-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const sig of ['SIGINT', 'SIGTERM'] as const)
  process.on(sig, () => {
    killAll();
    process.exit(1);
  });
process.env.TMPDIR = scratch;
await main().catch((error: Error) => {
  process.stderr.write(`bench:network: ${error.message}\n`);
  process.exitCode = 2;
});
