// An emulated machine: QEMU without the host's virtualisation, a kernel, and a root file system in memory that holds Node.js,
// the built command, guest programs and busybox. Nothing else of this machine is visible in it.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const here = import.meta.dirname;
const repo = dirname(dirname(dirname(here)));
const QEMU = process.env.VEDETTE_QEMU ?? 'qemu-system-x86_64';

/** QEMU's version, as [major, minor]. */
export function qemuVersion() {
  const r = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  return (/version (\d+)\.(\d+)/.exec(r.stdout) ?? []).slice(1).map(Number);
}

let folder = null;
let process_ = null;

/** A folder for this run. */
function scratch() {
  if (folder !== null) return folder;
  folder = mkdtempSync(join(tmpdir(), 'vedette-emulated-'));
  process.on('exit', () => {
    process_?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  return folder;
}

const find = (program) => {
  const r = spawnSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
  return r.status === 0 ? r.stdout.trim() : null;
};

/** null, or what this machine must have first. */
export function missing() {
  for (const [program, from] of [
    [QEMU, 'qemu-system-x86'],
    ['busybox', 'busybox-static'],
    ['cpio', 'cpio'],
    ['gcc', 'gcc'],
    ['apt-get', 'apt'],
  ])
    if (find(program) === null) return `needs ${basename(program)} (package ${from})`;
  if (!existsSync(join(repo, 'dist/vedette.cjs'))) return 'needs the build: npm run build';
  const busybox = spawnSync('ldd', [find('busybox')], { encoding: 'utf8' });
  return /not a dynamic/.test(busybox.stderr + busybox.stdout)
    ? null
    : 'needs a static busybox (busybox-static)';
}

/** Shared libraries of a program, its interpreter among them. */
function libraries(file) {
  const r = spawnSync('ldd', [file], { encoding: 'utf8' });
  return r.stdout.match(/\/\S+(?= \(0x)/g) ?? [];
}

function compile(program, to) {
  const source = join(repo, 'test/guest', `${program}.c`);
  const own = /^\/\/ build: (.*)/.exec(readFileSync(source, 'utf8'))?.[1]?.split(' ') ?? [];
  // An emulated processor is some thirty times slower, and the limit of a subtest is not what is tested.
  const flags = ['-O1', '-w', '-pthread', '-DCHECK_SECONDS=120', ...own];
  const r = spawnSync('gcc', [source, '-o', to, ...flags], { encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`${program}.c does not compile: ${r.stderr}`);
}

let image = null;

/** The root file system, with these guest programs; made once a run. */
function initramfs(guests) {
  if (image !== null) return image;
  const root = join(scratch(), 'root');
  const put = (from, to) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  };
  put(find('busybox'), 'bin/busybox');
  put(process.execPath, 'bin/node');
  for (const file of libraries(process.execPath)) put(file, file);
  put(join(here, 'init.sh'), 'init');
  chmodSync(join(root, 'init'), 0o755);
  mkdirSync(join(root, 'etc'));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');

  const opt = join(root, 'opt/vedette');
  mkdirSync(opt, { recursive: true });
  const dist = join(repo, 'dist');
  for (const file of readdirSync(dist))
    if (/^(kernel|command|vedette)\.cjs$|\.cache$/.test(file))
      cpSync(join(dist, file), join(opt, file), { preserveTimestamps: true });
  writeFileSync(join(opt, 'package.json'), '{"type": "module"}\n');
  put(join(dist, 'test/harness/guest.js'), 'opt/vedette/test/harness/guest.js');
  put(join(here, 'battery.mjs'), 'opt/vedette/battery.mjs');
  const koffi = '@koromix/koffi-linux-x64/linux_x64/koffi.node';
  put(join(repo, 'node_modules', koffi), join('opt/vedette/node_modules', koffi));

  mkdirSync(join(root, 'guests'));
  for (const program of guests) {
    const binary = join(root, 'guests', program);
    compile(program, binary);
    for (const library of libraries(binary)) if (!existsSync(join(root, library))) put(library, library);
  }

  const made = join(scratch(), 'initramfs');
  const pack = 'find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 > "$1"';
  const r = spawnSync('/bin/sh', ['-c', pack, 'sh', made], { cwd: root, encoding: 'utf8' });
  if (r.status !== 0) throw new Error(`initramfs: ${r.stderr}`);
  image = made;
  return made;
}

/** What the command of a machine looks like for a person. */
export function commandLine({ cpu, append = '', cpus = 2, memory = 1024, series }) {
  const kernel = `vmlinuz-${series || 'NEWEST'}`;
  return `qemu-system-x86_64 -accel tcg -cpu ${cpu} -smp ${cpus} -m ${memory} -kernel ${kernel} -initrd ROOT -append "${append}"`;
}

/**
 * Boots a machine and calls `onEvent` with each object that its battery prints; when that gives false, the machine ends.
 * Gives { console, stderr, timedOut }: the kernel's messages and what QEMU itself said.
 */
export function boot(
  { kernel, cpu, append = '', cpus = 2, memory = 1024, programs, guests, runs, limitS },
  onEvent,
) {
  const log = join(scratch(), 'console');
  rmSync(log, { force: true });
  const words = [
    'console=ttyS0 panic=-1 oops=panic',
    append,
    `vedette.programs=${programs.join(',')}`,
    `vedette.runs=${runs.join(',')}`,
  ];
  const args = [
    ...['-accel', 'tcg,thread=multi', '-cpu', cpu, '-smp', String(cpus), '-m', String(memory)],
    ...['-kernel', kernel, '-initrd', initramfs(guests), '-append', words.join(' ')],
    ...['-no-reboot', '-display', 'none', '-monitor', 'none', '-nic', 'none'],
    ...['-serial', `file:${log}`, '-serial', 'stdio'],
  ];
  return new Promise((done, fail) => {
    const qemu = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    process_ = qemu;
    let stderr = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      qemu.kill('SIGKILL');
    }, limitS * 1000);
    qemu.stderr.on('data', (chunk) => (stderr += chunk));
    createInterface({ input: qemu.stdout }).on('line', (line) => {
      const text = line.trim();
      let event = { noise: text };
      try {
        event = JSON.parse(text);
      } catch {}
      if (onEvent(event) === false) qemu.kill('SIGKILL');
    });
    qemu.on('error', fail);
    qemu.on('close', () => {
      clearTimeout(timer);
      process_ = null;
      const console = existsSync(log) ? readFileSync(log, 'latin1') : '';
      done({ console, stderr, timedOut });
    });
  });
}
