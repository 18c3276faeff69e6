import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hostMatches, splitAuthority } from './host_pattern.ts';
import { Rules, readings, wildMatch } from './rules.ts';

describe('rules on requests', () => {
  test('wildcards are what a regular expression says', () => {
    const text = (max: number) => fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: max });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text(12), (p, t) => {
        assert.equal(wildMatch(p, t), new RegExp(`^${p.replaceAll('*', '.*')}$`).test(t));
      }),
      { numRuns: 20_000 },
    );
    // A pattern on which a regular expression would take for ever.
    assert.equal(wildMatch(`${'a*'.repeat(30)}b`, 'a'.repeat(20_000)), false);
  });

  test('the first that fits decides, under every reading of the path', () => {
    const rules = new Rules(
      [
        { action: 'deny', host: '*', path: '/api/private*' },
        { action: 'allow', host: 'a.test', methods: ['GET', 'HEAD'], path: '/api/*' },
        { action: 'allow', host: '*.b.test' },
      ],
      'deny',
    );
    const ok = (host: string, method: string, path: string) => rules.denial(host, method, path) === null;
    assert.ok(ok('a.test', 'GET', '/api/x?y=/api/private'));
    assert.ok(ok('a.test', 'GET', '/api/@scope%2fname'));
    assert.ok(!ok('a.test', 'POST', '/api/x'));
    assert.ok(!ok('a.test', 'GET', '/other'));
    for (const path of [
      '/api/../other',
      '/api/%2e%2e/other',
      '/api/..%5cother',
      '/api/x/%2e./private',
      '/api//private',
      '/api/%70rivate',
    ])
      assert.ok(!ok('a.test', 'GET', path), path);
    assert.ok(ok('x.b.test', 'DELETE', '/any') && !ok('b.test', 'GET', '/any'));
    assert.equal(rules.denial('a.test', 'GET', '/api/private'), 'rule 1 denies this request');
    assert.equal(rules.denial('c.test', 'GET', '/'), 'no rule allows this request');
  });

  test('readings of any path: no throw, and none leads above the root', () => {
    const part = fc.constantFrom('..', '.', '/', '\\', '%2e', '%2f', '%252e', 'a', ';x', '%', '?');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        for (const reading of readings(`/${parts.join('')}`).slice(1))
          assert.ok(!reading.split('/').includes('..'));
      }),
    );
  });

  test('hosts', () => {
    assert.ok(
      hostMatches('*.a.test', 'x.y.a.test') &&
        !hostMatches('*.a.test', 'a.test') &&
        !hostMatches('*.a.test', '.a.test'),
    );
    assert.deepEqual(splitAuthority('[::1]:443'), { host: '::1', port: 443 });
    assert.deepEqual(splitAuthority('A.Test.'), { host: 'a.test', port: null });
    for (const text of ['a@b', 'a b', '', 'a:', 'a:1:2', '[::1', 'a/b', 'a,b'])
      assert.equal(splitAuthority(text), null, text);
  });
});
