// What the documentation points at is there: links, the paths of files that it names, and the examples of the guidelines.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { repoDir } from './harness/guest.ts';

const trees = ['src', 'test', 'bench', 'scripts', 'docs'].flatMap((dir) =>
  readdirSync(join(repoDir, dir), { recursive: true, encoding: 'utf8' }).map((path) => `${dir}/${path}`),
);
const texts = ['README.md', ...trees.filter((path) => path.endsWith('.md'))];
const read = (path: string) => readFileSync(join(repoDir, path), 'utf8');

/** Links of a text that lead into the repository: [text](target#part). */
function links(text: string): { before: string; target: string }[] {
  const found = [...text.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)];
  return found
    .map((m, i) => ({
      before: text.slice(i === 0 ? 0 : found[i - 1]!.index, m.index),
      target: m[1]!.replace(/#.*/, ''),
    }))
    .filter(({ target }) => target !== '' && !/^[a-z]+:/.test(target));
}

/** Names of files in backticks, `kernel/task/run.ts`, which say the end of a path; dist/ is built. */
function named(text: string): string[] {
  const names = [...text.matchAll(/`((?:[\w-]+\/)*[\w.-]+\.(?:ts|mjs|cjs|sh|md|c|h))`/g)].map((m) => m[1]!);
  return names.filter((name) => !name.startsWith('dist/'));
}

describe('documentation', () => {
  test('links lead to files', () => {
    const bad: string[] = [];
    let count = 0;
    for (const file of texts) {
      for (const { target } of links(read(file))) {
        count++;
        if (!existsSync(join(repoDir, dirname(file), target))) bad.push(`${file}: ${target}`);
      }
    }
    assert.ok(count > 20, `only ${count} links found`);
    assert.deepEqual(bad, []);
  });

  test('files that it names exist', () => {
    const bad: string[] = [];
    let count = 0;
    for (const file of texts) {
      for (const name of named(read(file))) {
        count++;
        if (!existsSync(join(repoDir, name)) && !trees.some((path) => path.endsWith(`/${name}`)))
          bad.push(`${file}: ${name}`);
      }
    }
    assert.ok(count > 200, `only ${count} names found`);
    assert.deepEqual(bad, []);
  });

  const guidelines = read('docs/guidelines.md');
  const paragraphs = guidelines.split('\n\n').filter((text) => text.startsWith('**'));

  test('every guideline has an example that exists', () => {
    assert.ok(paragraphs.length >= 20, `only ${paragraphs.length}`);
    for (const text of paragraphs) {
      const name = /^\*\*([a-z-]+)\.\*\* /.exec(text)?.[1];
      assert.ok(name !== undefined, `no name: ${text}`);
      const examples = links(text);
      assert.ok(examples.length > 0, `${name}: no example`);
      // "`name` in [file](path)": the file has it.
      for (const { before, target } of examples) {
        const [, symbol] = /`(\w+)` in\s$/.exec(before) ?? [];
        if (symbol === undefined) continue;
        const file = relative(repoDir, join(repoDir, 'docs', target));
        const defined = new RegExp(`\\b(function|class|interface|type|const) ${symbol}\\b`);
        assert.match(read(file), defined, `${name}: ${file} has no ${symbol}`);
      }
    }
  });

  test('scripts cite guidelines that exist', () => {
    const names = new Set(paragraphs.map((text) => /^\*\*([a-z-]+)\./.exec(text)?.[1]));
    const cited = ['scripts/layers.mjs', 'scripts/guidelines.mjs'].flatMap((file) =>
      [...read(file).matchAll(/\(([a-z]+(?:-[a-z]+)+)\)|complain\(\s*'([a-z-]+)',/g)].map(
        (m) => m[1] ?? m[2]!,
      ),
    );
    assert.ok(cited.length >= 5, `${cited.length} cited`);
    for (const name of cited) assert.ok(names.has(name), `no guideline ${name}`);
  });
});
