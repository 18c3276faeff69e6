// How long `vedette do -- /bin/true` takes, step by step: node scripts/startup.mjs [RUNS] [FLAGS...]
// Medians in ms. The Node.js that runs this is the one that is measured. VEDETTE_OUT names the build.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

const runs = Number(process.argv[2] ?? 20);
const command = resolve(process.env.VEDETTE_OUT ?? 'dist', 'vedette.cjs');
const args = ['do', ...process.argv.slice(3), '--', '/bin/true'];
const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
const dir = mkdtempSync(join(tmpdir(), 'vedette-startup-'));
const file = join(dir, 'times');
const steps = new Map();

const add = (step, ms) => {
  if (!steps.has(step)) steps.set(step, []);
  steps.get(step).push(ms);
};
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

for (let i = -1; i < runs; i++) {
  rmSync(file, { force: true });
  const begin = performance.now();
  const r = spawnSync(command, args, {
    env: { ...process.env, PATH: path, VEDETTE_STARTUP_TIMES: file },
    stdio: 'ignore',
  });
  const wall = performance.now() - begin;
  if (r.status !== 0) throw new Error(`status ${r.status}`);
  // The first run may have to make a code cache.
  if (i < 0) continue;
  let last = 0;
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { step, ms } = JSON.parse(line);
    add(step, ms - last);
    last = ms;
  }
  add('process started and ended', wall - last);
  add('all', wall);
}
rmSync(dir, { recursive: true });
for (const [step, list] of steps) console.log(`${median(list).toFixed(2).padStart(8)}  ${step}`);
