// Which cases and sections the names of a command line stand for.

import { microUnits } from './micro_units.ts';
import { UserError } from './options.ts';
import type { Unit } from './units.ts';
import { workloads } from './workloads.ts';

const sections = ['micro', 'workloads', 'python', 'startup', 'memory'];

export interface Selection {
  readonly units: Unit[];
  readonly wanted: (caseName: string) => boolean;
  readonly startup: boolean;
  readonly memory: boolean;
}

export function select(names: readonly string[]): Selection {
  const all = [...microUnits, ...workloads];
  const chosen = new Set<string>();
  for (const name of names) {
    const cases = casesOf(name, all);
    if (cases.length === 0 && !sections.includes(name))
      throw new UserError(`no case, group or section ${name}: npm run bench -- --list shows all names`);
    for (const found of cases) chosen.add(found);
  }
  const wanted = (caseName: string) => names.length === 0 || chosen.has(caseName);
  return {
    units: all.filter((unit) => unit.cases.some(wanted)),
    wanted,
    startup: names.length === 0 || names.includes('startup'),
    memory: names.length === 0 || names.includes('memory'),
  };
}

function casesOf(name: string, all: readonly Unit[]): string[] {
  if (name === 'micro') return microUnits.flatMap((unit) => unit.cases);
  if (name === 'workloads') return workloads.flatMap((unit) => unit.cases);
  const cases = all.flatMap((unit) =>
    unit.name === name ? unit.cases : unit.cases.filter((c) => c === name),
  );
  if (name === 'python') return all.flatMap((unit) => unit.cases.filter((c) => c.startsWith('py_')));
  return cases;
}

export function listText(): string {
  const line = (unit: Unit) =>
    unit.cases.length === 1 ? `  ${unit.cases[0]}` : `  ${unit.name}: ${unit.cases.join(' ')}`;
  return [
    'micro',
    ...microUnits.map(line),
    'workloads (those that begin with py_ are the section python)',
    ...workloads.map(line),
    'startup',
    'memory',
  ].join('\n');
}
