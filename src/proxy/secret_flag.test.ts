import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSecret, parseSecrets, SecretFlagError } from './secret_flag.ts';

const sources = {
  env: { TOKEN: 'hunter2hunter2', OTHER: 'swordfish', SHORT: 'abc', SAME: 'swordfish' },
  readFile: (path: string): string => {
    if (path !== '/run/key@home') throw Object.assign(new Error('no'), { code: 'ENOENT' });
    return 'from a file\n';
  },
};

describe('--secret', () => {
  test('takes the value of a variable', () => {
    const s = parseSecret('TOKEN@API.example.com.,*.example.org', sources);
    assert.deepEqual(
      [s.name, s.value, s.hosts],
      ['TOKEN', 'hunter2hunter2', ['api.example.com', '*.example.org']],
    );
    assert.match(s.placeholder, /^VEDETTE_SECRET_TOKEN_[0-9a-f]{32}$/);
    assert.notEqual(s.placeholder, parseSecret('TOKEN@a.example', sources).placeholder);
  });

  test('a port may stand behind a host', () => {
    assert.deepEqual(parseSecret('TOKEN@a.example:8443,[2001:db8::1]:444', sources).hosts, [
      'a.example:8443',
      '[2001:db8::1]:444',
    ]);
    assert.throws(() => parseSecret('TOKEN@a.example:99999', sources), /99999 is no port; fix: /);
  });

  test('takes the content of a file without its last newline', () => {
    const s = parseSecret('KEY=@/run/key@home@a.example', sources);
    assert.deepEqual([s.name, s.value, s.hosts], ['KEY', 'from a file', ['a.example']]);
  });

  test('says what is wrong and the fix, never the value', () => {
    for (const [text, what] of [
      ['TOKEN', /no host/],
      ['TOKEN@', /"" is no host/],
      ['TOKEN=hunter2hunter2@a.example', /on the command line/],
      ['TOKEN=@/run/key', /no host/],
      ['TOKEN=@/none@a.example', /\/none cannot be read \(ENOENT\)/],
      ['MISSING@a.example', /variable MISSING is not set/],
      ['SHORT@a.example', /has 3 bytes/],
      ['A-B@a.example', /no name of a variable/],
      ['TOKEN@https://a.example/', /is no host/],
      ['TOKEN@*', /every host/],
      ['TOKEN@*.com', /top-level/],
      ['TOKEN@a.example,,b.example', /"" is no host/],
    ] as const)
      assert.throws(
        () => parseSecret(text, sources),
        (e: Error) =>
          e instanceof SecretFlagError &&
          what.test(e.message) &&
          /; fix: /.test(e.message) &&
          !e.message.includes('hunter2'),
        text,
      );
  });

  test('several: placeholders for the environment inside; twice the same is refused', () => {
    const { secrets, env } = parseSecrets(['TOKEN@a.example', 'OTHER@b.example'], sources);
    assert.deepEqual(env, { TOKEN: secrets[0]!.placeholder, OTHER: secrets[1]!.placeholder });
    assert.ok(!JSON.stringify(env).includes('hunter2'));
    assert.throws(() => parseSecrets(['TOKEN@a.example', 'TOKEN@b.example'], sources), /given twice/);
    assert.throws(() => parseSecrets(['OTHER@a.example', 'SAME@b.example'], sources), /same value as OTHER/);
  });
});
