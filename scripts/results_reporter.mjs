// A reporter of node:test that says one line of JSON at the end, for whoever ran the file (scripts/test.mjs): how many tests
// passed, which failed, and how many were skipped, by reason.

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
  yield `${JSON.stringify(all)}\n`;
}
