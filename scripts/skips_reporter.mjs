// A reporter of node:test that prints one line at the end: how many tests were skipped, by reason.

const LEFT_OUT_BY_NAME = /does not match (the )?(name )?pattern/;

export default async function* skips(events) {
  const counts = new Map();
  for await (const { type, data } of events) {
    if (type !== 'test:pass' || data.skip === undefined || data.skip === false) continue;
    const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given';
    if (!LEFT_OUT_BY_NAME.test(reason)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const lines = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (lines.length > 0) yield `${lines.map(([reason, n]) => `${n} skipped: ${reason}`).join('; ')}\n`;
}
