// Who imports whom: every relative import of the source files, and whether a value comes with it or types alone, which
// are gone when the program runs. Read by layers.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Every .ts file under a folder. */
export const files = (dir) =>
  readdirSync(dir, { withFileTypes: true })
    .flatMap((e) =>
      e.isDirectory() ? files(join(dir, e.name)) : e.name.endsWith('.ts') ? [join(dir, e.name)] : [],
    )
    .sort();

// `import type {...} from`, `import {...} from`, `export * from`, `import '...'`, `import('...')`.
const STATEMENT =
  /^\s*(import|export)\s+(type\s+)?([^'";]*?)\s*from\s+'([^']+)'|\bimport\s*\(?\s*'([^']+)'/gm;

/** The relative imports of a file's text: where each leads, as written, and whether it is of types alone. */
export function importsOf(file, text = readFileSync(file, 'utf8')) {
  const found = [];
  for (const [, , typeOnly, names, from, bare] of text.matchAll(STATEMENT)) {
    const spec = from ?? bare;
    if (!spec.startsWith('.')) continue;
    const listed = names?.match(/^\{([^}]*)\}$/)?.[1];
    const types =
      typeOnly !== undefined ||
      listed
        ?.split(',')
        .map((name) => name.trim())
        .filter(Boolean)
        .every((name) => name.startsWith('type '));
    found.push({ spec, target: normalize(join(dirname(file), spec)), types });
  }
  return found;
}

/** Circles of a graph (node -> nodes): its strongly connected parts of more than one node, largest first. */
export function circles(graph) {
  const number = new Map();
  const low = new Map();
  const stack = [];
  const onStack = new Set();
  const found = [];
  // Tarjan's algorithm, with a stack of its own: chains of imports are long.
  for (const root of graph.keys()) {
    if (number.has(root)) continue;
    const work = [{ node: root, next: [...graph.get(root)], at: 0 }];
    while (work.length > 0) {
      const frame = work.at(-1);
      const { node } = frame;
      if (frame.at === 0) {
        number.set(node, number.size);
        low.set(node, number.get(node));
        stack.push(node);
        onStack.add(node);
      }
      const to = frame.next[frame.at++];
      if (to !== undefined) {
        if (!graph.has(to)) continue;
        if (!number.has(to)) work.push({ node: to, next: [...graph.get(to)], at: 0 });
        else if (onStack.has(to)) low.set(node, Math.min(low.get(node), number.get(to)));
        continue;
      }
      work.pop();
      const above = work.at(-1);
      if (above !== undefined) low.set(above.node, Math.min(low.get(above.node), low.get(node)));
      if (low.get(node) !== number.get(node)) continue;
      const part = stack.splice(stack.indexOf(node));
      for (const member of part) onStack.delete(member);
      if (part.length > 1) found.push(part.sort());
    }
  }
  return found.sort((a, b) => b.length - a.length);
}
