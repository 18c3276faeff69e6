// Rules and what they decide, without a network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../net/address.ts';
import { PolicyError, parsePolicy } from './file.ts';
import { GRACE_SEC, MOST_ADDRESSES, MOST_NAMES, NameTable } from './names.ts';
import { Policy } from './policy.ts';
import { classOf } from './ranges.ts';
import { type Protocol, parseRule, RuleError } from './rule.ts';

const ip = (text: string) => parseAddress(text)!;
const policy = (...words: string[]): Policy =>
  new Policy(
    words.map((word) => {
      const [action, text] = word.split(' ') as ['allow' | 'deny', string];
      return parseRule(action, text);
    }),
  );
const may = (p: Policy, to: string, port = 443, names: string[] = [], protocol: Protocol = 'tcp'): boolean =>
  p.judge(protocol, ip(to), port, names).allowed;

test('classes of addresses', () => {
  const cases: Record<string, string[]> = {
    public: [
      '9.9.9.9',
      '1.1.1.1',
      '172.32.0.1',
      '100.128.0.1',
      '2600::1',
      '64:ff9b::9.9.9.9',
      '223.255.255.255',
    ],
    loopback: [
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '0.1.2.3',
      '::1',
      '::',
      '::ffff:127.0.0.1',
      '64:ff9b::127.0.0.1',
    ],
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1', 'fc00::1', 'fdff::1'],
    'link-local': ['169.254.0.1', 'fe80::1', 'febf::1'],
    metadata: ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '64:ff9b::169.254.169.254'],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    reserved: [
      '255.255.255.255',
      '240.0.0.1',
      '::10.0.0.1',
      '2002:a00:1::',
      '2001::1',
      '64:ff9b:1::1',
      '4000::1',
    ],
  };
  for (const [is, addresses] of Object.entries(cases))
    for (const address of addresses) assert.equal(classOf(ip(address)), is, address);
  assert.equal(classOf(ip('2600::5efe:10.0.0.1')), 'reserved');
  assert.equal(classOf(ip('2600::200:5efe:10.0.0.1')), 'reserved');
});

test('rules as they are written', () => {
  const rule = parseRule('allow', '*.Example.com@10.0.0.0/8,[fd00::]/8:80,8000-8100/tcp');
  assert.equal(rule.name, '*.example.com');
  assert.deepEqual(rule.ports, [
    { first: 80, last: 80 },
    { first: 8000, last: 8100 },
  ]);
  assert.equal(rule.protocol, 'tcp');
  assert.equal(rule.within.length, 2);
  assert.equal(parseRule('deny', '10.0.0.0/8:22').within[0]!.bits, 8);
  assert.equal(parseRule('deny', '[fd00::1]:22/udp').ports[0]!.first, 22);
  assert.equal(parseRule('deny', 'fd00::/8').ports.length, 0);
  assert.equal(parseRule('allow', 'public:443').is, 'public');
  for (const bad of [
    ...[
      '',
      'a b',
      '*x.com',
      'x.*.com',
      '1.2.3',
      '1.2.3.4.5',
      '300.1.1.1',
      '10.0.0.0/33',
      'x.com:0',
      'x.com:70000',
    ],
    ...[
      'x.com:9-1',
      'x.com/sctp',
      'x.com:80/icmp',
      '-x.com',
      `${'a'.repeat(64)}.com`,
      '[fd00::1',
      '10.0.0.0/8/x',
    ],
  ])
    assert.throws(() => parseRule('allow', bad), RuleError, bad);
  assert.throws(() => parseRule('deny', 'x.com@10.0.0.0/8'), RuleError);
});

test('the first rule that matches decides, then the default', () => {
  const p = policy('deny 9.9.9.9:25', 'allow 9.9.9.0/24:25-443', 'deny all');
  assert.deepEqual(
    [may(p, '9.9.9.9', 25), may(p, '9.9.9.9', 26), may(p, '9.9.9.9', 444)],
    [false, true, false],
  );
  assert.equal(may(policy(), '9.9.9.9'), true);
  assert.equal(may(policy(), '10.0.0.1'), false);
  assert.equal(may(policy('allow example.com'), '9.9.9.9'), false, 'a list of what is allowed');
  assert.equal(may(policy('allow public', 'allow 10.0.0.0/8'), '9.9.9.9'), true);
  assert.equal(may(policy('allow all/icmp'), '9.9.9.9', 0, [], 'icmp'), true);
  assert.equal(may(policy('allow all:80'), '9.9.9.9', 0, [], 'icmp'), false, 'pings have no port');
});

test('names: their addresses, and no others', () => {
  const p = policy('allow *.example.com:443');
  assert.equal(may(p, '9.9.9.9', 443, ['a.example.com']), true);
  assert.equal(may(p, '9.9.9.9', 443, ['a.b.example.com']), true);
  assert.equal(may(p, '9.9.9.9', 443, ['example.com']), false);
  assert.equal(may(p, '9.9.9.9', 443, ['badexample.com']), false);
  assert.equal(may(p, '9.9.9.9', 443, []), false);
  assert.equal(may(p, '9.9.9.9', 80, ['a.example.com']), false);
  assert.equal(may(p, '10.0.0.1', 443, ['a.example.com']), false, 'rebound');
  assert.equal(may(policy('allow a.example.com@10.0.0.0/8'), '10.0.0.1', 443, ['a.example.com']), true);
  assert.equal(may(policy('allow a.example.com@10.0.0.0/8'), '192.168.0.1', 443, ['a.example.com']), false);
  assert.equal(p.judgeName('a.example.com').allowed, true);
  assert.equal(p.judgeName('other.com').allowed, false);
  assert.equal(policy('deny other.com').judgeName('other.com').allowed, false);
  assert.equal(policy('deny other.com').judgeName('a.com').allowed, true);
  assert.equal(policy('deny other.com:25').judgeName('other.com').allowed, true);
  assert.equal(may(policy('deny other.com'), '9.9.9.9'), false, 'without a name it might be the one');
  assert.equal(may(policy('deny other.com'), '9.9.9.9', 443, ['a.com']), true);
});

test('the host: by its very name alone', () => {
  for (const rule of ['allow *', 'allow *.internal', 'allow all', 'allow loopback'])
    assert.equal(policy(rule).judgeHost('tcp', 80).allowed, false, rule);
  const p = policy('allow host.vedette.internal:80');
  assert.equal(p.judgeHost('tcp', 80).allowed, true);
  assert.equal(p.judgeHost('tcp', 81).allowed, false);
  assert.equal(policy('allow all').judgeOwn('tcp', ip('9.9.9.9'), 80).allowed, false);
  assert.equal(policy('allow 9.9.9.9').judgeOwn('tcp', ip('9.9.9.9'), 80).allowed, true);
});

test('rules about requests: which connections, and what is left to ask', () => {
  const p = new Policy([
    parseRule('deny', 'DELETE api.example:443'),
    parseRule('allow', 'GET,HEAD api.example:443/v1/*'),
    parseRule('allow', '* files.example@10.0.0.0/8:8080-8081/pub/*'),
    parseRule('allow', 'open.example'),
  ]);
  const asks = (to: string, port: number, ...names: string[]) =>
    p
      .judgeRequests(ip(to), port, names)
      ?.map((r) => `${r.action} ${r.methods ?? '*'} ${r.host}${r.path ?? ''}`) ?? null;
  assert.equal(may(p, '9.9.9.9', 443, ['api.example']), true);
  assert.equal(may(p, '9.9.9.9', 80, ['api.example']), false);
  assert.equal(may(p, '9.9.9.9', 443, ['api.example'], 'udp'), false, 'QUIC would be unread');
  assert.equal(p.judgeName('api.example').allowed, true);
  assert.deepEqual(asks('9.9.9.9', 443, 'api.example'), [
    'deny DELETE api.example',
    'allow GET,HEAD api.example/v1/*',
  ]);
  assert.equal(may(p, '10.1.1.1', 8081, ['files.example']), true);
  assert.deepEqual(asks('10.1.1.1', 8081, 'files.example'), ['allow * files.example/pub/*']);
  assert.equal(asks('9.9.9.9', 443, 'open.example'), null);
  // Of names that share an address each keeps its own rules.
  assert.deepEqual(asks('9.9.9.9', 443, 'api.example', 'open.example'), [
    'deny DELETE api.example',
    'allow GET,HEAD api.example/v1/*',
    'allow * open.example',
  ]);
  const denies = new Policy([parseRule('deny', 'POST web.example')]);
  assert.equal(may(denies, '9.9.9.9', 443, ['web.example']), true);
  assert.equal(may(denies, '9.9.9.9', 443), false, 'an address without a name might be the one');
  assert.equal(may(denies, '9.9.9.9', 443, ['web.example'], 'udp'), false);
  assert.deepEqual(denies.judgeRequests(ip('9.9.9.9'), 443, ['web.example']), [
    { action: 'deny', host: 'web.example', methods: ['POST'] },
    { action: 'allow', host: 'web.example' },
  ]);
  const host = new Policy([parseRule('allow', 'GET host.vedette.internal:80/a')]);
  assert.equal(host.judgeHost('tcp', 80).allowed, true);
  assert.equal(host.judgeHost('udp', 80).allowed, false);
  assert.deepEqual(host.judgeHostRequests(80, null), [
    { action: 'allow', host: '*', methods: ['GET'], path: '/a' },
  ]);
  for (const bad of [
    'get x.com',
    'GET 10.0.0.1',
    'GET x.com/udp?',
    'GET x.com/a#b',
    'GET x.com:0/a',
    'GET public',
  ])
    assert.throws(() => parseRule('allow', bad), RuleError, bad);
  const read = parsePolicy(
    '{"rules": ["allow GET x.com/v1/*", {"allow": "x.com", "methods": ["POST"], "paths": ["/in", "/in/*"]}]}',
  );
  assert.deepEqual(
    read.rules.map((r) => r.http),
    [
      { methods: ['GET'], paths: ['/v1/*'] },
      { methods: ['POST'], paths: ['/in', '/in/*'] },
    ],
  );
  assert.throws(
    () => parsePolicy('{"rules": [{"allow": "x.com", "methods": "GET"}]}'),
    /line 1: .*list of texts; fix/,
  );
});

test('names hold as long as their answer, and are bounded', () => {
  const t = new NameTable();
  const at = (sec: number) => t.namesOf(ip('9.9.9.9'), sec * 1e9);
  t.learn('a.com', ip('9.9.9.9'), 10, 0);
  t.learn('b.com', ip('9.9.9.9'), 1000, 0);
  assert.deepEqual(at(9), ['a.com', 'b.com']);
  assert.deepEqual(at(10 + GRACE_SEC), ['b.com']);
  assert.deepEqual(at(1000 + GRACE_SEC), []);
  for (let i = 0; i < 100; i++) t.learn(`${i}.com`, ip('9.9.9.9'), 10, 0);
  assert.equal(at(0).length, MOST_NAMES);
  for (let i = 0; i < MOST_ADDRESSES + 100; i++)
    t.learn('a.com', ip(`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), 10, 0);
  assert.equal(t.size, MOST_ADDRESSES);
});

test('files: rules in both forms, complaints with their line', () => {
  const text = `{
  "default": "deny",
  "rules": [
    "allow example.com:443",
    {"allow": "db.example.com", "ports": "5432", "within": ["10.0.0.0/8"]},
    {"deny": "all", "comment": "a ] in a string, and a \\" too"}
  ]
}`;
  const read = parsePolicy(text);
  assert.equal(read.otherwise, 'deny');
  assert.equal(read.rules.length, 3);
  assert.equal(read.rules[1]!.within[0]!.bits, 8);
  const complains = (bad: string, message: RegExp): void => {
    assert.throws(
      () => parsePolicy(bad),
      (error: Error) => error instanceof PolicyError && message.test(error.message),
      `${bad}: ${message}`,
    );
  };
  complains(text.replace('"5432"', '"no"'), /^line 5: .*no is no port/);
  complains(text.replace('"deny": "all"', '"refuse": "all"'), /^line 6: "refuse" is not known/);
  complains(text.replace('allow example.com', 'permit example.com'), /^line 4: .*is no rule/);
  complains(text.replace('"deny",', '"maybe",'), /^line 2: "default" is public or deny/);
  complains('[]', /^line 1: not an object/);
  complains('{"rules": [\n{"allow": 1}]}', /^line 2: /);
  complains('{"rules": [\n{]}', /^line \d: no JSON/);
  complains('{\n"rule": []}', /^line 2: "rule" is not known/);
});
