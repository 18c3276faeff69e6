// A reporter of node:test that says one line of JSON at the end, for whoever ran the file (scripts/test.mjs): how many tests
// passed, which failed, how many were skipped, by reason, and what it cost.
import { readFileSync } from 'node:fs';

const LEFT_OUT_BY_NAME = /does not match (the )?(name )?pattern/;

export default async function* results(events) {
  const all = { passed: 0, failed: [], skipped: {} };
  for await (const { type, data } of events) {
    const isSuite = data?.details?.type === 'suite';
    const within = data?.details?.error?.failureType === 'subtestsFailed';
    if (type === 'test:fail' && !within && !data.todo) all.failed.push(data.name);
    if (type !== 'test:pass') continue;
    if (data.skip === undefined || data.skip === false) {
      if (!isSuite) all.passed++;
      continue;
    }
    const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given';
    if (!LEFT_OUT_BY_NAME.test(reason)) all.skipped[reason] = (all.skipped[reason] ?? 0) + 1;
  }
  // Its own time and that of the children that it waited for, user and system, in hundredths: proc_pid_stat(5).
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  all.cpuSeconds = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
  yield `${JSON.stringify(all)}\n`;
}
