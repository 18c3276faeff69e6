// The command in the hands of somebody who makes mistakes: each is told in one line, with what to do, and none hangs. What belongs
// to the program is never touched.
// suite: 20 s
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { distDir, repoDir, systemPath } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const vedette = join(distDir, 'vedette.cjs');
const dir = mkdtempSync(join(tmpdir(), 'vedette-command-'));
after(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, 'dir'));
mkdirSync(join(dir, 'a:b'));
writeFileSync(join(dir, 'a:b', 'inner'), 'colon\n');
writeFileSync(join(dir, 'file'), 'text\n');

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  const r = spawnSync(process.execPath, [vedette, ...args], {
    encoding: 'utf8',
    timeout: 40_000,
    cwd: dir,
    env: { ...process.env, PATH: systemPath, ...env },
  });
  return { status: r.status, stdout: r.stdout, stderr: r.stderr };
}

/** One line of a person's mistake, with the fix. */
function refuses(args: readonly string[], pattern: RegExp, status = 125): void {
  const r = run(args);
  const what = `vedette ${args.join(' ')}: ${r.stderr}`;
  assert.equal(r.status, status, what);
  assert.equal(r.stdout, '', what);
  assert.match(r.stderr, /^vedette: [^\n]+; fix: [^\n]+\n$/, what);
  assert.match(r.stderr, pattern, what);
}

describe('mistakes name the fix', { concurrency: 2 }, () => {
  test('places inside that cannot be', () => {
    refuses(['do', '--tmpfs', '/etc/passwd', 'true'], /--tmpfs \/etc\/passwd: inside, .* is a file/);
    refuses(['do', '--tmpfs', '/etc/passwd/x', 'true'], /is a file/);
    refuses(['do', '--tmpfs', '/proc/x', 'true'], /--tmpfs \/proc\/x: EPERM/);
    refuses(['do', '--tmpfs', 'rel', 'true'], /fix: --tmpfs \/rel/);
    refuses(['do', '--mount', 'dir:/etc/passwd', 'true'], /--mount .*\/dir:\/etc\/passwd: .* is a file/);
    refuses(['do', '--mount', 'file:/etc', 'true'], /is a directory, which no file can replace/);
    refuses(['do', '--mount', 'file:/', 'true'], /is a directory/);
    refuses(['do', '--mount', 'file:/proc/1/x', 'true'], /EPERM/);
    refuses(['do', '--mount', 'none:/x', 'true'], /no such file or directory on this machine/);
    refuses(['do', '--mount', '~/none:/x', 'true'], /write \$HOME/);
    refuses(['do', '--mount', 'a:b:/x', 'true'], /a : in a path is written \\:/);
  });

  test('links in a place inside are followed, and paths may have colons', () => {
    const script = 'ls -d "$(readlink -f /bin)/made"; cat /y/inner /z/inner';
    const mounts = ['--tmpfs', '/bin/made', '--mount', 'a\\:b:/y', '--mount', 'src=a:b,dst=/z,ro'];
    const r = run(['do', ...mounts, '--', 'sh', '-c', script]);
    assert.match(r.stdout, /^\/\S*bin\/made\ncolon\ncolon\n$/, r.stderr);
  });

  test('roots, working directories, users', () => {
    refuses(['do', '--rootfs', '', 'true'], /--rootfs: the value is empty/);
    refuses(['do', '--rootfs=', '--', 'true'], /--rootfs: the value is empty/);
    refuses(['do', '--rootfs', 'file', 'true'], /--rootfs .*file: not a directory/);
    refuses(['do', '--rootfs', 'none', 'true'], /no such file or directory/);
    refuses(['do', '--cwd', '/no/such', 'true'], /--cwd \/no\/such: no such directory inside/);
    refuses(['do', '--cwd', 'rel', 'true'], /absolute/);
    refuses(['do', '--user', 'nobody-here', 'true'], /no such user inside/);
  });

  test('a root whose /proc is a file', () => {
    const root = join(dir, 'odd-root');
    mkdirSync(root);
    writeFileSync(join(root, 'proc'), '');
    refuses(['do', '--rootfs', root, 'true'], /--rootfs: \/proc: inside, .* is a file/);
  });

  test('values', () => {
    refuses(['do', '-m', '99999g', 'true'], /--memory 99999g: this machine has \d+m; fix: --memory \d+m/);
    refuses(['do', '-m', 'lots', 'true'], /not a size/);
    refuses(['do', '--cpus', '0', 'true'], /--cpus 0: .*fix: a number from 1 to 9999/);
    refuses(
      ['do', '--network', 'bridge', 'true'],
      /--network bridge: .*fix: one of: none, user, sandbox, host/,
    );
    refuses(['do', '--platform', 'kvm', 'true'], /fix: --platform auto/);
    refuses(['do', '--platform', 'x', 'true'], /fix: one of: auto, systrap, ptrace/);
    refuses(['do', '--clock', 'x', 'true'], /fix: one of: auto, tsc/);
    refuses(['do', '--cwd'], /--cwd: the value is missing/);
    refuses(['do', '--cwd', '--', 'true'], /--cwd: the value is missing/);
    refuses(['do', '-e'], /--env: the value is missing/);
  });

  test('flags that take one value and stand twice', () => {
    refuses(
      ['do', '--overlay', 'a', '--overlay=b', 'true'],
      /^vedette: --overlay: given twice, as a and b; fix: leave one of the two out/,
    );
    assert.equal(existsSync(join(dir, 'b')), false);
    refuses(['do', '--cwd=/', '--cwd=/tmp', '--', 'true'], /--cwd: given twice, as \/ and \/tmp; fix/);
    refuses(['do', '-m', '64m', '--memory=1g', 'true'], /--memory: given twice, as 64m and 1g; fix/);
    refuses(['do', '-m64m', '-m', '1g', 'true'], /--memory: given twice, as 64m and 1g; fix/);
    refuses(['do', '--strace', '--strace=f', 'true'], /--strace: given twice; fix/);
    const lists = ['-e', '--pass-env', '--env-file', '--hide', '--pass-fd', '--mount', '--bind', '--tmpfs'];
    const often = ['--allow', '--deny', '-p', '--publish', '--dns', '--secret'].concat(lists);
    const help = run(['help', 'do']).stdout;
    const single = [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+) [<[]/gm)].map((m) => m[1]!);
    assert.ok(single.length > 20, help);
    for (const flag of single.filter((f) => !often.includes(f) && f !== '--env'))
      refuses(['do', `${flag}=1`, `${flag}=2`, '--', 'true'], new RegExp(`${flag}: given twice`));
    assert.deepEqual(run(['do', '-e', 'A=1', '-e', 'A=2', '--', 'printenv', 'A']).stdout, '2\n');
  });

  test('files for reports, and folders where none can be made, in time', () => {
    refuses(['do', '--strace=/no/such/x', 'true'], /--strace \/no\/such\/x: ENOENT/);
    refuses(['do', `--profile=${dir}`, 'true'], /--profile .*: EISDIR/);
    refuses(['do', '--debug-log', '/proc/x', 'true'], /--debug-log \/proc\/x: ENOENT/);
    refuses(['do', '--debug-log', 'file', 'true'], /--debug-log .*file: ENOTDIR/);
    const r = run(['version'], { XDG_CACHE_HOME: '/proc/nope' });
    assert.deepEqual([r.status, r.stderr], [0, '']);
  });

  test('flags and commands that do not exist', () => {
    refuses(['do', '--netwrk', 'none', '--', 'true'], /unknown flag --netwrk; fix: did you mean --network\?/);
    refuses(['do', '--netwrk=none', '--', 'true'], /did you mean --network=none\?/);
    refuses(['do', '-v', 'a:/b', '--', 'true'], /did you mean --mount SRC:DST\?/);
    refuses(['do', '-it', '--', 'true'], /fix: leave it out/);
    refuses(['do', '--qqqqqqqq', '--', 'true'], /fix: "vedette do --help" lists all/);
    refuses(['doctor', '--jsn'], /did you mean --json\?/);
    refuses(['doctor', 'more'], /too many arguments/);
    refuses(['ls', '/'], /fix: did you mean: vedette do -- ls \/\n/);
    refuses(['--', 'ls', '/'], /fix: did you mean: vedette do -- ls \/\n/);
    refuses(['sh', '-c', 'echo "a b"'], /fix: did you mean: vedette do -- sh -c 'echo "a b"'\n/);
    // That is a container of runc's, of which there is no configuration here.
    const container = run(['run', '--', 'ls']);
    assert.deepEqual(
      [container.status, /config\.json not found; fix: .*vedette do -- CMD\n/.test(container.stderr)],
      [1, true],
    );
    refuses(['dox'], /fix: did you mean: vedette do\n/);
    refuses(['qqqqqqqq'], /fix: one of do, doctor, completion, help, version;/);
    refuses(['--rootfs', '/', 'true'], /--rootfs is a flag of do; fix: vedette do --rootfs \/ true\n/);
    refuses(['do'], /no program to run; fix: vedette do \[FLAGS\] -- CMD/);
    refuses(['do', '--'], /no program to run/);
    refuses(['do', '--', ''], /no program to run/);
    refuses(['help', 'doctr'], /did you mean: vedette doctor/);
    refuses(['completion', 'tcsh'], /fix: one of: bash, zsh, fish/);
  });

  test('programs that are not programs', () => {
    refuses(['do', '--', 'ls -l'], /ls -l: command not found; fix: without the quotes/, 127);
    refuses(['do', '--', 'cd', '/'], /cd: command not found; fix: by a shell/, 127);
    refuses(['do', '--strace', 'trace.txt', '--', 'true'], /trace\.txt: .*fix: .*--strace=trace\.txt/, 127);
  });

  test('help and version are commands as well', () => {
    const same = (a: string[], b: string[]) => {
      const [one, two] = [run(a), run(b)];
      assert.deepEqual(one, two);
      assert.deepEqual([one.status, one.stderr], [0, '']);
      assert.ok(one.stdout.length > 5);
    };
    same(['help'], ['--help']);
    same(['help', 'do'], ['do', '--help']);
    same(['help', 'doctor'], ['doctor', '-h']);
    same(['version'], ['--version']);
    assert.match(run(['help', 'do']).stdout, /Without --network there is no network inside but loopback/);
  });
});

describe('the program has its words', { concurrency: 2 }, () => {
  const flagWords = ['--strace', '--profile', '--help', '-e', '--version', '--cwd=x', '--', '-'];

  test('with and without --', () => {
    const print = ['printf', '%s.', ...flagWords];
    const expected = flagWords.map((word) => `${word}.`).join('');
    for (const before of [[], ['--'], ['--cwd', '/'], ['--cwd=/', '--'], ['-e', 'A=--', '-m1g']])
      assert.deepEqual(run(['do', ...before, ...print]), { status: 0, stdout: expected, stderr: '' });
  });

  test('a flag whose value may be left out takes none of them', () => {
    const shell = run(['do', '--strace', 'sh', '-c', 'echo hi; echo "$0"', '--', 'x']);
    assert.equal(shell.stdout, 'hi\n--\n');
    assert.match(shell.stderr, /write\(1, "hi\\n", 3\)/);
    const env = run(['do', '--profile', '--strace=trace', 'env', '--', 'echo', '--strace']);
    assert.equal(env.stdout, '--strace\n');
    assert.match(env.stderr, / in the kernel\n/);
  });
});

describe('small limits', () => {
  const limited = (limit: string, args: string): Outcome => {
    const path = `PATH=${dirname(process.execPath)}:$PATH`;
    const r = spawnSync('sh', ['-c', `ulimit ${limit}; ${path}; exec "$0" ${args}`, vedette], {
      encoding: 'utf8',
      timeout: 40_000,
    });
    return { status: r.status, stdout: r.stdout, stderr: r.stderr };
  };
  const says = (limit: string, pattern: RegExp) => {
    const r = limited(limit, 'do -- true');
    assert.equal(r.status, 125, r.stderr);
    assert.match(r.stderr, /^vedette: [^\n]+; fix: [^\n]+\n$/);
    assert.match(r.stderr, pattern);
  };

  test('address space: what V8 would say in its own words, or never', () => {
    for (const kib of [100_000, 300_000, 600_000]) says(`-v ${kib}`, /raise "ulimit -v" to 2000000 or more/);
    assert.equal(limited('-v 2000000', 'do -- true').status, 0);
  });

  test('open files: 48 are enough, and fewer name the number', () => {
    says('-n 32', /32 open files are too few; fix: raise "ulimit -n" to 64 or more/);
    const script = "'ls -l /proc/self/fd | wc -l; for i in 1 2 3; do echo $i & done; wait; seq 3 | sort -r'";
    const r = limited('-n 48', `do -- sh -c ${script}`);
    assert.deepEqual([r.status, r.stderr], [0, '']);
    assert.match(r.stdout, /\n3\n2\n1\n$/);
  });

  test('processes', needs('root', 'setpriv', 'prlimit'), () => {
    const command = ['--reuid', '321987', '--regid', '65534', '--clear-groups', 'prlimit', '--nproc=5'];
    // By the launcher's first lines: Node.js with all its threads hangs here before anything of ours runs.
    const r = spawnSync('setpriv', [...command, vedette, 'do', '--', 'true'], {
      encoding: 'utf8',
      timeout: 40_000,
      cwd: '/',
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${systemPath}` },
    });
    assert.equal(r.status, 125, r.stderr);
    assert.match(r.stderr, /^vedette: [^\n]+; fix: [^\n]*raise "ulimit -u" by 64 or more[^\n]*\n$/);
  });
});

/** Runs a line of shell in a root of its own, which has programs and the package and neither /proc nor /dev. */
function inChroot(line: string): Outcome {
  const root = join(dir, 'chroot');
  const node = dirname(process.execPath);
  const binds = ['/usr', '/lib', '/lib64', '/bin', '/etc', distDir, join(repoDir, 'node_modules'), node];
  const shown = binds.filter((path) => existsSync(path));
  for (const path of [...shown, '/tmp']) mkdirSync(join(root, path), { recursive: true });
  const mounts = shown.map((path) => `mount --bind ${path} ${root}${path} && `).join('');
  const script = `${mounts} cd ${root} && exec chroot ${root} sh -c 'cd /; exec "$@"' sh sh -c "$1"`;
  const path = `${node}:${systemPath}`;
  const r = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', line], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: path, HOME: '/tmp', VEDETTE: vedette },
  });
  return { status: r.status, stdout: r.stdout, stderr: r.stderr };
}

describe('a chroot without /proc and /dev', needs('root', 'unshare', 'chroot'), () => {
  test('programs run, on both platforms', () => {
    for (const platform of ['systrap', 'ptrace']) {
      const r = inChroot(
        `echo in | "$VEDETTE" do --platform=${platform} -- sh -c "cat; echo $$; ls /dev/null"`,
      );
      assert.deepEqual([r.status, r.stderr], [0, ''], platform);
      assert.match(r.stdout, /^in\n\d+\n\/dev\/null\n$/);
    }
  });

  test('doctor is right', () => {
    const r = inChroot('"$VEDETTE" doctor --json');
    const { works, findings } = JSON.parse(r.stdout) as {
      works: boolean;
      findings: { name: string; state: string; detail: string }[];
    };
    const states = Object.fromEntries(findings.map((f) => [f.name, f.state]));
    assert.equal(works, true, r.stdout);
    for (const name of ['node', 'limits', 'memfd', 'systrap', 'ptrace', 'userns'])
      assert.equal(states[name], 'ok', r.stdout);
    assert.equal(r.status, Object.values(states).includes('degraded') ? 1 : 0);
  });
});
