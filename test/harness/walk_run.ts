// node walk_run.js WALK.json LOG COMMAND...: runs `vedette do -- COMMAND` from the unbundled build and writes to LOG, one
// a line, which of the functions in WALK.json ([file of the build, function]) were entered, in order. A worker holds the
// main thread at breakpoints through the inspector: the kernel's loop, which never returns to Node's, does not notice.
import { appendFileSync, readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

interface Place {
  readonly file: string;
  readonly name: string;
}

/** Line, from 0, at which a function, or a method as `Class.method`, of a built file begins; -1 when there is none. */
function lineOf(text: string, name: string): number {
  const lines = text.split('\n');
  const [first, method] = name.split('.');
  if (method === undefined) return find(lines, 0, new RegExp(`^(export )?(async )?function ${first}\\(`));
  const begin = find(lines, 0, new RegExp(`^(export )?(abstract )?class ${first}\\b`));
  return begin < 0 ? -1 : find(lines, begin, new RegExp(`^ +(static )?(async )?(get )?${method}\\(.*\\{$`));
}

function find(lines: readonly string[], from: number, what: RegExp): number {
  const i = lines.slice(from).findIndex((line) => what.test(line));
  return i < 0 ? -1 : from + i;
}

async function watch(places: readonly Place[], dist: string, log: string): Promise<void> {
  const session = new Session();
  session.connectToMainThread();
  const names = new Map<string, string>();
  session.on('Debugger.paused', ({ params }) => {
    for (const id of params.hitBreakpoints ?? []) appendFileSync(log, `${names.get(id)}\n`);
    void session.post('Debugger.resume');
  });
  await session.post('Debugger.enable');
  for (const { file, name } of places) {
    const lineNumber = lineOf(readFileSync(join(dist, file), 'utf8'), name);
    if (lineNumber < 0) throw new Error(`${file} has no ${name}`);
    const urlRegex = `/${file.replaceAll('.', '\\.')}$`;
    const { breakpointId } = await session.post('Debugger.setBreakpointByUrl', { lineNumber, urlRegex });
    names.set(breakpointId, `${file}: ${name}`);
  }
  parentPort!.postMessage('ready');
}

if (isMainThread) {
  const [walk, log, ...command] = process.argv.slice(2);
  const dist = join(import.meta.dirname, '../..');
  const places = JSON.parse(readFileSync(walk!, 'utf8')) as Place[];
  const worker = new Worker(new URL(import.meta.url), { workerData: { places, dist, log } });
  worker.on('error', (error) => {
    console.error(String(error));
    process.exit(2);
  });
  await new Promise((ready) => worker.once('message', ready));
  worker.unref();
  process.argv.splice(1, process.argv.length, join(dist, 'src/cli/main.js'), 'do', '--', ...command);
  await import(new URL('../../src/cli/main.js', import.meta.url).href);
} else {
  // A session alone does not keep the worker alive.
  parentPort!.on('message', () => {});
  const { places, dist, log } = workerData as { places: Place[]; dist: string; log: string };
  await watch(places, dist, log);
}
