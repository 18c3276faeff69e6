// Compiles src, test and bench into dist (or the folder named by VEDETTE_OUT), then bundles the command: the kernel is
// some four hundred modules, and finding and linking them one by one costs more than running a short program.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const out = process.env.VEDETTE_OUT ?? 'dist';
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync('node_modules/.bin/tsc', ['--outDir', out], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const entry = `${out}/src/cli/main.js`;
await build({
  entryPoints: [entry],
  outdir: `${out}/src/cli`,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});
chmodSync(entry, 0o755);
