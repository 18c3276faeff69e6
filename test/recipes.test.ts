// docs/adding-*.md are worked examples: what their blocks say is done, on a copy of the tree. A block's first line names the file
// that it is, or that it changes (diff), or that it is typed at a terminal (console).
// suite: 30 s
import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type RunResult, repoDir, runNative, systemPath } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const recipes = readdirSync(join(repoDir, 'docs')).filter((name) => /^adding-.*\.md$/.test(name));
/** How a program says that the host lacks what it is about. */
const NOT_HERE = 77;

interface Block {
  readonly recipe: string;
  /** ts, c, md, ...: a whole file. diff: a change of one. console: commands and what they print. */
  readonly kind: string;
  /** The file. Of a console, 'native' or 'root' where it needs what not every host has. */
  readonly target: string;
  readonly text: string;
}

function blocksOf(recipe: string): Block[] {
  const text = readFileSync(join(repoDir, 'docs', recipe), 'utf8');
  const found = [...text.matchAll(/^```(\w+) ?(\S*)\n(.*?)^```$/gms)];
  assert.equal(
    found.length * 2,
    [...text.matchAll(/^```/gm)].length,
    `${recipe}: a block that is not understood`,
  );
  return found.map((m) => ({ recipe, kind: m[1]!, target: m[2]!, text: m[3]! }));
}

/** Lines of a change: those that were there, once and in a row, become those that shall be. */
function change(tree: string, { recipe, target, text }: Block): void {
  const path = join(tree, target);
  const lines = text.split('\n').slice(0, -1);
  const side = (mark: string) =>
    lines
      .filter((line) => line[0] === mark || line[0] === ' ')
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  const parts = readFileSync(path, 'utf8').split(side('-'));
  assert.equal(
    parts.length,
    2,
    `${recipe}: ${target} has ${parts.length - 1} places for the change\n${text}`,
  );
  writeFileSync(path, parts.join(side('+')));
}

function apply(tree: string, block: Block): void {
  if (block.kind === 'diff') {
    change(tree, block);
    return;
  }
  const path = join(tree, block.target);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, block.text, { flag: 'wx' });
}

/** The commands of a console, each with what it is to print. */
function commandsOf(text: string): { command: string; output: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return { command: part.slice(0, end), output: part.slice(end + 1) };
    });
}

describe('recipes', needs('gcc', 'inside'), () => {
  const blocks = recipes.flatMap(blocksOf).filter(({ kind }) => kind !== 'console');
  let tree = '';
  const inTree = (argv: string[]): Promise<RunResult> =>
    runNative(argv, {
      cwd: tree,
      timeoutMs: 180_000,
      // biome keeps things at home.
      env: { HOME: tree, PATH: `${join(tree, 'bin')}:${dirname(process.execPath)}:${systemPath}` },
    });

  before(async () => {
    tree = mkdtempSync(join(tmpdir(), 'vedette-recipes-'));
    for (const name of [
      'src',
      'test',
      'bench',
      'scripts',
      'docs',
      'package.json',
      'tsconfig.json',
      'biome.json',
    ])
      cpSync(join(repoDir, name), join(tree, name), { recursive: true });
    symlinkSync(join(repoDir, 'node_modules'), join(tree, 'node_modules'));
    for (const dir of ['bin', 'build']) mkdirSync(join(tree, dir));
    writeFileSync(
      join(tree, 'bin/vedette'),
      `#!/bin/sh\nexec node ${join(tree, 'dist/vedette.cjs')} "$@"\n`,
      {
        mode: 0o755,
      },
    );
    for (const block of blocks) apply(tree, block);
    const built = await inTree(['node', 'scripts/build.mjs']);
    assert.equal(built.status, 0, built.stdout + built.stderr);
  });

  after(() => rmSync(tree, { recursive: true, force: true }));

  test('there are three at least', () => assert.ok(recipes.length >= 3, recipes.join(' ')));

  test('what they make is clean', async () => {
    const changed = [...new Set(blocks.map(({ target }) => target))].filter((file) => file.endsWith('.ts'));
    assert.ok(changed.length > 3, changed.join(' '));
    for (const argv of [
      ['node_modules/.bin/biome', 'check', '--error-on-warnings', ...changed],
      ['node', 'scripts/layers.mjs'],
      ['node', 'scripts/guidelines.mjs'],
    ]) {
      const r = await inTree(argv);
      assert.equal(r.status, 0, r.stdout + r.stderr);
    }
  });

  const play = async (t: TestContext, block: Block) => {
    const commands = commandsOf(block.text);
    assert.ok(commands.length > 0, 'no commands');
    for (const { command, output } of commands) {
      const r = await inTree(['sh', '-c', command]);
      if (block.target !== '' && r.status === NOT_HERE) return t.skip('this host does not have it');
      assert.equal(r.stdout + r.stderr, output, command);
      assert.equal(r.status, 0, command);
    }
  };

  for (const recipe of recipes) {
    const consoles = blocksOf(recipe).filter(({ kind }) => kind === 'console');
    for (const [i, block] of consoles.entries())
      test(
        `${recipe}, ${block.target || 'commands'} ${i + 1}`,
        block.target === 'root' ? needs('root') : {},
        (t) => play(t, block),
      );
    test(`${recipe} runs something`, () => assert.ok(consoles.length > 0));
  }
});
