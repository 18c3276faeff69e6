// The package as its users get it: what is in it, installed for all users and into a folder that becomes read-only, imported with
// types; the man page, and completions in real shells.
// suite: 10 s
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { distDir, repoDir, systemPath } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const dir = mkdtempSync(join(tmpdir(), 'vedette-package-'));
after(() => {
  spawnSync('chmod', ['-R', 'u+w', dir]);
  rmSync(dir, { recursive: true, force: true });
});
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${systemPath}`,
  XDG_CACHE_HOME: '/proc/none',
};
const sh = (line: string, cwd = dir, ...words: string[]): SpawnSyncReturns<string> =>
  spawnSync('sh', ['-c', line, 'sh', ...words], { encoding: 'utf8', timeout: 60_000, cwd, env });
const must = (line: string, cwd = dir): string => {
  const r = sh(line, cwd);
  assert.equal(r.status, 0, `${line}: ${r.stdout}${r.stderr}`);
  return r.stdout;
};

const isDist = distDir === join(repoDir, 'dist');
/** npm packs dist/, and finds what we depend on in its cache, where it is when this tree was installed by it. */
const NPM = 'npm --offline --no-audit --no-fund';
const tarball = join(dir, 'vedette.tgz');
let why: string | false = isDist ? false : 'the build is not in dist/';
const packed = isDist ? sh(`npm pack --json --pack-destination ${dir}`, repoDir) : null;
interface Pack {
  filename: string;
  size: number;
  files: { path: string }[];
}
const pack: Pack | null = packed?.status === 0 ? (JSON.parse(packed.stdout) as Pack[])[0]! : null;
if (pack !== null) {
  must(`mv ${pack.filename} vedette.tgz`);
  mkdirSync(join(dir, 'local'));
  writeFileSync(join(dir, 'local/package.json'), '{"name":"user","private":true}');
  const r = sh(`${NPM} install ${tarball}`, join(dir, 'local'));
  if (r.status !== 0) why = /ENOTCACHED/.test(r.stderr) ? "npm's cache lacks what we depend on" : false;
}

describe('package', () => {
  test('holds what runs and nothing else', { skip: isDist ? false : 'the build is not in dist/' }, () => {
    assert.ok(pack !== null, packed?.stderr);
    assert.deepEqual(pack.files.map((f) => f.path).sort(), [
      'README.md',
      'dist/command.cjs',
      'dist/commander.LICENSE',
      'dist/gofer.cjs',
      'dist/kernel.cjs',
      'dist/proxy.cjs',
      'dist/sdk.cjs',
      'dist/sdk.d.cts',
      'dist/vedette',
      'dist/vedette.1',
      'dist/vedette.cjs',
      'package.json',
    ]);
    // Two thirds of it is the kernel. What else there is must not grow unseen.
    assert.ok(pack.size < 750_000, `${pack.size} bytes`);
    const { scripts } = JSON.parse(readFileSync(join(repoDir, 'package.json'), 'utf8'));
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prepack', 'postpack'];
    assert.deepEqual(
      atInstall.filter((name) => name in scripts),
      [],
    );
  });

  test('installed for all users: command and man page, without scripts', { skip: why }, () => {
    must(`${NPM} install --global --ignore-scripts --prefix ${dir}/global ${tarball}`);
    assert.equal(must(`${dir}/global/bin/vedette do -- echo hi`), 'hi\n');
    assert.ok(existsSync(join(dir, 'global/share/man/man1/vedette.1')));
  });

  test('run() in both kinds of modules, and its types', { skip: why }, () => {
    const local = join(dir, 'local');
    const call = "run(['echo', 'hi'], { clearEnv: true }).then((r) => process.stdout.write(r.stdout))";
    writeFileSync(join(local, 'a.mjs'), `import { run } from 'vedette'; ${call};`);
    writeFileSync(join(local, 'a.cjs'), `const { run } = require('vedette'); ${call};`);
    for (const file of ['a.mjs', 'a.cjs']) assert.equal(must(`node ${file}`, local), 'hi\n');
    const use = (line: string) => {
      writeFileSync(join(local, 'b.mts'), `import { type RunOptions, run } from 'vedette';\n${line}\n`);
      const types = join(repoDir, 'node_modules/@types');
      const flags = `--noEmit --strict --skipLibCheck --module nodenext --target es2023 --types node --typeRoots ${types}`;
      return sh(`${repoDir}/node_modules/.bin/tsc ${flags} b.mts`, local);
    };
    const good = `const o: RunOptions = { mount: ['/a:/b'], timeout: 5 };
const text: string | undefined = (await run(['ls'], o)).stdout;
const bytes: Buffer | undefined = (await run(['ls'], { encoding: 'buffer' })).stdout;
export { bytes, text };`;
    const fine = use(good);
    assert.equal(fine.status, 0, fine.stdout);
    assert.match(use("await run('ls -l');").stdout, /not assignable to parameter/);
    assert.match(use("await run(['ls'], { netwrk: 'none' });").stdout, /netwrk/);
  });

  test('in a folder that nobody can write, without a cache folder', { skip: why }, () => {
    must('chmod -R a-w,a+rX local');
    const command = join(dir, 'local/node_modules/.bin/vedette');
    assert.equal(must(`${command} do -- sh -c 'echo "$0"' x`), 'x\n');
    assert.match(must(`${command} --version`), /^\d+\.\d+\.\d+\n$/);
    assert.equal(
      readdirSync(join(dir, 'local/node_modules/vedette/dist')).filter((n) => n.endsWith('.cache')).length,
      0,
    );
  });
});

describe('man page', () => {
  const page = join(distDir, 'vedette.1');

  test('has every flag and command', () => {
    const text = readFileSync(page, 'utf8').replaceAll('\\-', '-');
    const help = sh(`node ${distDir}/vedette.cjs do --help`).stdout;
    const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)]
      .map((m) => m[1]!)
      .filter((f) => f !== '--help');
    assert.ok(flags.length > 15);
    for (const flag of [...flags, 'vedette doctor', '--json', 'EXIT STATUS'])
      assert.ok(text.includes(flag), flag);
  });

  test('is one that man shows without a complaint', needs('man', 'groff'), () => {
    const r = sh(`MANWIDTH=80 man --warnings -l ${page}`);
    assert.deepEqual([r.status, r.stderr], [0, '']);
    assert.match(r.stdout, /vedette - run Linux programs in a sandbox/);
  });
});

/** Lines of a shell's command, unfinished, and a word that completes them. */
const LINES: readonly (readonly [line: string, expected: string])[] = [
  ['vedette doct', 'doctor'],
  ['vedette do --platf', '--platform'],
  ['vedette do --platform s', 'systrap'],
  ['vedette do --platform=s', 'systrap'],
  ['vedette do --rootfs /us', '/usr'],
  ['vedette do -- unam', 'uname'],
  ['vedette do unam', 'uname'],
  ['vedette do --strace unam', 'uname'],
  ['vedette do --cwd / -- ls /etc/passw', '/etc/passwd'],
  ['vedette completion z', 'zsh'],
  ['vedette help doct', 'doctor'],
];

describe('completions', () => {
  const script = (shell: string): string => {
    const file = join(dir, `completion.${shell}`);
    writeFileSync(file, must(`node ${distDir}/vedette.cjs completion ${shell}`));
    return file;
  };

  test('bash', needs('bash'), () => {
    const driver = `source "$1"
      IFS= read -r line; line=\${line//=/ = }
      read -ra COMP_WORDS <<< "$line"; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      compopt() { :; }
      _vedette; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const file = script('bash');
    for (const [line, expected] of LINES) {
      const r = spawnSync('bash', ['-c', driver, 'bash', file], {
        input: `${line}\n`,
        encoding: 'utf8',
        env,
      });
      assert.equal(r.stderr, '', line);
      assert.ok(r.stdout.split('\n').includes(expected), `${line}: ${r.stdout}`);
    }
  });

  test('fish', needs('fish'), () => {
    const file = script('fish');
    for (const [line, expected] of LINES) {
      const home = { ...env, HOME: dir, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir, XDG_CACHE_HOME: dir };
      const words = ['-c', `source ${file}; complete --do-complete=$argv[1]`, line];
      const r = spawnSync('fish', words, { encoding: 'utf8', env: home });
      assert.equal(r.stderr, '', line);
      const found = r.stdout.split('\n').map((l) => l.split('\t')[0]!.replace(/^--platform=|\/$/g, ''));
      assert.ok(found.includes(expected), `${line}: ${r.stdout}`);
    }
  });

  test('zsh', needs('zsh', 'pseudo-terminals'), () => {
    const file = script('zsh');
    // The line editor itself, on a terminal of its own: what it makes of the line and Tab.
    const driver = `zmodload zsh/zpty
      zpty -b z "TERM=dumb zsh -f -i"
      zpty -w z "PS1= PS2= RPS1= ; autoload -U compinit; compinit -u -d ${dir}/zcompdump; source ${file}; print REA''DY"
      until-seen() { local part i=0; out=; while (( i++ < 200 )); do
        if zpty -rt z part; then out+=$part; [[ $out == *$1* ]] && return; else sleep 0.05; fi; done }
      until-seen READY
      while IFS=$'\\t' read -r line expected; do
        zpty -w -n z "$line"$'\\t'
        until-seen "$expected"
        print -r -- "$line: \${out//[$'\\r\\n']/ }"
        zpty -w -n z $'\\C-u'; sleep 0.1
      done`;
    const input = LINES.map(([line, expected]) => `${line}\t${expected}\n`).join('');
    const r = spawnSync('zsh', ['-f', '-c', driver], { input, encoding: 'utf8', env, timeout: 120_000 });
    const lines = r.stdout.split('\n');
    for (const [i, [line, expected]] of LINES.entries()) {
      const shown = lines[i] ?? '';
      assert.ok(
        shown.startsWith(`${line}: `) && shown.slice(line.length + 2).includes(expected),
        `${line}: ${r.stdout}${r.stderr}`,
      );
    }
  });
});
