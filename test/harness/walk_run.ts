// node walk_run.js WALK.json LOG COMMAND...: runs `vedette do COMMAND` (options first) from the unbundled build and writes to
// LOG, one a line, which of the functions in WALK.json were entered, in order. Breakpoints whose condition makes a note and is
// false never stop anything: the kernel's loop, which never returns to Node's, does not notice.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** A function, or a method as `Class.method`, of a file of src. */
export interface Place {
  readonly file: string;
  readonly name: string;
}

/** Line, from 0, at which a function or method of a source or a built file begins; -1 when there is none. */
export function lineOf(text: string, name: string): number {
  const lines = text.split('\n');
  const [first, method] = name.split('.');
  if (method === undefined)
    return lines.findIndex((line) => new RegExp(`^(export )?(async )?function\\*? ${first}[(<]`).test(line));
  const begin = lines.findIndex((line) => new RegExp(`^(export )?(abstract )?class ${first}\\b`).test(line));
  if (begin < 0) return -1;
  const end = lines.indexOf('}', begin);
  const what = new RegExp(
    `^ +((private|protected|public|override|static|async|get|set) )*\\*?${method}[(<].*[{(,]$`,
  );
  return lines.findIndex((line, i) => i > begin && i < end && what.test(line));
}

async function main(): Promise<void> {
  const [walk, log, ...command] = process.argv.slice(2);
  const dist = join(import.meta.dirname, '../..');
  const lines = (JSON.parse(readFileSync(walk!, 'utf8')) as Place[]).map(
    ({ file, name }) => `${file}: ${name}`,
  );
  const places = [...new Set(lines)];
  const fd = openSync(log!, 'a');
  Object.assign(globalThis, {
    entered: (i: number) => {
      writeSync(fd, `${places[i]!}\n`);
      return false;
    },
  });
  const session = new Session();
  session.connect();
  await session.post('Debugger.enable');
  for (const [i, place] of places.entries()) {
    const [file, name] = place.split(': ') as [string, string];
    const built = file.replace(/\.ts$/, '.js');
    const lineNumber = lineOf(readFileSync(join(dist, built), 'utf8'), name);
    if (lineNumber < 0) throw new Error(`no ${place}`);
    const urlRegex = `/${built.replaceAll('.', '\\.')}$`;
    await session.post('Debugger.setBreakpointByUrl', { lineNumber, urlRegex, condition: `entered(${i})` });
  }
  process.argv.splice(1, process.argv.length, join(dist, 'src/cli/main.js'), 'do', ...command);
  await import(new URL('../../src/cli/main.js', import.meta.url).href);
}

if (process.argv[1] === import.meta.filename) await main();
