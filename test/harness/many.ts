// Starts many sandboxes together and says how they ended, and what they left: run by many.test.ts in a process namespace with empty
// /tmp and /dev/shm of its own, so that whatever is there in the end is theirs. argv: how many.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { distDir } from './guest.ts';

const LIMIT_MS = 540_000;
/** Processes that the host ends after their parent: they get a moment. */
const SETTLE_MS = 5000;

/** Runs its words on a terminal of their own and presses the key when they say "up": kill(2) would be no key, and reach the first program alone. */
const KEY = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
seen = b''
while b'up' not in seen: seen += os.read(fd, 1000)
os.write(fd, bytes([3]))
try:
    while os.read(fd, 1000): pass
except OSError: pass
print('ended by', os.waitpid(pid, 0)[1] & 127)
`;

interface Kind {
  readonly name: string;
  readonly flags?: (i: number) => string[];
  /** Starts the command; the command's words follow. */
  readonly through?: string[];
  readonly argv: string[];
  readonly input?: string;
  /** Sent to the process group when it has said "up". */
  readonly signal?: NodeJS.Signals;
  readonly ends: string;
}

const KINDS: readonly Kind[] = [
  {
    name: 'a pipeline',
    argv: ['sh', '-c', 'seq 300 | sort -rn | head -n 2 | tr "\\n" " "'],
    ends: '300 299 :0',
  },
  {
    name: 'python',
    argv: ['python3', '-c', 'import json; print(json.dumps(sum(range(1000))))'],
    ends: '499500\n:0',
  },
  {
    name: 'its input, and a status',
    argv: ['sh', '-c', 'cat | tr a-z A-Z; exit 7'],
    input: 'hello',
    ends: 'HELLO:7',
  },
  {
    name: 'killed',
    argv: ['sh', '-c', 'sleep 1000 & echo up; sleep 1000 | cat'],
    signal: 'SIGKILL',
    ends: 'up\n:SIGKILL',
  },
  {
    name: 'Ctrl-C',
    through: ['python3', '-c', KEY],
    argv: ['sh', '-c', 'echo up; sleep 1000 | cat'],
    ends: 'ended by 2\n:0',
  },
  {
    name: 'what is kept',
    flags: (i) => ['--overlay', `${KEPT}/${i}`],
    argv: ['sh', '-c', 'echo x > /var/new; rm /etc/hostname; cat /var/new; ls /etc/hostname 2>/dev/null'],
    ends: 'x\n:2',
  },
  {
    name: 'files in memory',
    argv: [
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do head -c 100000 /dev/zero > /dev/shm/$i; done; cat /dev/shm/? | wc -c',
    ],
    ends: '500000\n:0',
  },
];

/** Where overlays keep what was written: a folder of this run's own. */
const KEPT = process.env.KEPT!;

interface Ended {
  readonly child: ChildProcess;
  readonly up: Promise<void>;
  readonly result: Promise<string>;
}

function start(kind: Kind, i: number): Ended {
  const words = [...(kind.through ?? []), join(distDir, 'vedette'), 'do', ...(kind.flags?.(i) ?? []), '--'];
  const child = spawn(words[0]!, [...words.slice(1), ...kind.argv], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let text = '';
  let errors = '';
  child.stdin!.on('error', () => {});
  if (kind.input !== undefined) child.stdin!.end(kind.input);
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), LIMIT_MS);
  const result = new Promise<string>((done) => {
    child.on('close', (status, signal) => {
      clearTimeout(late);
      done(`${text}:${signal ?? status}${errors === '' ? '' : `\n${errors}`}`);
    });
  });
  const up = new Promise<void>((ready) => {
    child.on('close', () => ready());
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes('up\n')) return;
      if (kind.signal !== undefined) process.kill(-child.pid!, kind.signal);
      ready();
    });
  });
  return { child, up, result };
}

/** Processes of the namespace but ours and its first. */
function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== 1 && pid !== process.pid);
}

/** What is in the places where programs put things, but what `--overlay` was to keep. */
function files(): string[] {
  const places = (process.env.PLACES ?? '').split(':');
  return places.flatMap((dir) =>
    (readdirSync(dir, { recursive: true }) as string[])
      .map((name) => join(dir, name))
      .filter((path) => !path.startsWith(KEPT)),
  );
}

/** Shared memory of System V, which outlives processes. */
const segments = () => readFileSync('/proc/sysvipc/shm', 'latin1').trim().split('\n').length - 1;

/** KiB that the processes have, what several share counted once. */
function kib(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}

async function left(): Promise<string[]> {
  const end = Date.now() + SETTLE_MS;
  while (processes().length > 0 && Date.now() < end) await sleep(50);
  const named = processes().map((pid) => {
    try {
      return `process ${pid} ${readFileSync(`/proc/${pid}/stat`, 'latin1').slice(0, 60)}`;
    } catch {
      return `process ${pid}`;
    }
  });
  return [...named, ...files(), ...(segments() > 0 ? ['a shared memory segment'] : [])];
}

const count = Number(process.argv[2]);
const wrong: string[] = [];
let begun = Date.now();
const mixed = Array.from({ length: count }, (_, i) => start(KINDS[i % KINDS.length]!, i));
let seen = 0;
const look = setInterval(() => {
  seen = Math.max(seen, processes().length);
}, 50);
for (const [i, { result }] of mixed.entries()) {
  const kind = KINDS[i % KINDS.length]!;
  const got = await result;
  if (got !== kind.ends) wrong.push(`${i} ${kind.name}: ${JSON.stringify(got.slice(0, 400))}`);
}
clearInterval(look);
const mixedMs = Date.now() - begun;
const leftByMixed = await left();

// All of them there at once, waiting.
begun = Date.now();
const waiting: Kind = { name: 'waits', argv: ['sh', '-c', 'echo up; read x; echo $x'], ends: 'up\nx\n:0' };
const idle = Array.from({ length: count }, (_, i) => start(waiting, i));
await Promise.all(idle.map(({ up }) => up));
const allUpMs = Date.now() - begun;
const pids = processes();
const atOnce = kib(pids);
for (const { child } of idle) child.stdin!.end('x\n');
for (const [i, { result }] of idle.entries()) {
  const got = await result;
  if (got !== waiting.ends) wrong.push(`${i} waits: ${JSON.stringify(got.slice(0, 400))}`);
}
const leftByIdle = await left();
process.stdout.write(
  JSON.stringify({
    wrong,
    seen,
    mixedMs,
    allUpMs,
    processes: pids.length,
    atOnce,
    left: [...leftByMixed, ...leftByIdle],
  }),
);
