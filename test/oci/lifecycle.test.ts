// A container's life: each command, its exit status and the words that engines look for.
// suite: 20 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { alive, Bundle, noBusybox, runtime, until } from './bundle.ts';

const LOOP = ['sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.1; done'];

suite('oci life cycle', { skip: noBusybox() }, () => {
  const bundles: Bundle[] = [];
  const bundle = (...args: string[]): Bundle => {
    const b = new Bundle();
    bundles.push(b);
    if (args.length > 0) b.program(...args);
    return b;
  };
  after(() => {
    for (const b of bundles) b.close();
  });

  test('run has the output and the status of the program and leaves nothing', () => {
    const b = bundle('sh', '-c', 'cat; echo out; echo err >&2; exit 7');
    const r = b.run(['run', 'a'], 'in\n');
    assert.deepEqual([r.status, r.stdout, r.stderr], [7, 'in\nout\n', 'err\n']);
    assert.deepEqual(readdirSync(b.root), ['@locks']);
    assert.deepEqual(readdirSync(join(b.root, '@locks')), []);
  });

  test('create, start, state, kill, delete', () => {
    const b = bundle(...LOOP);
    const file = join(b.dir, 'pid');
    assert.equal(b.run(['create', '--bundle', b.dir, '--pid-file', file, 'c']).status, 0);
    const pid = Number(readFileSync(file, 'utf8'));
    assert.ok(alive(pid));
    const state = JSON.parse(b.run(['state', 'c']).stdout) as Record<string, unknown>;
    assert.deepEqual([state.id, state.pid, state.status, state.bundle], ['c', pid, 'created', b.dir]);
    assert.equal(b.run(['create', '--bundle', b.dir, 'c']).status, 1);
    assert.match(b.lastError(), /container with given ID already exists/);
    assert.equal(b.run(['start', 'c']).status, 0);
    assert.equal(b.status('c'), 'running');
    assert.equal(b.run(['start', 'c']).status, 1);
    assert.match(b.lastError(), /cannot start an already running container/);
    assert.equal(b.run(['delete', 'c']).status, 1);
    assert.match(b.lastError(), /cannot delete container c that is not stopped: running/);
    assert.equal(b.run(['kill', 'c', 'TERM']).status, 0);
    assert.ok(until(() => b.status('c') === 'stopped'));
    assert.equal(b.run(['kill', 'c', 'TERM']).status, 1);
    assert.equal(b.lastError(), 'container not running');
    assert.equal(b.run(['start', 'c']).status, 1);
    assert.equal(b.lastError(), 'cannot start a container that has stopped');
    assert.equal(b.run(['exec', 'c', 'true']).status, 255);
    assert.equal(b.run(['delete', 'c']).status, 0);
    for (const args of [
      ['state', 'c'],
      ['start', 'c'],
      ['kill', 'c', '9'],
      ['delete', 'c'],
      ['ps', 'c'],
    ]) {
      assert.equal(b.run(args).status, 1, args[0]);
      assert.equal(b.lastError(), 'container does not exist', args[0]);
    }
    assert.equal(b.run(['delete', '--force', 'c']).status, 0);
  });

  test('a container that was created and not started can be killed and deleted', () => {
    const b = bundle(...LOOP);
    for (const how of [
      ['kill', 'k', 'KILL'],
      ['kill', 'k', 'TERM'],
      ['delete', 'k'],
    ]) {
      assert.equal(b.run(['create', '--bundle', b.dir, 'k']).status, 0);
      assert.equal(b.run(how).status, 0, how.join(' '));
      assert.ok(until(() => b.status('k') !== 'created'));
      b.run(['delete', '--force', 'k']);
    }
  });

  test('exec: status, standard input, signals, what cannot be started', () => {
    const b = bundle(...LOOP);
    const pid = b.launch('e');
    const r = b.run(['exec', 'e', 'sh', '-c', 'cat; echo err >&2; exit 3'], 'text\n');
    assert.deepEqual([r.status, r.stdout, r.stderr], [3, 'text\n', 'err\n']);
    assert.equal(b.run(['exec', 'e', 'sh', '-c', 'kill -KILL $$']).signal, 'SIGKILL');
    assert.equal(b.run(['exec', 'e', 'nosuch']).status, 255);
    assert.match(b.lastError(), /exec: "nosuch": executable file not found in \$PATH/);
    assert.equal(b.run(['exec', 'e', '/etc/passwd']).status, 255);
    assert.match(b.lastError(), /exec: "\/etc\/passwd": permission denied/);
    assert.equal(b.run(['exec', '--cwd', '/nosuch', 'e', 'true']).status, 255);
    assert.match(b.lastError(), /chdir to cwd/);
    const own = JSON.parse(readFileSync(join(b.dir, 'config.json'), 'utf8')).process;
    const file = join(b.dir, 'process.json');
    writeFileSync(
      file,
      JSON.stringify({ ...own, args: ['sh', '-c', 'id -u; pwd'], cwd: '/etc', user: { uid: 12 } }),
    );
    assert.equal(b.run(['exec', '--process', file, 'e']).stdout, '12\n/etc\n');
    const pidFile = join(b.dir, 'exec.pid');
    assert.equal(b.run(['exec', '--detach', '--pid-file', pidFile, 'e', 'sleep', '1000']).status, 0);
    const execPid = Number(readFileSync(pidFile, 'utf8'));
    assert.deepEqual(JSON.parse(b.run(['ps', '--format', 'json', 'e']).stdout), [pid, execPid]);
    assert.match(b.run(['ps', 'e']).stdout, /sleep/);
    process.kill(execPid, 'SIGTERM');
    assert.ok(until(() => !alive(execPid)));
    assert.deepEqual(JSON.parse(b.run(['ps', '--format', 'json', 'e']).stdout), [pid]);
  });

  test('pause stops what runs, resume lets it go on', () => {
    const b = bundle('sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i > /n; done');
    b.launch('p');
    const count = () => readFileSync(join(b.dir, 'rootfs/n'), 'utf8');
    assert.ok(until(() => b.run(['exec', 'p', 'cat', '/n']).stdout !== ''));
    assert.equal(b.run(['pause', 'p']).status, 0);
    assert.equal(b.status('p'), 'paused');
    const before = count();
    assert.equal(b.run(['exec', 'p', 'true']).status, 255);
    assert.match(b.lastError(), /cannot exec in a paused container/);
    assert.equal(count(), before);
    assert.equal(b.run(['resume', 'p']).status, 0);
    assert.ok(until(() => count() !== before));
    b.run(['pause', 'p']);
    assert.equal(b.run(['kill', 'p', 'KILL']).status, 0);
    assert.ok(until(() => b.status('p') === 'stopped'));
  });

  test(
    'process 1 gets no signal that it does not handle, but SIGKILL and SIGSTOP from outside, as with runc',
    needs('runc', 'root'),
    () => {
      const lives = (program: string) => {
        const b = bundle('sh', '-c', 'sleep 1000; sleep 1000');
        const call = (...args: string[]) =>
          spawnSync(program, ['--root', b.root, ...args], { cwd: b.dir, stdio: 'ignore', timeout: 60_000 });
        const state = () =>
          spawnSync(program, ['--root', b.root, 'state', 'i'], { encoding: 'utf8' }).stdout.match(
            /"status": "(\w+)"/,
          )?.[1];
        b.change((c) => {
          c.ociVersion = '1.0.2';
        });
        const seen = [call('run', '--detach', 'i').status, state()];
        for (const signal of ['TERM', 'KILL', 'STOP', 'USR1', 'SEGV'])
          seen.push(call('exec', 'i', 'kill', `-${signal}`, '1').status, state());
        for (const signal of ['TERM', 'HUP', 'INT']) seen.push(call('kill', 'i', signal).status, state());
        call('kill', 'i', 'KILL');
        seen.push(String(until(() => state() === 'stopped')));
        call('delete', '--force', 'i');
        return seen;
      };
      const ours = lives(runtime);
      assert.deepEqual(ours, lives('runc'));
      assert.equal(ours.at(-1), 'true');
      assert.deepEqual(ours.slice(0, 4), [0, 'running', 0, 'running']);
    },
  );

  test('a signal that process 1 waits for reaches it, from inside and outside', () => {
    const b = bundle('sh', '-c', 'trap "echo got >> /n" TERM; while :; do sleep 0.1; done');
    b.launch('t');
    const count = () => b.run(['exec', 't', 'cat', '/n']).stdout;
    assert.ok(until(() => b.run(['exec', 't', 'kill', '-TERM', '1']).status === 0 && count() !== ''));
    const before = count();
    b.run(['kill', 't', 'TERM']);
    assert.ok(until(() => count() !== before));
  });

  test('descriptors of exec, and pidfds', needs('python3'), () => {
    const b = bundle('sleep', '1000');
    const file = join(b.dir, 'some');
    writeFileSync(file, 'handed on\n');
    const socket = join(b.dir, 'pidfd.sock');
    // The other end of --pidfd-socket: says which process the descriptor is of, by the name that came with it.
    const listener = `
import array, os, re, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
for i in range(2):
    c, _ = s.accept()
    data, anc, _, _ = c.recvmsg(64, socket.CMSG_SPACE(4))
    fd = array.array('i', anc[0][2])[0]
    print(data.decode(), re.search(r'Pid:\\s*(\\d+)', open(f'/proc/self/fdinfo/{fd}').read())[1], flush=True)
`;
    const child = spawn('python3', ['-c', listener, socket], {
      stdio: ['ignore', openSync(join(b.dir, 'heard'), 'w'), 'inherit'],
    });
    try {
      assert.ok(until(() => existsSync(socket)));
      const pidFile = join(b.dir, 'p.pid');
      const made = b.run(['run', '--detach', '--pid-file', pidFile, '--pidfd-socket', socket, 'p']);
      assert.equal(made.status, 0, made.stderr);
      const line = `exec ${runtime} --root ${b.root} exec --pidfd-socket ${socket} --preserve-fds 1 p cat /proc/self/fd/3 3<${file}`;
      const r = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
      assert.equal(r.stdout, 'handed on\n', r.stderr);
      const heard = () => readFileSync(join(b.dir, 'heard'), 'utf8').trim().split('\n');
      assert.ok(until(() => heard().length === 2));
      assert.equal(heard()[0], `standard ${readFileSync(pidFile, 'utf8')}`);
      assert.match(heard()[1]!, /^setns \d+$/);
    } finally {
      child.kill();
    }
  });

  test('list tells of all, ids are names of folders', () => {
    const b = bundle(...LOOP);
    b.launch('one');
    assert.equal(b.run(['create', '--bundle', b.dir, 'two']).status, 0);
    const all = JSON.parse(b.run(['list', '--format', 'json']).stdout) as { id: string; status: string }[];
    assert.deepEqual(
      all.map((c) => [c.id, c.status]),
      [
        ['one', 'running'],
        ['two', 'created'],
      ],
    );
    assert.equal(b.run(['list', '-q']).stdout, 'one\ntwo\n');
    for (const id of ['../x', 'a/b', '..', '', '@locks', 'a b'])
      assert.notEqual(b.run(['create', '--bundle', b.dir, id]).status, 0, id);
    assert.deepEqual(readdirSync(b.root).sort(), ['@locks', 'one', 'two']);
  });

  test('hooks run in order with the state, and one that fails ends the container', () => {
    const b = bundle('true');
    const out = join(b.dir, 'hooks');
    const hook = (name: string, status = 0) => [
      { path: '/bin/sh', args: ['sh', '-c', `echo ${name} $(cat) >> ${out}; exit ${status}`] },
    ];
    const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];
    const inside = join(b.dir, 'rootfs/inside');
    b.change((c) => {
      c.hooks = Object.fromEntries(kinds.map((kind) => [kind, hook(kind)]));
      // Inside there is another tree, and the container's user.
      const args = ['sh', '-c', 'echo startContainer $V $(cat) > /inside'];
      c.hooks.startContainer = [{ path: '/bin/sh', args, env: ['V=v', 'PATH=/bin'] }];
      c.process.args = ['sh', '-c', 'test -s /inside'];
    });
    assert.equal(b.run(['run', 'h']).status, 0);
    const started = readFileSync(inside, 'utf8');
    assert.match(started, /^startContainer v \{/);
    assert.equal(JSON.parse(started.slice(started.indexOf('{'))).status, 'created');
    kinds.splice(3, 1);
    const lines = readFileSync(out, 'utf8').trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      kinds,
    );
    const states = lines.map(
      (line) => JSON.parse(line.slice(line.indexOf('{'))) as { id: string; status: string },
    );
    assert.deepEqual(
      states.map((s) => [s.id, s.status]),
      [
        ['h', 'creating'],
        ['h', 'creating'],
        ['h', 'creating'],
        ['h', 'running'],
        ['h', 'stopped'],
      ],
    );
    b.change((c) => {
      c.hooks = { createRuntime: hook('bad', 3) };
    });
    assert.equal(b.run(['run', 'h']).status, 1);
    assert.match(b.lastError(), /error running createRuntime hook #0: .*exit status 3/);
    for (const kind of ['startContainer', 'poststart']) {
      b.change((c) => {
        c.hooks = { [kind]: [{ path: '/bin/false' }], poststop: [...hook('bad', 3), ...hook('last')] };
      });
      assert.equal(b.run(['run', 'h']).status, 1, kind);
      assert.match(b.lastError(), new RegExp(`error running ${kind} hook #0: /bin/false: exit status 1`));
      assert.match(readFileSync(out, 'utf8'), /bad \{[^\n]*\nlast [^\n]*\n$/);
    }
    assert.deepEqual(readdirSync(b.root), ['@locks']);
  });

  test('config.json: the path of what is wrong, and the fix', () => {
    const b = bundle('true');
    const good = readFileSync(join(b.dir, 'config.json'), 'utf8');
    // biome-ignore lint/suspicious/noExplicitAny: a document that is broken in many ways.
    const cases: [(c: any) => void, RegExp][] = [
      [(c) => delete c.process, /config\.json\.process: missing; fix: /],
      [(c) => delete c.ociVersion, /config\.json\.ociVersion: missing/],
      [(c) => (c.ociVersion = '2.0.0'), /config\.json\.ociVersion: version 2\.0\.0 is not supported/],
      [(c) => (c.process.args = []), /config\.json\.process\.args: empty/],
      [(c) => (c.process.args = ['a', 3]), /config\.json\.process\.args\[1\]: is a number; fix: a string/],
      [(c) => (c.process.cwd = 'x'), /config\.json\.process\.cwd: "x" is relative/],
      [(c) => (c.process.user.uid = -1), /config\.json\.process\.user\.uid: -1 is out of range/],
      [(c) => (c.process.rlimits[0].type = 'RLIMIT_X'), /rlimits\[0\]\.type: RLIMIT_X is unknown/],
      [(c) => (c.mounts[1].type = 'ext4'), /config\.json\.mounts\[1\]\.type: "ext4" is not supported/],
      [(c) => c.mounts.push({ destination: '/x', type: 'bind' }), /mounts\[6\]\.source: missing/],
      [
        (c) => c.mounts.push({ destination: '/x', type: 'bind', source: '/nosuch' }),
        /mounts\[6\]: \/x: source/,
      ],
      [(c) => (c.linux.uidMappings = [{}]), /linux\.uidMappings: user namespaces are not supported/],
      [(c) => (c.hooks = { poststop: [{ path: 'x' }] }), /hooks\.poststop\[0\]\.path: "x" is relative/],
      [(c) => (c.root.path = 'nosuch'), /root\.path: .*nosuch: ENOENT/],
    ];
    for (const [edit, message] of cases) {
      writeFileSync(join(b.dir, 'config.json'), good);
      b.change(edit);
      assert.equal(b.run(['create', '--bundle', b.dir, 'bad']).status, 1, String(message));
      assert.match(b.lastError(), message);
    }
    writeFileSync(join(b.dir, 'config.json'), '{');
    assert.equal(b.run(['create', '--bundle', b.dir, 'bad']).status, 1);
    assert.match(b.lastError(), /config\.json: no JSON/);
    assert.equal(b.run(['create', '--bundle', '/nosuch', 'bad']).status, 1);
    assert.match(b.lastError(), /JSON specification file \/nosuch\/config\.json not found/);
    assert.deepEqual(
      readdirSync(b.root).filter((name) => name !== '@locks'),
      [],
    );
  });

  test('what is not there yet fails and says so', () => {
    const b = bundle('true');
    for (const name of ['checkpoint', 'restore']) {
      assert.equal(b.run([name, 'x']).status, 1);
      assert.match(b.lastError(), new RegExp(`^${name}: not yet`));
    }
    const features = JSON.parse(b.run(['features']).stdout) as { ociVersionMax: string };
    assert.equal(features.ociVersionMax, '1.3.0');
  });
});
