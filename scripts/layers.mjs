// Import-direction lint: a file may import only from its own layer's allowed list (docs/architecture.md, Layers), and no
// files or folders import values of each other in a circle. Circles of types alone are counted: they are where they are told
// below, and no larger. docs/guidelines.md says why: imports-point-down, no-circles-of-values.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { circles, files, importsOf } from './imports.mjs';

/** Layer folder -> folders it may import besides itself. The longest matching folder wins. */
const LAYERS = {
  'src/abi': [],
  'src/asm': [],
  'src/elf': ['src/abi'],
  'src/host': ['src/abi', 'src/asm'],
  'src/net': ['src/abi'],
  'src/gofer': ['src/abi', 'src/host'],
  'src/proxy': ['src/abi', 'src/host'],
  'src/sentry/base': ['src/abi'],
  'src/sentry/memfile': ['src/abi', 'src/host', 'src/sentry/base'],
  'src/sentry/vdso': ['src/abi', 'src/asm', 'src/elf'],
  'src/sentry/platform': [
    'src/abi',
    'src/asm',
    'src/elf',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
  ],
  'src/sentry/mm': ['src/abi', 'src/host', 'src/sentry/base', 'src/sentry/memfile', 'src/sentry/platform'],
  'src/sentry/vfs': ['src/abi', 'src/host', 'src/sentry/base', 'src/sentry/memfile', 'src/sentry/mm'],
  'src/sentry/fs': [
    'src/abi',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
    'src/sentry/mm',
    'src/sentry/vfs',
  ],
  'src/sentry/socket': [
    'src/abi',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
    'src/sentry/mm',
    'src/sentry/vfs',
    'src/net',
  ],
  'src/sentry/kernel': [
    'src/sentry/vdso',
    'src/abi',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
    'src/sentry/platform',
    'src/sentry/mm',
    'src/sentry/vfs',
    'src/sentry/fs',
    'src/sentry/socket',
    'src/net',
  ],
  'src/sentry/fs/proc': [
    'src/sentry/fs',
    'src/abi',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
    'src/sentry/platform',
    'src/sentry/mm',
    'src/sentry/vfs',
    'src/sentry/kernel',
    'src/sentry/socket',
  ],
  'src/sentry/loader': [
    'src/sentry/platform',
    'src/sentry/vdso',
    'src/abi',
    'src/elf',
    'src/host',
    'src/sentry/base',
    'src/sentry/memfile',
    'src/sentry/mm',
    'src/sentry/vfs',
    'src/sentry/kernel',
    'src/sentry/fs',
  ],
  'src/sentry/syscalls': ['src/abi', 'src/elf', 'src/host', 'src/net', 'src/sentry'],
  // Rows tell how a call looks; no handler is known here.
  'src/sentry/strace': [
    'src/abi',
    'src/host',
    'src/sentry/base',
    'src/sentry/platform',
    'src/sentry/mm',
    'src/sentry/kernel',
    'src/sentry/syscalls/kinds.ts',
    'src/sentry/syscalls/arg_text.ts',
  ],
  // Decisions alone: the SDK shares them.
  'src/runtime/policy': ['src/abi', 'src/net'],
  'src/runtime': [
    'src/abi',
    'src/asm',
    'src/elf',
    'src/host',
    'src/net',
    'src/gofer',
    'src/proxy',
    'src/sentry',
    'src/runtime/policy',
  ],
  'src/sdk': ['src'],
  'src/cli': ['src'],
};

const folders = Object.keys(LAYERS).sort((a, b) => b.length - a.length);
const layerOf = (file) => folders.find((f) => file.startsWith(`${f}/`));
let bad = 0;
const complain = (text) => {
  console.error(text);
  bad++;
};
for (const file of files('src')) {
  const layer = layerOf(file);
  if (layer === undefined) {
    complain(`${file}: belongs to no layer`);
    continue;
  }
  const text = readFileSync(file, 'utf8');
  const isTest = file.endsWith('.test.ts');
  if (text.includes('koffi') && layer !== 'src/host') complain(`${file}: the FFI is loaded only in src/host`);
  for (const { spec, target } of importsOf(file, text)) {
    const to = layerOf(target);
    if (to === undefined) {
      if (!isTest) complain(`${file}: imports ${target}, which belongs to no layer`);
      continue;
    }
    if (isTest) continue;
    // One file system does not import another: what they share lives in the VFS.
    const folder = (path) => path.split('/').slice(0, 4).join('/');
    if (to === 'src/sentry/fs' && layer === to && folder(file) !== folder(target))
      complain(`${file}: imports its sibling ${target}`);
    if (to === layer) continue;
    const allowed = LAYERS[layer].some((a) => to === a || to.startsWith(`${a}/`) || target === a);
    if (!allowed) complain(`${file}: ${layer} must not import ${to} (${spec})`);
  }
}

/** Graphs of the sources without tests: of files or of folders, of values alone or of types too. */
function graph(nodeOf, types) {
  const edges = new Map();
  for (const file of files('src')) {
    if (/\.test(\.helper)?\.ts$/.test(file)) continue;
    const from = nodeOf(file);
    if (!edges.has(from)) edges.set(from, new Set());
    for (const i of importsOf(file)) {
      const to = nodeOf(i.target);
      // A folder is the door of those in it: what it imports of them is no circle with what they import of it.
      if (to !== from && !to.startsWith(`${from}/`) && (types || !i.types)) edges.get(from).add(to);
    }
  }
  return edges;
}

for (const [what, nodeOf] of [
  ['files', (file) => file],
  ['folders', dirname],
])
  for (const circle of circles(graph(nodeOf, false)))
    complain(`${what} import values of each other in a circle (no-circles-of-values): ${circle.join(' ')}`);

/**
 * Circles of types between files, by the file that they are known by, and how many files they may have. Each is a state
 * and its behaviour, which lives by theme in files that the state's face calls: struct task_struct, struct mm_struct,
 * struct inode and struct file with what they reach, struct unix_sock, struct net with the protocols.
 */
const TYPE_CIRCLES = {
  'src/sentry/kernel/task/task.ts': 40,
  'src/sentry/mm/mm.ts': 15,
  'src/sentry/vfs/file.ts': 16,
  'src/sentry/socket/unix/unix.ts': 10,
  'src/net/stack.ts': 19,
};
for (const circle of circles(graph((file) => file, true))) {
  const key = Object.keys(TYPE_CIRCLES).find((file) => circle.includes(file));
  if (key === undefined || circle.length > TYPE_CIRCLES[key])
    complain(`${circle.length} files need each other's types (no-circles-of-values): ${circle.join(' ')}`);
}
if (process.argv.includes('--circles'))
  for (const circle of circles(graph((file) => file, true)))
    console.log(`${circle.length} ${circle.join(' ')}`);
if (bad > 0) {
  console.error(`${bad} import(s) against the layering`);
  process.exit(1);
}
