// Runs a shell on a real terminal, types into it, and tells what was shown and which mode the terminal was in.
import { spawn } from 'node:child_process';
import { systemPath, vedette } from './guest.ts';

/**
 * A step: what to type; what has to be shown before the next step (`poke` is typed again and again until then); `mode` notes the terminal's mode; `signal` goes to the
 * terminal's foreground group; `rows` changes the window; `sleep` waits (for what shows nothing); `hangup` ends the terminal.
 */
export type Step =
  | { type: string }
  | { shows: string }
  | { poke: string; shows: string }
  | { mode: string }
  | { signal: string }
  | { rows: number }
  | { sleep: number }
  | { hangup: true };

export interface Session {
  /** All that was shown. */
  shown: string;
  /** Modes by the names that the steps gave: flags that are on. */
  modes: Record<string, string>;
  /** What a step waited for in vain. */
  missed: string[];
  /** Processes of the session that are left a good while after its end. */
  left: string[];
}

const driver = `
import fcntl, json, os, pty, re, select, signal, struct, sys, termios, time
order = json.load(sys.stdin)
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 100)
    os.execvpe(order['argv'][0], order['argv'], order['env'])
os.close(slave)
shown, at, modes, missed, open_ = b'', 0, {}, [], True

def pump(timeout):
    global shown, open_
    if not open_ or not select.select([master], [], [], timeout)[0]:
        return
    try:
        data = os.read(master, 65536)
    except OSError:
        data = b''
    open_ = data != b''
    shown += data

def pump_until(end):
    while open_ and time.monotonic() < end:
        pump(max(0, min(0.05, end - time.monotonic())))

def mode():
    i, o, _, l = termios.tcgetattr(master)[:4]
    flags = [(i, 'ICRNL'), (o, 'OPOST'), (l, 'ICANON'), (l, 'ECHO'), (l, 'ISIG')]
    return ' '.join(name for word, name in flags if word & getattr(termios, name))

def session():
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                stat = open('/proc/' + name + '/stat').read()
            except OSError:
                continue
            fields = stat[stat.rindex(')') + 2:].split()
            if int(fields[3]) == pid and fields[0] != 'Z':
                found.append(name + ' ' + stat[stat.index('('):stat.rindex(')') + 1])
    return found

for step in order['steps']:
    if 'type' in step:
        os.write(master, step['type'].encode())
    elif 'shows' in step:
        want, end = step['shows'].encode(), time.monotonic() + order['patience']
        while open_ and shown.find(want, at) < 0 and time.monotonic() < end:
            if 'poke' in step:
                os.write(master, step['poke'].encode())
                pump_until(time.monotonic() + 0.3)
            pump(0.05)
        found = shown.find(want, at)
        if found < 0:
            missed.append(step['shows'])
            break
        at = found + len(want)
    elif 'mode' in step:
        modes[step['mode']] = mode()
    elif 'signal' in step:
        os.killpg(os.tcgetpgrp(master), getattr(signal, step['signal']))
    elif 'rows' in step:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', step['rows'], 80, 0, 0))
    elif 'sleep' in step:
        pump_until(time.monotonic() + step['sleep'])
    elif 'hangup' in step:
        os.close(master)
        open_ = False
end = time.monotonic() + (5 if missed else order['patience'])
while time.monotonic() < end:
    pump(0.05)
    if not open_:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            break
        time.sleep(0.02)
end = time.monotonic() + 20
while session() and time.monotonic() < end:
    time.sleep(0.05)
left = session()
for line in left:
    os.kill(int(line.split()[0]), signal.SIGKILL)
try:
    os.kill(pid, signal.SIGKILL)
except OSError:
    pass
json.dump({'shown': shown.decode('latin1'), 'modes': modes, 'missed': missed, 'left': left}, sys.stdout)
`;

/** How long a step waits for what has to be shown, and the end for the shell's. */
const PATIENCE_S = 60;

function run(argv: readonly string[], steps: readonly Step[], env: Record<string, string>): Promise<Session> {
  return new Promise((done, fail) => {
    const child = spawn('python3', ['-c', driver], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/tmp' });
    let text = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (part: string) => {
      text += part;
    });
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) done(JSON.parse(text) as Session);
      else fail(new Error(`the driver of the terminal ended with ${code}`));
    });
    child.stdin.end(JSON.stringify({ argv, steps, env, patience: PATIENCE_S }));
  });
}

const SHELL = ['bash', '--norc', '--noprofile', '--noediting', '-i'];
const flags = (process.env.VEDETTE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');

function environment(prefix: readonly string[]): Record<string, string> {
  const path = process.env.PATH ?? systemPath;
  return {
    PATH: path,
    HOME: '/nonexistent',
    TERM: 'xterm',
    LC_ALL: 'C',
    PS1: '$ ',
    V: prefix.join(' '),
    HISTFILE: '',
  };
}

/** The same steps in a shell with `$V` being nothing, and with `$V` being the command that runs programs inside. */
export async function bothWays(
  steps: readonly Step[],
  shell: readonly string[] = SHELL,
): Promise<{ native: Session; inside: Session }> {
  const [native, inside] = await Promise.all([
    run(shell, steps, environment([])),
    run(shell, steps, environment([...vedette, ...flags, '--'])),
  ]);
  return { native: native!, inside: inside! };
}

/** What was shown, without what differs from run to run: process ids, whether the host writes core files. */
export function settled(shown: string): string {
  return shown.replace(/^\[(\d+)\] \d+\r$/gm, '[$1] PID\r').replaceAll(' (core dumped)', '');
}
