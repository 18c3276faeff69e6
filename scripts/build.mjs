// Compiles src, test and bench into dist (or the folder named by VEDETTE_OUT), and marks the entry executable.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';

const out = process.env.VEDETTE_OUT ?? 'dist';
const tsc = spawnSync('node_modules/.bin/tsc', ['--outDir', out], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
const entry = `${out}/src/cli/main.js`;
if (existsSync(entry)) chmodSync(entry, 0o755);
