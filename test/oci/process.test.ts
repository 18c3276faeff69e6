// What programs of a container have: identity, limits, mounts, what is hidden and what can be written.
// suite: 15 s
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { Bundle, type Config, noBusybox } from './bundle.ts';

suite('oci process', { skip: noBusybox() }, () => {
  const bundles: Bundle[] = [];
  /** The output of a shell in a container of its own. */
  const shell = (script: string, edit: (c: Config, b: Bundle) => void = () => {}): string => {
    const b = new Bundle();
    bundles.push(b);
    b.program('sh', '-c', script);
    b.change((c) => edit(c, b));
    const r = b.run(['run', 'x']);
    assert.equal(r.status, 0, r.stdout + r.stderr);
    return r.stdout;
  };
  after(() => {
    for (const b of bundles) b.close();
  });

  test('user, groups, umask, directory, variables, host name, limits', () => {
    const out = shell(
      'id -u; id -g; id -G; umask; pwd; echo $A; hostname; ulimit -n; ulimit -Hn; nproc',
      (c) => {
        c.process.user = { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o27 };
        c.process.cwd = '/made/here';
        c.process.env.push('A=b c');
        c.hostname = 'inside';
        c.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }];
        c.linux.resources = { cpu: { quota: 50_000, period: 100_000 } };
      },
    );
    assert.equal(out, '7\n8\n8 9 10\n0027\n/made/here\nb c\ninside\n100\n200\n1\n');
  });

  test('capabilities and no_new_privs', () => {
    const sets = 'grep -E "^(Cap|NoNew)" /proc/self/status';
    const root = shell(sets);
    assert.match(root, /CapPrm:\s+0000000020000420\nCapEff:\s+0000000020000420\nCapBnd:\s+0000000020000420/);
    assert.match(root, /NoNewPrivs:\s+1/);
    const user = shell(sets, (c) => {
      c.process.user = { uid: 7, gid: 7 };
      c.process.noNewPrivileges = false;
      const ambient = ['CAP_NET_BIND_SERVICE'];
      c.process.capabilities = { ...c.process.capabilities, inheritable: ambient, ambient };
    });
    assert.match(
      user,
      /CapInh:\s+0{13}400\nCapPrm:\s+0{13}400\nCapEff:\s+0{13}400\nCapBnd:\s+0{8}20000420\nCapAmb:\s+0{13}400/,
    );
    assert.match(user, /NoNewPrivs:\s+0/);
  });

  test('the root: written to the host, or read-only', () => {
    shell('echo text > /file');
    assert.equal(readFileSync(join(bundles.at(-1)!.dir, 'rootfs/file'), 'utf8'), 'text\n');
    const out = shell('echo text > /file || echo refused; echo x > /dev/shm/f && cat /dev/shm/f', (c) => {
      c.root.readonly = true;
    });
    assert.equal(out, 'refused\nx\n');
    assert.ok(!existsSync(join(bundles.at(-1)!.dir, 'rootfs/file')));
  });

  test('bind mounts of folders and files, rw and ro', () => {
    const out = shell(
      'cat /d/a /f; echo new > /d/b; echo more > /f; (echo x > /r/b) 2>&1; ls /r; mount | grep -c " /r type .*(ro"',
      (c, b) => {
        mkdirSync(join(b.dir, 'src'));
        writeFileSync(join(b.dir, 'src/a'), 'A\n');
        writeFileSync(join(b.dir, 'file'), 'F\n');
        c.mounts.push(
          {
            destination: '/d',
            type: 'bind',
            source: join(b.dir, 'src'),
            options: ['rbind', 'rw', 'rprivate'],
          },
          { destination: '/f', type: 'bind', source: 'file', options: ['bind'] },
          { destination: '/r', source: 'src', options: ['bind', 'ro'] },
        );
      },
    );
    assert.match(out, /^A\nF\n.*Read-only file system\na\nb\n1\n$/s);
    const { dir } = bundles.at(-1)!;
    assert.equal(readFileSync(join(dir, 'src/b'), 'utf8'), 'new\n');
    assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'more\n');
  });

  test('masked and read-only paths', () => {
    const script =
      'cat /secret | head -c 9; ls -A /hidden; (echo x > /ro/f) 2>&1; (echo x > /proc/sys/kernel/hostname) 2>&1; true';
    const out = shell(script, (c, b) => {
      for (const name of ['hidden', 'ro']) mkdirSync(join(b.dir, 'rootfs', name));
      writeFileSync(join(b.dir, 'rootfs/secret'), 'secret');
      writeFileSync(join(b.dir, 'rootfs/hidden/f'), 'secret');
      c.linux.maskedPaths.push('/secret', '/hidden', '/nosuch');
      c.linux.readonlyPaths.push('/ro', '/nosuch');
    });
    assert.ok(!out.includes('secret'), out);
    assert.equal(out.match(/Read-only file system/g)?.length, 2, out);
    assert.ok(!/^f$/m.test(out), out);
  });

  test('tmpfs takes its options, an option that nobody knows is refused', () => {
    const at = {
      destination: '/t',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['mode=700', 'size=1m', 'nosuid'],
    };
    const out = shell('mount | grep " /t "', (c) => void c.mounts.push(at));
    assert.match(out, /nosuid.*size=1024k.*mode=700/);
    const b = new Bundle();
    bundles.push(b);
    b.change((c) => c.mounts.push({ ...at, options: ['bogus=1'] }));
    assert.equal(b.run(['create', '--bundle', b.dir, 't']).status, 1);
    assert.match(b.lastError(), /mounts\[6\]: \/t: options bogus=1: EINVAL/);
  });

  test(
    'the network: loopback alone, or that of a path, never that of the machine',
    needs('root', 'ip'),
    () => {
      const read = 'grep -c : /proc/net/dev; grep -o "veth[a-z]*" /proc/net/dev; true';
      assert.equal(shell(read), '1\n');
      const name = `vedette-oci-${process.pid}`;
      const ip = (line: string) => assert.equal(spawnSync('ip', line.split(' ')).status, 0, line);
      ip(`netns add ${name}`);
      try {
        ip(`-n ${name} link add vetha type veth peer name vethb`);
        ip(`-n ${name} addr add 10.9.8.7/24 dev vetha`);
        ip(`-n ${name} link set vetha up`);
        ip(`-n ${name} link set vethb up`);
        const out = shell(read, (c) => {
          c.linux.namespaces = [{ type: 'network', path: `/var/run/netns/${name}` }];
        });
        assert.match(out, /vetha/);
        // A pod's first container leaves them to the next.
        const holder = shell(read, (c) => {
          c.linux.namespaces = [{ type: 'network', path: `/var/run/netns/${name}` }];
          c.annotations = { 'io.kubernetes.cri.container-type': 'sandbox' };
        });
        assert.equal(holder, '1\n');
      } finally {
        ip(`netns del ${name}`);
      }
      const b = new Bundle();
      bundles.push(b);
      b.program('sleep', '1000');
      const pid = b.launch('n');
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
      b.change((c) => {
        c.linux.namespaces = [{ type: 'network', path: '/proc/self/ns/net' }];
      });
      assert.equal(b.run(['create', '--bundle', b.dir, 'own']).status, 1);
      assert.match(b.lastError(), /is the caller's own/);
    },
  );

  test('the seccomp profile is kept, also by programs of exec', () => {
    const script = 'mkdir /m 2>&1; chmod 600 /etc 2>&1; chmod 755 /etc && echo chmod; kill -0 1 && echo kill';
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [
        { names: ['mkdir', 'mkdirat', 'nosuchcall'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
        { names: ['chmod'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0o600, op: 'SCMP_CMP_EQ' }] },
      ],
    };
    const wanted = /No space left.*Operation not permitted\nchmod\nkill\n$/s;
    assert.match(
      shell(script, (c) => {
        c.linux.seccomp = profile;
      }),
      wanted,
    );
    const b = new Bundle();
    bundles.push(b);
    b.program('sleep', '1000');
    b.change((c) => {
      c.linux.seccomp = profile;
    });
    b.launch('s');
    assert.match(b.run(['exec', 's', 'sh', '-c', script]).stdout, wanted);
    b.change((c) => {
      c.linux.seccomp.syscalls[0].action = 'SCMP_ACT_NOTIFY';
    });
    assert.equal(b.run(['create', '--bundle', b.dir, 't']).status, 1);
    assert.match(b.lastError(), /linux\.seccomp\.syscalls\[0\]\.action: SCMP_ACT_NOTIFY is not supported/);
  });

  test('limits, and who dies first when the host has no memory', () => {
    const out = shell('ulimit -s; ulimit -Hs; cat /proc/self/oom_score_adj', (c) => {
      c.process.rlimits = [{ type: 'RLIMIT_STACK', soft: 1 << 20, hard: 1 << 21 }];
      c.process.oomScoreAdj = 300;
    });
    assert.equal(out, '1024\n2048\n300\n');
  });

  test('sysctls, personality', () => {
    const out = shell(
      'cd /proc/sys/net; cat core/somaxconn ipv4/ip_unprivileged_port_start; cat /proc/self/personality',
      (c) => {
        c.linux.sysctl = { 'net.core.somaxconn': '77', 'net.ipv4.ip_unprivileged_port_start': '0' };
        c.linux.personality = { domain: 'LINUX32' };
      },
    );
    assert.equal(out, '77\n0\n00000008\n');
    const b = new Bundle();
    bundles.push(b);
    b.change((c) => {
      c.linux.sysctl = { 'net.core.somaxconn': 'many' };
    });
    assert.equal(b.run(['create', '--bundle', b.dir, 't']).status, 1);
    assert.match(b.lastError(), /linux\.sysctl\.net\.core\.somaxconn: "many": EINVAL/);
  });

  test('devices: nodes with their modes and owners, served by the kernel inside', () => {
    const out = shell(
      'ls -l /dev/my; cat /dev/my; echo x > /dev/my && echo written; cat /dev/fuse 2>&1; cat /dev/null',
      (c) => {
        c.linux.devices = [
          { path: '/dev/my', type: 'c', major: 1, minor: 3, fileMode: 0o640, uid: 0, gid: 9 },
          { path: '/dev/fuse', type: 'c', major: 10, minor: 229 },
          { path: '/dev/null', type: 'c', major: 1, minor: 3 },
        ];
      },
    );
    assert.match(out, /^crw-r-----\s+1 root\s+9\s+1,\s+3 .*\nwritten\n.*No such device or address\n$/s);
    assert.match(readFileSync(bundles.at(-1)!.log, 'utf8'), /\/dev\/fuse: this kernel has no such device/);
  });

  test('what is asked for and not done is told by name', () => {
    const b = new Bundle();
    bundles.push(b);
    b.program('true');
    b.change((c) => {
      c.linux.sysctl = { 'kernel.nosuch': '1', 'kernel.shmmni': '5' };
      c.process.apparmorProfile = 'some';
      c.linux.resources = { blockIO: { weight: 100 }, hugepageLimits: [] };
    });
    assert.equal(b.run(['run', 'w']).status, 0);
    const log = readFileSync(b.log, 'utf8');
    for (const name of [
      'linux.sysctl.kernel.nosuch',
      'linux.sysctl.kernel.shmmni',
      'apparmorProfile',
      'resources.blockIO',
    ])
      assert.ok(log.includes(name), `${name}: ${log}`);
    assert.ok(!log.includes('hugepageLimits'), log);
  });

  test('what would leave the sandbox is refused', () => {
    const b = new Bundle();
    bundles.push(b);
    const good = readFileSync(join(b.dir, 'config.json'), 'utf8');
    const mount = { destination: '/m', type: 'bind', source: '/etc', options: ['rbind', 'rshared'] };
    const cases: [(c: Config) => void, RegExp][] = [
      [(c) => c.mounts.push(mount), /rshared: mounts made inside do not reach the host; fix: /],
      [(c) => (c.linux.rootfsPropagation = 'shared'), /rootfsPropagation: mounts made inside/],
      [(c) => c.mounts.push({ ...mount, options: ['idmap'] }), /idmap is not supported/],
      [
        (c) => c.mounts.push({ ...mount, options: ['bind'], uidMappings: [{}] }),
        /idmapped mounts are not supported/,
      ],
      [(c) => (c.linux.timeOffsets = { boottime: { secs: 9 } }), /timeOffsets: time namespaces are not/],
    ];
    for (const [edit, message] of cases) {
      writeFileSync(join(b.dir, 'config.json'), good);
      b.change(edit);
      assert.equal(b.run(['create', '--bundle', b.dir, 't']).status, 1, String(message));
      assert.match(b.lastError(), message);
    }
    const { linux } = JSON.parse(b.run(['features']).stdout) as Config;
    assert.equal(linux.mountExtensions.idmap.enabled, false);
  });

  test('message queues are seen where they are mounted', () => {
    const out = shell('mount | grep -c " /dev/mqueue type mqueue"; ls /dev/mqueue | wc -l');
    assert.equal(out, '1\n0\n');
  });
});
