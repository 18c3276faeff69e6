// Processors, clocks and memory: how many cpus there are, what they can do, how time is told, how memory is promised.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { cell, isRoot, lacks, notTried, vedette } from './lib.mjs';

/** Whether `vedette do` has a flag yet. */
function lacksFlag(flag) {
  const help = spawnSync(process.execPath, [vedette(), 'do', '--help'], { encoding: 'utf8' }).stdout;
  return help.includes(`--${flag}`) ? null : `no such flag: --${flag}`;
}
const flagCell = (flag, value, options = {}) =>
  cell(`--${flag}=${value}`, `vedette do --${flag}=${value} -- uname -a`, {
    needs: () => lacksFlag(flag),
    ...options,
  });
const hasFsgsbase = / fsgsbase /.test(
  existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '',
);

/** A cpuset of one cpu by cgroup v1 or v2, which this shell joins; null when there is none to be had. */
function cpuset() {
  for (const root of ['/sys/fs/cgroup/cpuset', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']) {
    const dir = `${root}/vedette-hosts-${process.pid}`;
    if (!existsSync(`${root}/cgroup.procs`)) continue;
    try {
      mkdirSync(dir);
    } catch {
      continue;
    }
    try {
      if (existsSync(`${root}/cpuset.mems`))
        writeFileSync(`${dir}/cpuset.mems`, readFileSync(`${root}/cpuset.mems`, 'utf8'));
      writeFileSync(`${dir}/cpuset.cpus`, '0');
      return dir;
    } catch {
      rmdirSync(dir);
    }
  }
  return null;
}

const cpusetText = 'echo $$ > CGROUP/cgroup.procs; vedette do -- uname -a';
const cpusetCell = {
  name: 'a cpuset of one cpu, by a cgroup',
  command: cpusetText.replace('CGROUP', '/sys/fs/cgroup/cpuset/one'),
  async run() {
    if (!isRoot) return notTried('only root can make a cgroup');
    const dir = cpuset();
    if (dir === null) return notTried('no cgroup with the cpuset controller can be made here');
    try {
      return await cell('', cpusetText.replace('CGROUP', dir)).run();
    } finally {
      // Processes that were killed a moment ago may still be in it.
      for (let i = 0; i < 50 && existsSync(dir); i++) {
        try {
          rmdirSync(dir);
        } catch {
          await new Promise((done) => setTimeout(done, 100));
        }
      }
    }
  },
};

const OVERCOMMIT = '/proc/sys/vm/overcommit_memory';
const overcommitText = 'vedette do -- uname -a';
const overcommitCell = {
  name: 'vm.overcommit_memory=2',
  command: `sysctl -w vm.overcommit_memory=2; ${overcommitText}; sysctl -w vm.overcommit_memory=0`,
  async run() {
    if (!isRoot) return notTried('only root can set it');
    const value = (name) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
    // Others must not be refused memory because of us.
    if (value('Committed_AS') + 4e6 > value('CommitLimit'))
      return notTried('what runs on this machine has been promised nearly all memory');
    const before = readFileSync(OVERCOMMIT, 'utf8').trim();
    const restore = () => writeFileSync(OVERCOMMIT, before);
    process.once('exit', restore);
    try {
      writeFileSync(OVERCOMMIT, '2');
      return await cell('', overcommitText).run();
    } finally {
      restore();
      process.removeListener('exit', restore);
    }
  },
};

export const cells = [
  flagCell('fsgsbase', 'on', {
    needs: () => lacksFlag('fsgsbase') ?? (hasFsgsbase ? null : 'this processor or kernel has none'),
  }),
  flagCell('fsgsbase', 'off'),
  flagCell('clock', 'tsc'),
  flagCell('clock', 'vdso'),
  flagCell('clock', 'call'),
  cell('call sites left as they are', 'vedette do --no-patch-calls -- uname -a', { platforms: ['systrap'] }),
  cell('one cpu', 'taskset -c 0 vedette do -- uname -a', { needs: () => lacks('taskset') }),
  cell('the last cpu only', 'taskset -c $(($(nproc --all) - 1)) vedette do -- uname -a', {
    needs: () => lacks('taskset'),
  }),
  cpusetCell,
  overcommitCell,
  cell('lowest priority', 'chrt --idle 0 nice -n 19 vedette do -- uname -a', { needs: () => lacks('chrt') }),
  cell('no address space randomisation', 'setarch -R vedette do -- uname -a', {
    needs: () => lacks('setarch'),
  }),
];
