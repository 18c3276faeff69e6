import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_USAGE, StartError } from '../runtime/options.ts';
import { buildEnv, doOptions, parseSignal, parseSize } from './do_options.ts';
import { parseMount } from './mount_flag.ts';

function refused(body: () => unknown, pattern: RegExp): void {
  assert.throws(body, (error) => {
    assert.ok(error instanceof StartError);
    assert.equal(error.status, STATUS_USAGE);
    assert.match(error.message, pattern);
    return true;
  });
}

test('sizes', () => {
  assert.equal(parseSize('512m'), 512 * 2 ** 20);
  assert.equal(parseSize('1.5GiB'), 1.5 * 2 ** 30);
  assert.equal(parseSize('4294967296'), 2 ** 32);
  for (const bad of ['', 'x', '-1g', '12q', '0x100m']) refused(() => parseSize(bad), /not a size; fix: /);
  refused(() => parseSize('1m'), /at least/);
  assert.equal(doOptions(['true'], { memory: '64m' }).totalMemBytes, 2 ** 26);
  refused(
    () => doOptions(['true'], { memory: '99999g' }),
    /--memory 99999g: this machine has \d+m; fix: --memory \d+m/,
  );
});

test('mounts', () => {
  assert.deepEqual(parseMount('/a:/b'), { source: '/a', target: '/b', readonly: false });
  assert.deepEqual(parseMount('/a:/b:ro'), { source: '/a', target: '/b', readonly: true });
  for (const bad of ['/a', ':/b', '/a:', '/a:/b:rx', '/a:/b:ro:x'])
    refused(() => parseMount(bad), /fix: .*SRC:DST/);
  assert.deepEqual(parseMount('/a\\:b\\\\:/c\\d'), { source: '/a:b\\', target: '/c\\d', readonly: false });
  const named = { source: '/a:b,c', target: '/d', readonly: true };
  assert.deepEqual(parseMount('type=bind,src=/a:b\\,c,dst=/d,ro'), named);
  assert.deepEqual(parseMount('source=/a:b\\,c,target=/d,readonly=true'), named);
  assert.equal(parseMount('src=/a,dst=/d,ro=false').readonly, false);
  for (const bad of ['src=/a', 'dst=/b', 'src=/a,dst=/b,bind-propagation=shared', 'type=volume,src=a,dst=/b'])
    refused(() => parseMount(bad), /fix: .*src=SRC,dst=DST/);
  refused(() => parseMount('type=tmpfs,dst=/b'), /fix: --tmpfs/);
  refused(() => parseMount('/a:b'), /absolute/);
});

test('mounts of both kinds are in the order given', () => {
  const mount = [
    { option: '--mount', text: '/a:/1', order: 1 },
    { option: '--mount', text: '/c:/3', order: 3 },
  ];
  const bind = [{ option: '--bind', text: '/b:/2:ro', order: 2 }];
  assert.deepEqual(doOptions(['x'], { mount, bind }).mounts, [
    { source: '/a', target: '/1', readonly: false, shared: false },
    { source: '/b', target: '/2', readonly: true, shared: true },
    { source: '/c', target: '/3', readonly: false, shared: false },
  ]);
  refused(
    () => doOptions(['x'], { bind: [{ option: '--bind', text: '/a:b', order: 1 }] }),
    /^--bind \/a:b: /,
  );
});

test('ways of reading clocks', () => {
  assert.equal(doOptions(['true'], {}).clock, 'auto');
  for (const clock of ['auto', 'tsc', 'vdso', 'call'])
    assert.equal(doOptions(['true'], { clock }).clock, clock);
  for (const clock of ['hpet', 'TSC'])
    refused(() => doOptions(['true'], { clock }), /--clock .*auto, tsc, vdso, call/);
});

test('the environment: inherited, set, passed on, cleared', () => {
  const host = ['A=1', 'B=2'];
  assert.deepEqual(buildEnv([], ['*'], host), ['A=1', 'B=2']);
  assert.deepEqual(buildEnv(['A=x', 'C='], ['*'], host), ['A=x', 'B=2', 'C=']);
  assert.deepEqual(buildEnv(['B', 'D'], [], host), ['B=2']);
  refused(() => buildEnv(['=x'], ['*'], host), /NAME=VALUE/);
});

test('signals by name and number', () => {
  assert.equal(parseSignal('USR2'), 12);
  assert.equal(parseSignal('SIGQUIT'), 3);
  assert.equal(parseSignal('10'), 10);
  for (const bad of ['FOO', '0', '99', '_BLOCK']) refused(() => parseSignal(bad), /no such signal/);
});

test('options of a whole command', () => {
  const mount = [{ option: '--mount', text: '/a:/b', order: 1 }];
  const o = doOptions(['ls', '-l'], { strace: true, memory: '64m', cpus: 2, mount });
  assert.deepEqual(o.argv, ['ls', '-l']);
  assert.equal(o.strace, '-');
  assert.equal(o.totalMemBytes, 64 * 2 ** 20);
  assert.equal(o.numCpu, 2);
  assert.equal(o.mounts.length, 1);
  refused(() => doOptions([], {}), /no program.*fix: vedette do/);
  refused(() => doOptions(['x'], { cwd: 'rel' }), /absolute/);
  refused(() => doOptions(['x'], { user: 'a:b:c' }), /--user/);
  refused(() => doOptions(['x'], { tmpfs: ['rel'] }), /absolute/);
  refused(() => doOptions(['x'], { hostname: 'x'.repeat(65) }), /hostname/);
  refused(() => doOptions(['x'], { tmpfs: ['/a:size=1m'] }), /fix: --tmpfs \/a;/);
  assert.deepEqual(doOptions(['x'], { tmpfs: ['/a\\:b'] }).tmpfs, ['/a:b']);
  for (const name of ['rootfs', 'cwd', 'hostname', 'user', 'strace', 'debugLog', 'memory', 'platform'])
    refused(() => doOptions(['x'], { [name]: '' }), /^--[a-z-]+: the value is empty; fix: /);
  for (const option of ['--mount', '--bind'] as const)
    refused(
      () => doOptions(['x'], { [option.slice(2)]: [{ option, text: '', order: 1 }] }),
      new RegExp(`${option}: the value is empty`),
    );
});

test('flags of the network', () => {
  const options = (flags: Record<string, unknown>) => doOptions(['true'], flags).network;
  assert.equal(options({}).mode, 'none');
  const rules = options({
    network: 'user',
    deny: [{ action: 'deny', text: 'b.example', order: 1 }],
    allow: [{ action: 'allow', text: '*.example:443', order: 2 }],
    publish: ['8080:80', '0.0.0.0:53:5353/udp'],
    dns: ['[2001:db8::53]:5353', '192.0.2.53'],
  });
  assert.deepEqual(
    rules.rules.map((rule) => rule.text),
    ['b.example', '*.example:443'],
  );
  assert.deepEqual(
    rules.publish.map((p) => `${p.address} ${p.hostPort} ${p.guestPort} ${p.protocol}`),
    ['127.0.0.1 8080 80 tcp', '0.0.0.0 53 5353 udp'],
  );
  assert.deepEqual(
    rules.dns.map((name) => `${name.address} ${name.port}`),
    ['2001:db8::53 5353', '192.0.2.53 53'],
  );
  const refuses = (flags: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => options(flags), message);
  refuses(
    { publish: ['80:80'] },
    /^StartError: -p: there is no network; fix: --network=user$|-p: there is no network; fix/,
  );
  refuses({ network: 'user', publish: ['80'] }, /-p 80: not understood; fix: did you mean -p 80:80\?/);
  refuses({ network: 'user', publish: ['0:80'] }, /0 is no port; fix/);
  refuses(
    { network: 'user', allow: [{ action: 'allow', text: 'a.*.b', order: 1 }] },
    /--allow a\.\*\.b: .*; fix/,
  );
  refuses({ network: 'user', dns: ['name'] }, /--dns name: no address; fix/);
  refuses({ network: 'user', policy: '/nonexistent/file' }, /--policy .*ENOENT; fix/);
  refuses({ network: 'host', publish: ['80:80'] }, /-p: with --network=host .*; fix/);
  refuses(
    { network: 'host', allow: [{ action: 'allow', text: 'a.b', order: 1 }] },
    /names are known with --network=user alone/,
  );
});
