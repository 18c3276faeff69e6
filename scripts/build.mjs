// Compiles src, test and bench into dist (or the folder named by VEDETTE_OUT), then bundles the kernel, and the command
// line beside it: four hundred modules, and finding and linking them one by one costs more than running a short program.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, transform } from 'esbuild';

const out = process.env.VEDETTE_OUT ?? 'dist';
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync('node_modules/.bin/tsc', ['--outDir', out], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

/** Modules of Node.js that are slow to load and not needed, by who asks for them. */
const replacements = [
  // commander starts programs only for subcommands that are files of their own.
  { module: 'node:child_process', from: /\/commander\//, contents: '' },
  // The bundle has a require already.
  { module: 'node:module', from: /./, contents: 'export const createRequire = () => require;' },
];
const withoutSlowModules = {
  name: 'without-slow-modules',
  setup(b) {
    for (const [i, { module, from }] of replacements.entries())
      b.onResolve({ filter: new RegExp(`^${module}$`) }, ({ importer }) =>
        from.test(importer) ? { path: String(i), namespace: 'replaced' } : undefined,
      );
    b.onLoad({ filter: /./, namespace: 'replaced' }, ({ path }) => ({
      contents: replacements[Number(path)].contents,
    }));
  },
};

/** A module *.image.ts holds machine code or other data that is the same in every run: the bundle gets what came out. */
const images = {
  name: 'images',
  setup(b) {
    b.onLoad({ filter: /\.image\.js$/ }, async ({ path }) => {
      const names = Object.entries(await import(pathToFileURL(path).href));
      return {
        contents: [
          "const u8 = (text) => new Uint8Array(Buffer.from(text, 'base64'));",
          ...names.map(([name, value]) => `export const ${name} = ${literal(value)};`),
        ].join('\n'),
      };
    });
  },
};

function literal(value) {
  if (value instanceof Uint8Array) return `u8('${Buffer.from(value).toString('base64')}')`;
  if (typeof value !== 'object' || value === null) {
    if (!['number', 'string', 'boolean'].includes(typeof value)) throw new Error(`no data: ${value}`);
    return JSON.stringify(value);
  }
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${literal(field)}`);
  return `{ ${fields.join(', ')} }`;
}

/**
 * esbuild fills the objects behind `import *` getter by getter as soon as the bundle starts; most are never looked at.
 * The text keeps its length, so that the source map stays right.
 */
function makeNamespacesLazy(text) {
  const eager = /var (\w+)=\{\};__export\(\1,(?=\{)/g;
  if (!eager.test(text)) throw new Error('esbuild makes namespaces in another way now');
  return text.replace(eager, (all, name) => `var ${name}=__namespace(()=>0||`.padEnd(all.length));
}

/** The command's bundle has the kernel's from the launcher, when it needs it. */
const kernelElsewhere = {
  name: 'kernel-elsewhere',
  setup(b) {
    b.onLoad({ filter: /\/cli\/kernel\.js$/ }, () => ({
      contents: 'export const runDo = (...args) => __kernel().runDo(...args);',
    }));
  },
};

async function makeBundle(name, entry, plugins) {
  const outfile = `${out}/${name}.cjs`;
  await build({
    entryPoints: [`${out}/src/cli/${entry}.js`],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: true,
    define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
    // The launcher compiles the bundle as it is: a function that gets what it needs of the module system.
    banner: {
      js: `(function (require, __filename, module, __kernel) {
const __dirname = __filename.slice(0, __filename.lastIndexOf('/')) + '/src/cli';
const __namespace = (make) => {
  let fill = (target) => ((fill = () => target), Object.assign(target, make()));
  return new Proxy({}, {
    get: (target, name) => fill(target)[name]?.(),
    ownKeys: (target) => Reflect.ownKeys(fill(target)),
  });
};`,
    },
    footer: { js: '})' },
    plugins: [withoutSlowModules, images, ...plugins],
    logLevel: 'warning',
  });
  const text = makeNamespacesLazy(readFileSync(outfile, 'latin1'));
  writeFileSync(outfile, text, 'latin1');
  return text;
}

/** Gives a bundle short names. The kernel's keep theirs, as reports of its bugs tell them. */
async function shorten(name, text) {
  const { code } = await transform(text, {
    minifyIdentifiers: true,
    minifyWhitespace: true,
    charset: 'ascii',
    target: 'node20',
  });
  writeFileSync(`${out}/${name}.cjs`, code, 'latin1');
  return code;
}

const bundles = [
  await makeBundle('kernel', 'kernel', []),
  await shorten('command', await makeBundle('command', 'main', [kernelElsewhere])),
];

/** The process for HTTP and TLS, which the relay starts, and the one that opens files with --gofer. */
for (const name of ['proxy', 'gofer'])
  await build({
    entryPoints: [`${out}/src/${name}/main.js`],
    outfile: `${out}/${name}.cjs`,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    charset: 'ascii',
    minify: true,
    define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
    plugins: [images],
    logLevel: 'warning',
  });

/** What programs import: the bundle, and its types as one file. */
async function makeSdk() {
  await build({
    entryPoints: [`${out}/src/sdk/index.js`],
    outfile: `${out}/sdk.cjs`,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    charset: 'ascii',
    define: { 'import.meta.dirname': '__dirname' },
    logLevel: 'warning',
  });
  const types = `${out}/types`;
  const args = ['-p', 'src/sdk/tsconfig.json', '--outDir', types];
  const made = spawnSync('node_modules/.bin/tsc', args, { stdio: 'inherit' });
  if (made.status !== 0) process.exit(made.status ?? 1);
  const text = ['flags', 'index'].map((name) => readFileSync(`${types}/${name}.d.ts`, 'utf8')).join('');
  const inner = /^(import|export) .* from '\.\/flags\.[jt]s';\n|^export \{\};\n/gm;
  writeFileSync(`${out}/sdk.d.cts`, `/// <reference types="node" />\n${text.replace(inner, '')}`);
  rmSync(types, { recursive: true });
}

await makeSdk();
const { makeProgram, version } = await import(pathToFileURL(`${out}/src/cli/program.js`).href);
const { manPage } = await import(pathToFileURL(`${out}/src/cli/manual.js`).href);
writeFileSync(
  `${out}/vedette.1`,
  manPage(
    makeProgram(async () => {}),
    version(),
  ),
);
copyFileSync('node_modules/commander/LICENSE', `${out}/commander.LICENSE`);

const stamp = createHash('sha256').update(bundles.join()).digest().readUInt32LE() >>> 1;
const launcher = readFileSync('src/cli/launcher.cjs', 'utf8').replace('BUILD = 0', `BUILD = ${stamp}`);
const command = `${out}/vedette.cjs`;
writeFileSync(command, readFileSync('src/cli/launcher.sh', 'utf8') + launcher, { mode: 0o755 });
const { starterProgram } = await import(pathToFileURL(resolve(out, 'src/cli/starter.js')).href);
const starter = `${out}/vedette`;
writeFileSync(starter, starterProgram(), { mode: 0o755 });
// A run of each bundle leaves V8's compiled code behind, with the launcher's flags and without.
// A program that starts others and works on files uses most of what any program uses.
const tour = `
  cd "$(mktemp -d)" && ls -l / | sort > a && cp a b && cat < b | wc && mkdir d && mv b d && ln -s d e && rm -r d e
  (sleep 0.01 & wait); date; find . -type f; kill -0 $$; grep -c root /etc/passwd; exit 0`;
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
  VEDETTE_MAKE_CODE_CACHE: resolve(out),
};
for (const words of [[resolve(starter)], [process.execPath, command]]) {
  const run = (args) =>
    spawnSync(words[0], [...words.slice(1), ...args], { env, stdio: 'ignore', timeout: 20_000 }).status;
  run(['do', '--', '/bin/sh', '-c', tour]);
  run(['--help']);
}
