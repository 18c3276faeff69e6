// What cells of the matrix are made of. A cell is { name, command, run() }: `command` is what a person would type, and run()
// runs that very text, with a program of ours in the place of `uname -a`, once for each platform.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const repo = dirname(dirname(import.meta.dirname));
/** The longest that one command of a cell may take. */
const LIMIT_MS = 40_000;
/** What cells write in the place of the program that is run inside. */
const PROGRAM = /vedette do ((?:--\S+ )*)-- uname -a/g;
const RIGHT = 'Linux\npear\nbattery right\n';

let folder = null;

/** A folder for this run, with the package as it is when installed, the battery and its script; readable for everybody. */
export function scratch() {
  if (folder !== null) return folder;
  const dir = mkdtempSync('/var/tmp/vedette-hosts-');
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
  spawnSync('chmod', ['755', dir]);
  const modules = join(dir, 'node_modules');
  const package_ = join(modules, 'vedette');
  mkdirSync(package_, { recursive: true });
  const copy = (from, to) =>
    cpSync(from, to, { recursive: true, dereference: true, preserveTimestamps: true });
  copy(join(repo, 'package.json'), join(package_, 'package.json'));
  const dist = join(repo, 'dist');
  const wanted = (path) =>
    path === dist || (dirname(path) === dist && /\/vedette$|\.c?js$|\.cache$/.test(path));
  cpSync(dist, join(package_, 'dist'), { recursive: true, preserveTimestamps: true, filter: wanted });
  for (const name of ['koffi', '@koromix', 'commander'])
    copy(join(repo, 'node_modules', name), join(modules, name));
  for (const folder of ['bin', 'inside']) mkdirSync(join(dir, folder));
  compile('battery.c', join(dir, 'inside/battery'));
  compile('seccomp.c', join(dir, 'bin/seccomp'));
  symlinkSync(join(package_, 'dist/vedette'), join(dir, 'bin/vedette'));
  writeFileSync(
    join(dir, 'inside/check.sh'),
    `uname -s && printf 'apple\\npear\\nfig\\n' | sort | tail -n 1 && exec ${dir}/inside/battery "$1"\n`,
  );
  folder = dir;
  return dir;
}

function compile(source, to) {
  const flags = ['-O1', '-static', '-pthread', '-o', to];
  const cc = spawnSync('cc', [...flags, join(import.meta.dirname, source)], { encoding: 'utf8' });
  if (cc.status !== 0) throw new Error(`${source} cannot be compiled: ${cc.error?.message ?? cc.stderr}`);
}

/** The installed command. */
export const vedette = () => join(scratch(), 'node_modules/vedette/dist/vedette.cjs');

/**
 * Runs a shell text: { status, stdout, stderr, timedOut }; what it started ends with it. `vedette`, `seccomp` (seccomp.c) and
 * this Node.js are in its PATH.
 */
export function shell(text, { env = {}, limitMs = LIMIT_MS, cwd = '/' } = {}) {
  const PATH = `${scratch()}/bin:${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  return new Promise((done) => {
    const child = spawn('/bin/sh', ['-c', text], {
      cwd,
      env: { ...process.env, PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const out = { status: -1, stdout: '', stderr: '', timedOut: false };
    const kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {}
    };
    const timer = setTimeout(() => {
      out.timedOut = true;
      kill();
    }, limitMs);
    child.stdout.on('data', (chunk) => (out.stdout += chunk));
    child.stderr.on('data', (chunk) => (out.stderr += chunk));
    child.on('exit', () => setTimeout(kill, 200).unref());
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      kill();
      done({ ...out, status: code ?? `signal ${signal}` });
    });
  });
}

/** First line of what a command said, cut to what a table can hold. */
export function oneLine(text) {
  const line = (text.trim().split('\n')[0] ?? '').replaceAll(scratch(), 'DIR');
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}

/** What came of one run of the battery: { result, detail }. `refusal` is what the one line of a refusal must say. */
export function judge(r, refusal = null, right = RIGHT) {
  if (r.timedOut) return { result: 'FAILED', detail: `not over in time; ${oneLine(r.stderr)}` };
  if (r.status === 0 && r.stdout === right && r.stderr === '')
    return { result: 'works', detail: 'all right' };
  const lines = r.stderr.trimEnd().split('\n');
  if (r.status === 125 && r.stdout === '' && lines.length === 1 && lines[0].startsWith('vedette: ')) {
    const said = oneLine(lines[0]);
    if (refusal?.test(said)) return { result: 'refused', detail: said };
    return { result: 'FAILED', detail: `refused without need: ${said}` };
  }
  return {
    result: 'FAILED',
    detail: `status ${r.status}: ${oneLine(r.stdout)} ${lines.slice(0, 3).join(' ')}`,
  };
}

/** One for a cell out of several: [label, { result, detail }]. What was right everywhere is said once. */
export function together(parts) {
  const has = (result) => parts.some(([, part]) => part.result === result);
  const result = ['FAILED', 'works', 'refused'].find(has) ?? 'not tried';
  const groups = new Map();
  for (const [label, part] of parts) {
    const text = part.result === 'works' ? part.detail : `${part.result}: ${part.detail}`;
    groups.set(text, [...(groups.get(text) ?? []), label]);
  }
  return { result, detail: [...groups].map(([text, labels]) => `${labels.join(', ')}: ${text}`).join('; ') };
}

export const notTried = (detail) => ({ result: 'not tried', detail });

/**
 * A cell that runs `command`, in which `vedette do -- uname -a` stands for the battery, on each of `platforms`.
 *   refuses   platform -> what its refusal must say, for what really cannot work
 *   needs     () => null, or why this machine cannot make the cell
 *   flags     flags for `vedette do`;  env: variables of the shell;  enter/leave: around it all
 */
export function cell(name, command, options = {}) {
  const { platforms = ['auto', 'systrap', 'ptrace'], refuses = {}, needs = () => null } = options;
  if (command.search(PROGRAM) < 0) throw new Error(`${name}: the command runs no uname -a`);
  return {
    name,
    command,
    async run() {
      const lack = needs();
      if (lack !== null) return notTried(lack);
      const parts = [];
      for (const platform of platforms) {
        const battery = `vedette do $1--platform=${platform} -- sh ${scratch()}/inside/check.sh $(date +%s)`;
        const r = await shell(command.replaceAll(PROGRAM, battery), { env: options.env });
        parts.push([platform, judge(r, refuses[platform] ?? null)]);
      }
      return together(parts);
    },
  };
}

/** null when all of these programs are there, else what is missing. */
export function lacks(...programs) {
  for (const program of programs)
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `needs ${program}`;
  return null;
}

export const isRoot = process.getuid() === 0;
