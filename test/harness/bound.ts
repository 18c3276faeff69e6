// Trees of the host for tests of --bind, and programs in them.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type RunResult, runInside, runNative } from './guest.ts';

/** Where the trees of this run are. */
export const top: string = mkdtempSync(join(tmpdir(), 'vedette-bind-'));
chmodSync(top, 0o755);
after(() => rmSync(top, { recursive: true, force: true }));
let trees = 0;

/** An empty directory, which all may enter. */
export function newTree(): string {
  const dir = join(top, `tree-${++trees}`);
  mkdirSync(dir);
  chmodSync(dir, 0o755);
  return dir;
}

const GIT = {
  GIT_AUTHOR_DATE: '2020-01-01T00:00:00Z',
  GIT_COMMITTER_DATE: '2020-01-01T00:00:00Z',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b',
};
export const LIMIT_MS = 120_000;

export function natively(dir: string, argv: string[]): Promise<RunResult> {
  return runNative(argv, { cwd: dir, env: GIT, timeoutMs: LIMIT_MS });
}

/** Runs in `dir`, which is bound at /bound. */
export function inside(dir: string, argv: string[], flags: string[] = []): Promise<RunResult> {
  const all = ['--bind', `${dir}:/bound`, '--cwd', '/bound', ...flags];
  return runInside(argv, { cwd: dir, env: GIT, flags: all, timeoutMs: LIMIT_MS });
}

export const sh = (script: string): string[] => ['sh', '-ec', `umask 022\n${script}`];
export const python = (script: string): string[] => ['python3', '-c', script];
