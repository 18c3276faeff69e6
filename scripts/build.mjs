// Compiles src, test and bench into dist (or the folder named by VEDETTE_OUT), then bundles the command: the kernel is
// some four hundred modules, and finding and linking them one by one costs more than running a short program.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';

const out = process.env.VEDETTE_OUT ?? 'dist';
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync('node_modules/.bin/tsc', ['--outDir', out], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

await build({
  entryPoints: [`${out}/src/cli/main.js`],
  outfile: `${out}/bundle.cjs`,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  define: { 'import.meta.url': '__entryUrl' },
  banner: {
    js: "const __entryUrl = require('node:url').pathToFileURL(__dirname + '/src/cli/main.js').href;",
  },
  logLevel: 'warning',
});
const command = `${out}/vedette.cjs`;
copyFileSync('src/cli/launcher.cjs', command);
chmodSync(command, 0o755);
// One run leaves V8's compiled code behind; where programs cannot run, the help at least.
const env = { ...process.env, VEDETTE_MAKE_CODE_CACHE: resolve(out, `code-${process.version}.cache`) };
const run = (args) =>
  spawnSync(process.execPath, [command, ...args], { env, stdio: 'ignore', timeout: 20_000 }).status;
if (run(['do', '--', '/bin/true']) !== 0) run(['--help']);
