// Real programs natively and inside Vedette: the same status and the same output.
// suite: 90 s
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeBadPrograms } from './harness/badelf.ts';
import { difference, type RunOptions, repoDir, runInside, runNative } from './harness/guest.ts';
import { nativeOnly, needs } from './harness/needs.ts';

interface Program {
  name: string;
  /** Run by sh in a new folder of its own, which is removed afterwards. */
  script?: string;
  /** Or a command as it is. */
  argv?: string[];
  /** What harness/needs.ts knows; without it the test is skipped. */
  needs?: string[];
  timeoutMs?: number;
  /** What it must end with natively, 0 unless told. */
  status?: number;
  input?: string;
  env?: Record<string, string>;
}

const prologue =
  'd=$(mktemp -d /tmp/vedette-prog-XXXXXX) && cd "$d" || exit 99; trap \'cd /; rm -rf "$d"\' EXIT\n';
/** Limits on processes count all of one user: each test that sets one has a user of its own. */
const asUser = (uid: number) => `setpriv --reuid ${uid} --regid ${uid} --clear-groups`;

const shells: Program[] = [
  {
    name: 'busybox',
    needs: ['busybox'],
    script: `
      cp $(command -v busybox) busybox
      ./busybox sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; echo $i'
      ./busybox seq 1 1000 | ./busybox awk '{s+=$1} END {print s}'
      ./busybox seq 1 500 | ./busybox sort -r | ./busybox head -n 3
      ./busybox tar -cf a.tar busybox && ./busybox gzip a.tar && ./busybox gunzip -c a.tar.gz | ./busybox md5sum > sum && ./busybox test -s sum && echo packed
      ./busybox find . -name 'a.*' | ./busybox sort
      ./busybox ls / | ./busybox grep -c . > /dev/null && echo listed`,
  },
  {
    name: 'dash',
    needs: ['dash'],
    script: `dash -c 'f() { echo "$1-$#"; }; f a b; for i in 1 2 3; do (echo sub $i; exit $i) || echo status $?; done
      x=$(echo inner; exit 4); echo "$x $?"; cat <<END
here $((6*7))
END
      trap "echo trapped" USR1; kill -USR1 $$; echo done | { read w; echo got $w; }; wait; ulimit -n 50; ulimit -n'`,
  },
  {
    name: 'bash',
    needs: ['bash'],
    script: `bash -c 'set -o pipefail; a=(one two three); echo "\${a[@]:1}" "\${#a[@]}"; declare -A m=([x]=1 [y]=2); echo "\${m[x]}\${m[y]}"
      diff <(seq 1 5) <(seq 2 6); echo {a..e}{1,2}; false | true; echo $?; coproc cat; echo hello >&"\${COPROC[1]}"; read -u "\${COPROC[0]}" l; echo $l
      for i in {1..20}; do (exit $((i % 3))) & p[i]=$!; done; for i in {1..20}; do wait "\${p[i]}"; printf %s $?; done; echo
      trap "echo bye" EXIT; printf "%05d %x\\n" 42 255; [[ abc =~ ^a(.)c$ ]] && echo "\${BASH_REMATCH[1]}"; echo $((2**40)); mapfile -t l < <(seq 3); echo "\${l[2]}"; read -t 0.1 < <(sleep 5; echo x); echo $?'`,
  },
  {
    name: 'bash reads a large here-document',
    needs: ['bash'],
    script: 'bash -c \'x=$(seq 1 20000); wc -l <<< "$x"; sha256sum <<< "$x"\'',
  },
  {
    name: 'a script run by its first line',
    script: `printf '#!/bin/sh -e\\necho "$0 $*"\\nfalse\\necho never\\n' > s; chmod +x s; ./s a 'b c'; echo $?`,
  },
];

const tools: Program[] = [
  {
    name: 'coreutils',
    script: `
      seq 1 2000 > n; sort -R n | sort -n | cmp - n && echo sorted
      sort -rn n | head -3; tail -n 2 n; cut -c1-2 n | uniq -c | wc -l; tr 0-9 a-j < n | tail -1; wc -lwc < n
      mkdir -p a/b/c; touch -d '2001-02-03 04:05:06 UTC' a/f; stat -c '%n %s %F %a %Y' a/f; stat -c '%F %a' a/b; ln -s f a/l; ln a/f a/h; stat -c %h a/f; readlink a/l
      cp -a a z; TZ=UTC ls -lR --time-style=+%s z | awk '{print $1, $2, $5, $7}' | grep f; mv z y; rm -r y; ls
      dd if=/dev/zero bs=1000 count=300 2>/dev/null | sha256sum; base64 n | md5sum; od -An -tx1 -N16 n; split -l 700 n p.; ls p.*; cat p.* | cmp - n && echo joined
      printf 'a 1\\nb 2\\n' > l; printf 'a x\\nb y\\n' > r; join l r; paste l r; comm -12 n n | wc -l; tac n | head -1; nl r; fold -w 10 n | wc -l
      date -u -d @86400 +%F; factor 1234567890; expr 6 '*' 7; echo abc | rev; basename /a/b.c .c; dirname /a/b; realpath -m a/../q | xargs basename
      timeout 0.2 sleep 5; echo $?; env -i A=1 /usr/bin/env; nice -n 5 nice; truncate -s 1M t; du --apparent-size t; stat -c %s t; chmod 751 t; stat -c %A t; mktemp -u XXXX | wc -c
      yes | head -c 100000 | wc -c; seq 5 | shuf --random-source=n | sort | tr '\\n' ' '; tee q < l > /dev/null; cmp l q; test -e none || echo none; id -u; nproc > /dev/null; printf '%s\\n' *`,
  },
  {
    name: 'findutils',
    needs: ['find', 'xargs'],
    script: `for i in 1 2 3 4 5 6 7 8 9; do mkdir -p t/$i/x; for k in a b c; do echo $i$k > t/$i/x/$k.txt; done; done; ln -s ../1 t/1/loop
      find t -type f | wc -l; find t -name 'b.*' -exec cat {} + | sort | tr '\\n' ' '; find t -type l; find -L t -maxdepth 1 | sort | head -3
      find t -type f -print0 | xargs -0 -P 4 -n 3 cat | sort | md5sum; find t -type f -size -2c -o -newer t -name zz; find t -depth -delete; ls`,
  },
  {
    name: 'grep, sed and awk',
    script: `seq 1 3000 | sed -n 's/^\\([0-9]\\)\\1$/<&>/p'; seq 1 3000 > n; grep -c '7$' n; grep -E '^(12|34)5$' n; grep -rl 2999 .; sed -i '/5/d;s/1/one/' n; wc -l < n; head -2 n
      awk 'BEGIN { for (i = 1; i <= 5; i++) printf "%d:%.3f ", i, sqrt(i); print ""; "echo from command" | getline x; print x; print toupper("abc"), length("four"), substr("hello", 2, 3) }'
      awk -F: '{ n[$NF]++ } END { for (k in n) c++; print (c > 0) }' /etc/passwd; echo 'a b c' | awk '{ $2 = "x"; print; print NF | "cat" }'; printf 'x\\ty\\n' | sed 's/\\t/-/' | cat -A`,
  },
  {
    name: 'perl',
    status: 143,
    needs: ['perl'],
    script: `perl -e 'use strict; use Socket; use POSIX ":sys_wait_h"; my %h; $h{$_ % 7}++ for 1..10000; print join(",", map {"$_=$h{$_}"} sort keys %h), "\\n";
      my @pids; for my $i (1..5) { my $p = fork; if (!$p) { exit $i } push @pids, $p } my $sum = 0; for (@pids) { waitpid $_, 0; $sum += $? >> 8 } print "$sum\\n";
      socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die; if (!fork) { close $a; print $b "over a socket\\n"; exit } close $b; print scalar <$a>; wait;
      open(my $f, "+>", "file") or die; print $f "line $_\\n" for 1..100; seek $f, 0, 0; my $n = () = <$f>; print "$n\\n"; print -s "file", "\\n"; local $SIG{ALRM} = sub { die "alarm\\n" }; eval { alarm 1; sleep 10; }; print $@; print \`echo back ticks\`; print sprintf("%.10f", atan2(1,1)*4), "\\n"; my $s = "aaa" x 1000; print length $s, "\\n"; kill "TERM", $$'`,
  },
  {
    name: 'tar with its compressors',
    needs: ['tar', 'gzip', 'xz', 'zstd'],
    script: `mkdir in; seq 1 40000 > in/a; cp /bin/ls in/b; mkdir in/empty; ln -s a in/link; chmod 640 in/a
      for z in gzip xz zstd bzip2; do command -v $z > /dev/null || continue; tar -c --$z -f o.t in && mkdir out && tar -x --$z -f o.t -C out && diff -r in out/in && stat -c %a out/in/a && readlink out/in/link && tar -t --$z -f o.t | wc -l; rm -rf out o.t; done
      gzip -9k in/a; gzip -l in/a.gz > /dev/null; zcat in/a.gz | md5sum; xz -T2 -k in/b && xz -t in/b.xz && echo tested; zstd -q -T2 in/b -o q && zstd -dqc q | cmp - in/b && echo same; printf junk | gzip -d; echo $?`,
  },
  {
    name: 'a long pipeline in the manner of man',
    script:
      "seq 1 5000 | sed 's/$/ some words for the line/' | fmt -w 60 | pr -l 60 -t | expand | tr a-z A-Z | sort | uniq -c | sort -rn | head -5 | cut -c1-40 | col -b 2>/dev/null | cat -s | nl | tac",
    needs: ['fmt', 'pr'],
  },
  {
    name: 'a pipeline of 200 processes',
    script:
      'c=cat; i=1; while [ $i -lt 199 ]; do c="$c | cat"; i=$((i+1)); done; eval "seq 1 3000 | $c" | sha256sum',
    timeoutMs: 180_000,
  },
];

const languages: Program[] = [
  {
    name: 'python: modules, threads and processes',
    needs: ['python3'],
    timeoutMs: 180_000,
    script: `cat > p.py <<'END'
import asyncio, hashlib, json, mmap, multiprocessing, os, queue, select, signal, sqlite3, ssl, subprocess, sys, tempfile, threading, time, zlib
def work(n): return sum(i * i for i in range(n))
async def child():
    p = await asyncio.create_subprocess_exec('echo', 'async child', stdout=subprocess.PIPE)
    out, _ = await p.communicate()
    return out.decode().strip()
async def main():
    r = await asyncio.gather(*[asyncio.sleep(0.01 * i, i) for i in range(5)])
    print(r, await child())
if __name__ == '__main__':
    q, lock, total = queue.Queue(), threading.Lock(), [0]
    def consume():
        while (x := q.get()) is not None:
            with lock: total[0] += x
    ts = [threading.Thread(target=consume) for _ in range(8)]
    [t.start() for t in ts]
    [q.put(i) for i in range(2000)]
    [q.put(None) for _ in ts]
    [t.join() for t in ts]
    print(total[0])
    print(subprocess.run(['sort'], input='b\\na\\n', capture_output=True, text=True).stdout.split())
    print(subprocess.run('exit 3', shell=True).returncode, subprocess.run(['sleep', '9'], timeout=None, preexec_fn=lambda: os.kill(os.getpid(), 15)).returncode)
    try: subprocess.run(['sleep', '9'], timeout=0.2)
    except subprocess.TimeoutExpired: print('timed out')
    with multiprocessing.Pool(3) as pool: print(pool.map(work, [10, 100, 1000, 10000]))
    parent, kid = multiprocessing.Pipe()
    p = multiprocessing.Process(target=lambda c: c.send({'x': [1, 2]}), args=(kid,)); p.start(); print(parent.recv()); p.join(); print(p.exitcode)
    v = multiprocessing.Value('i', 0)
    def add():
        for _ in range(500):
            with v.get_lock(): v.value += 1
    ps = [multiprocessing.Process(target=add) for _ in range(4)]; [p.start() for p in ps]; [p.join() for p in ps]; print(v.value)
    db = sqlite3.connect('f.db'); db.execute('create table t(a, b)'); db.executemany('insert into t values(?, ?)', [(i, str(i)) for i in range(5000)]); db.commit()
    print(db.execute('select count(*), sum(a) from t where b like "%7%"').fetchone())
    with tempfile.TemporaryDirectory() as d:
        f = os.path.join(d, 'x'); open(f, 'wb').write(bytes(range(256)) * 64)
        with open(f, 'r+b') as h: m = mmap.mmap(h.fileno(), 0); m[0:4] = b'MMAP'; m.flush(); m.close()
        print(open(f, 'rb').read(6), hashlib.sha256(open(f, 'rb').read()).hexdigest()[:16], os.stat(f).st_size)
    print(os.path.exists(d), zlib.crc32(b'crc'), ssl.OPENSSL_VERSION.split()[0], len(ssl.create_default_context().get_ciphers()) > 0)
    asyncio.run(main())
    got = []
    signal.signal(signal.SIGALRM, lambda s, f: got.append(s)); signal.setitimer(signal.ITIMER_REAL, 0.02); time.sleep(0.2); print(got == [signal.SIGALRM])
    r, w = os.pipe(); ep = select.epoll(); ep.register(r, select.EPOLLIN); os.write(w, b'x'); print(len(ep.poll(1)))
    print(json.dumps({'deep': [1, {'a': None}]}), sys.getrecursionlimit())
    try: (lambda f: f(f))(lambda f: f(f))
    except RecursionError: print('recursion stopped')
END
/usr/bin/python3 p.py`,
  },
  {
    name: 'git',
    needs: ['git'],
    timeoutMs: 120_000,
    env: {
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@example.com',
      GIT_AUTHOR_DATE: '1700000000 +0000',
      GIT_COMMITTER_DATE: '1700000000 +0000',
      GIT_CONFIG_NOSYSTEM: '1',
      HOME: '/nonexistent',
      GIT_PAGER: 'cat',
    },
    script: `git init -q -b main r && cd r; for i in 1 2 3 4 5 6 7 8 9 10; do seq 1 $((i*50)) > f$i; git add f$i; git commit -qm "commit $i"; done
      git log --oneline | cat; git checkout -q -b side HEAD~3; echo x > side; git add side; git commit -qm side; git checkout -q main; git merge -q side -m merged; git log --graph --format=%s | cat
      echo change >> f1; git diff --stat; git stash -q; git status --short; git stash pop -q; git status --short; git gc -q 2>&1; git fsck 2>&1 | grep -v notice; git count-objects -v | grep -E 'in-pack|packs'; git clone -q . ../c && git -C ../c rev-parse HEAD; git blame -s f2 | tail -1; git tag v1; git describe; git archive HEAD | tar -t | wc -l`,
  },
  {
    name: 'gcc and g++',
    needs: ['gcc', 'g++'],
    timeoutMs: 180_000,
    script: `cat > a.c <<'END'
#include <stdio.h>
#include <pthread.h>
static void *f(void *p) { *(int *)p += 40; return 0; }
int main(int argc, char **argv) { int x = argc; pthread_t t; pthread_create(&t, 0, f, &x); pthread_join(t, 0); printf("%d %s\\n", x, argv[1]); return 5; }
END
cat > b.cc <<'END'
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
int main() { std::map<std::string, int> m; for (int i = 0; i < 1000; i++) m["k" + std::to_string(i % 10)]++; for (auto &[k, v] : m) std::cout << k << '=' << v << ' ';
  std::vector<std::thread> ts; std::vector<int> r(4); for (int i = 0; i < 4; i++) ts.emplace_back([&, i] { r[i] = i * i; }); for (auto &t : ts) t.join(); for (int x : r) std::cout << x;
  try { throw std::runtime_error("caught"); } catch (std::exception &e) { std::cout << ' ' << e.what() << std::endl; } }
END
gcc -O2 -Wall -pthread a.c -o a && ./a arg; echo $?; g++ -O1 -pthread b.cc -o b && ./b; gcc -static a.c -o s && ./s static; gcc -c a.c && ar rc l.a a.o && nm a.o | grep ' T '; gcc -E a.c | wc -l | grep -c .; echo 'int main( {' > e.c; gcc e.c 2>/dev/null; echo $?`,
  },
  {
    name: 'make -j2',
    needs: ['make', 'gcc'],
    timeoutMs: 180_000,
    script: `for i in 1 2 3 4 5 6; do echo "int f$i(void) { return $i; }" > f$i.c; done; echo 'int f1(void), f6(void); int main(void) { return f1() + f6(); }' > m.c
      printf 'O = m.o f1.o f2.o f3.o f4.o f5.o f6.o\\nall: p\\np: $(O)\\n\\t@gcc -o $@ $^ && echo linked\\n%%.o: %%.c\\n\\t@gcc -c $<\\nclean:\\n\\trm -f p *.o\\n.PHONY: clean\\n' > Makefile
      make -s -j2; ./p; echo $?; make -s -j2; touch f3.c; make -j2 | wc -l; make -s clean; ls; make none 2> /dev/null; echo $?`,
  },
  {
    name: 'openssl',
    needs: ['openssl'],
    script: `seq 1 100000 > n; openssl sha256 < n; openssl dgst -sha512 n; openssl enc -aes-256-cbc -pbkdf2 -S 0102030405060708 -k pass -in n | openssl enc -d -aes-256-cbc -pbkdf2 -S 0102030405060708 -k pass | cmp - n && echo same
      openssl rand -hex 16 | wc -c; openssl genpkey -algorithm ed25519 -out k 2>/dev/null && openssl pkeyutl -sign -rawin -inkey k -in Makefile 2>/dev/null; openssl pkey -in k -pubout -out p && openssl pkeyutl -sign -rawin -inkey k -in n -out s && openssl pkeyutl -verify -rawin -pubin -inkey p -sigfile s -in n
      openssl speed -seconds 1 -bytes 1024 sha256 > speed 2> /dev/null; grep -c '^sha256' speed`,
  },
  {
    name: 'sqlite3 writes 100,000 rows',
    needs: ['sqlite3'],
    timeoutMs: 180_000,
    script: `sqlite3 t.db "pragma journal_mode=wal; create table t(id integer primary key, name text, v real);
      with recursive c(x) as (select 1 union all select x+1 from c where x < 100000) insert into t select x, 'name' || x, x * 0.5 from c; create index i on t(name);
      select count(*), sum(id), max(v) from t; select id from t where name = 'name77777'; pragma integrity_check;"
      for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' t.db "begin immediate; update t set v = v + 1 where id <= 1000; commit;" & done; wait; sqlite3 t.db 'select sum(v) from t where id <= 1000; delete from t where id % 2; vacuum; select count(*) from t'; sqlite3 t.db .dump | tail -n +3 | md5sum`,
  },
  {
    name: 'node with worker threads',
    timeoutMs: 180_000,
    env: { NODE: process.execPath },
    script: `cat > n.mjs <<'END'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { gzipSync, gunzipSync } from 'node:zlib';
if (!isMainThread) { let s = 0; for (let i = 0; i < 1e6; i++) s += i % workerData; parentPort.postMessage(s); }
else {
  const run = (n) => new Promise((ok, no) => { const w = new Worker(new URL(import.meta.url), { workerData: n }); w.on('message', ok); w.on('error', no); });
  console.log(await Promise.all([3, 5, 7].map(run)));
  console.log(execFileSync('echo', ['from a child']).toString().trim());
  console.log(await new Promise((ok) => spawn('sh', ['-c', 'exit 9']).on('exit', ok)), await new Promise((ok) => { const c = spawn('sleep', ['9']); c.on('exit', (_, s) => ok(s)); c.kill(); }));
  console.log(createHash('sha256').update('x'.repeat(1e6)).digest('hex').slice(0, 12), gunzipSync(gzipSync(Buffer.alloc(1e5, 'a'))).length);
  await fs.promises.writeFile('f', 'text'); console.log((await fs.promises.readFile('f')).toString(), fs.readdirSync('.').sort().join());
  const at = Date.now(); await new Promise((ok) => setTimeout(ok, 50)); console.log(Date.now() - at >= 48); new Array(1e6).fill(0).map((_, i) => ({ i })); process.exitCode = 6;
}
END
"$NODE" n.mjs; echo $?`,
  },
  {
    name: 'static Go programs: the compiler and the bundler of this project',
    timeoutMs: 180_000,
    script: `cat > a.ts <<'END'
import { b } from './b.ts';
const n: number = b.map((x: number) => x * 2).reduce((x, y) => x + y, 0);
console.log(n);
END
echo 'export const b: number[] = [1, 2, 3];' > b.ts
for i in $(seq 300); do echo "export function f$i(x: number): number { return x + $i; }"; done > c.ts
${repoDir}/node_modules/.bin/esbuild --bundle --format=esm a.ts
${repoDir}/node_modules/@typescript/typescript-linux-x64/lib/tsc --target es2022 --module esnext --allowImportingTsExtensions --rewriteRelativeImportExtensions --skipLibCheck --types '' a.ts c.ts; echo $?
cat a.js; wc -l c.js`,
  },
  {
    name: 'a static Go program',
    needs: ['go'],
    timeoutMs: 300_000,
    env: { GOCACHE: '/tmp/vedette-go-cache', CGO_ENABLED: '0', GOFLAGS: '-mod=mod' },
    script: `cat > m.go <<'END'
package main
import ("fmt"; "os"; "os/exec"; "sync"; "time")
func main() { var wg sync.WaitGroup; c := make(chan int, 10); for i := 0; i < 100; i++ { wg.Add(1); go func(i int) { defer wg.Done(); time.Sleep(time.Millisecond); c <- i }(i) }
 go func() { wg.Wait(); close(c) }(); s := 0; for v := range c { s += v }; out, _ := exec.Command("echo", "child").Output(); fmt.Println(s, string(out)); os.Exit(4) }
END
go build -o m m.go && ./m; echo $?`,
  },
];

const pty = `cat > session.py <<'END'
import os, pty, re, select, signal, sys, time
def session(argv, steps):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(PS1='PROMPT> ', TERM='dumb', HISTFILE='')
        os.execvp(argv[0], argv)
    seen = ''
    def wait_for(text):
        nonlocal seen
        end = time.time() + 20
        while text not in seen:
            if time.time() > end: print('no', repr(text), 'in', repr(seen)); os.kill(pid, 9); sys.exit(1)
            if select.select([fd], [], [], 0.1)[0]:
                try: seen += os.read(fd, 4096).decode()
                except OSError: seen += '<closed>'
        seen = seen[seen.index(text) + len(text):]
        print('saw', repr(text))
    for send, expect in steps:
        os.write(fd, send.encode())
        for e in expect: wait_for(e)
    print('status', os.waitpid(pid, 0)[1])
END`;

const jobs: Program[] = [
  {
    name: 'a shell with job control',
    needs: ['python3', 'bash'],
    script: `${pty}
cat >> session.py <<'END'
def start(program): return "sh -c 'echo run''ning; exec " + program + "'\\n"
session(['bash', '--norc', '-i'], [
    ('', ['PROMPT> ']), ("echo st''art\\n", ['start', 'PROMPT> ']),
    (start('sleep 100'), ['running']), ('\\x1a', ['Stopped', 'PROMPT> ']), ('bg\\n', ['sleep 100', 'PROMPT> ']), ('jobs\\n', ['Running', 'PROMPT> ']),
    ("kill %1; wait; echo re''aped\\n", ['reaped', 'PROMPT> ']),
    (start('cat'), ['running']), ('line one\\n', ['line one', 'line one']), ('\\x04', ['PROMPT> ']),
    (start('sleep 100'), ['running']), ('\\x03', ['^C', 'PROMPT> ']), ('echo code=$?\\n', ['code=130', 'PROMPT> ']),
    ("sh -c 'sleep 0.2; echo run''ning; exec sleep 50' &\\n", ['[1]', 'PROMPT> ']), ('fg\\n', ['sleep 50', 'running']), ('\\x1a', ['Stopped', 'PROMPT> ']),
    ("kill -9 %1; wait; echo gone''now\\n", ['gonenow', 'PROMPT> ']), ("tty > /dev/null && echo tt''y\\n", ['tty', 'PROMPT> ']),
    ('stty size\\n', ['0 0', 'PROMPT> ']), ('exit 3\\n', []),
])
END
/usr/bin/python3 session.py`,
  },
  {
    name: 'a session in script(1)',
    needs: ['script'],
    script: `script -qec 'test -t 0 && echo terminal; stty -a | grep -c speed; exit 4' /dev/null < /dev/null | tr -d '\\r'; script -qec 'exit 4' /dev/null < /dev/null > /dev/null; echo $?`,
  },
];

const hostile: Program[] = [
  {
    name: 'argument list too long',
    script: '/bin/true $(seq 1 600000) 2>/dev/null; echo $?; /bin/true $(seq 1 10000); echo $?',
  },
  {
    name: 'too many processes of one user',
    needs: ['setpriv', 'python3'],
    script: `chmod 755 . && ${asUser(54323)} bash -c "ulimit -u 40; exec /usr/bin/python3 -c '
import errno, os
made = 0
try:
    while made < 500:
        if os.fork() == 0: os.read(os.pipe()[0], 1)
        made += 1
except OSError as e: print(errno.errorcode[e.errno])
print(made)
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
for i in range(made): os.wait()
print(\\"all gone\\")
'" `,
  },
  {
    name: 'a bomb of forks under a limit',
    needs: ['setpriv', 'python3'],
    script: `chmod 755 . && ${asUser(54324)} bash -c "ulimit -u 60; exec /usr/bin/python3 -c '
import os, select, time
top, end, failed = os.getpid(), time.time() + 15, 0
r, w = os.pipe()
while time.time() < end and not select.select([r], [], [], 0)[0]:
    try: os.fork()
    except OSError: failed += 1
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except OSError: pass
    if failed: os.write(w, b\\"f\\")
    if os.getpid() != top and failed: os._exit(0)
if os.getpid() != top: os._exit(0)
try:
    while True: os.wait()
except OSError: pass
print(\\"limit reached:\\", bool(select.select([r], [], [], 0)[0]))
'" 2>/dev/null`,
  },
  {
    name: 'more memory than allowed',
    needs: ['python3', 'perl'],
    script: `(ulimit -v 300000; /usr/bin/python3 -c '
parts = []
try:
    while len(parts) < 1000: parts.append(bytearray(10 << 20))
except MemoryError: print("no more", 5 < len(parts) < 40)
del parts
print(len(bytearray(20 << 20)))')
      (ulimit -v 200000; perl -e 'my @a; push @a, "x" x 10000000 for 1..1000; print "never\\n"' 2>/dev/null; echo $?)
      (ulimit -f 10; dd if=/dev/zero of=big bs=1024 count=100 2>/dev/null; echo $?; stat -c %s big); (ulimit -t 1; sh -c 'while :; do :; done'; echo $?) 2>/dev/null; (ulimit -n 8; cat /dev/null 9< /dev/null; echo after) 2>/dev/null`,
  },
  {
    name: 'ten thousand open files',
    needs: ['python3'],
    script: `/usr/bin/python3 -c '
import os, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
n = min(10000, hard - 50)
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 50, hard))
fds = [os.open("f%d" % (i % 100), os.O_RDWR | os.O_CREAT) for i in range(n)]
for i, fd in enumerate(fds): os.pwrite(fd, b"%06d" % i, (i // 100) * 6)
print(len(set(fds)) == n, os.path.getsize("f5") == ((n + 94) // 100) * 6)
print(open("f7").read(12) == "000007000107")
print(os.spawnlp(os.P_WAIT, "true", "true"))
for fd in fds: os.close(fd)
print(len(os.listdir("/proc/self/fd")) < 10)'`,
  },
  {
    name: 'deep folders and loops of links',
    needs: ['python3', 'find'],
    script: `/usr/bin/python3 -c '
import os
for i in range(1000): os.mkdir("deep"); os.chdir("deep")
open("end", "w").write("x")'
      find . -name end | wc -c; find . -depth -type d | wc -l; du -s deep > /dev/null && echo counted; rm -rf deep; ls | wc -l
      ln -s a b; ln -s b a; cat a 2>/dev/null; echo $?; ln -s . self; cat self/self/self/self/../none 2>/dev/null; echo $?; ls -d self/self/self; find -L . 2>/dev/null | wc -l; cd self/self && pwd -P | wc -l; cp -r self copy 2>/dev/null; ls copy -d; mkdir d; mv d d/x 2>/dev/null; echo $?; cp a c 2>/dev/null; echo $?; echo x > 'name with
newline'; ls | wc -l`,
  },
  {
    name: 'a reader that goes away',
    status: 1,
    script:
      'yes | head -n 1; (seq 1 1000000; echo $? >&2) 2>s | head -n 1; cat s | tr -dc 0-9 | head -c 3; exec >&-; echo x 2>/dev/null; exit $?',
  },
  { name: 'input through a pipe', argv: ['sha256sum'], input: 'some words\n'.repeat(300_000) },
  { name: 'no input at all', argv: ['cat'] },
  { name: 'much output', argv: ['seq', '1', '700000'] },
  { name: 'the environment', argv: ['env'], env: { ONE: 'first value', TWO: '' } },
];

const endings: Program[] = [
  ...[0, 1, 7, 255].map((code) => ({ name: `exit ${code}`, argv: ['sh', '-c', `exit ${code}`] })),
  ...['HUP', 'INT', 'QUIT', 'ABRT', 'KILL', 'SEGV', 'TERM', 'USR1', 'PIPE', 'XCPU', 'SYS'].map((signal) => ({
    name: `killed by SIG${signal}`,
    argv: ['sh', '-c', `kill -${signal} $$; sleep 5`],
  })),
  {
    name: 'a shell reports the signal of its child',
    argv: ['sh', '-c', 'sh -c "kill -9 \\$\\$"; echo $?; sh -c "kill \\$\\$"; echo $?'],
  },
  { name: 'children outlive the first process', argv: ['sh', '-c', 'sleep 0.3 & echo started'] },
  {
    name: 'the first process reaps what it never started',
    argv: ['sh', '-c', '(sleep 0.1 & sleep 0.1 &) ; sleep 0.4; echo $?'],
  },
];

/** The native side prints nothing that the run of another day, folder or process would print otherwise. */
function normal(text: string): string {
  return text.replace(/vedette-prog-\w{6}/g, 'FOLDER').replace(/^(_|PWD|OLDPWD|SHLVL)=.*\n/gm, '');
}

function command(p: Program): string[] {
  return p.argv ?? ['sh', '-c', prologue + p.script];
}

for (const [group, programs] of Object.entries({ shells, tools, languages, jobs, hostile, endings })) {
  describe(`programs: ${group}`, { concurrency: 2 }, () => {
    for (const p of programs) {
      test(p.name, needs(...(p.needs ?? [])), async () => {
        const options: RunOptions = {
          timeoutMs: p.timeoutMs ?? 90_000,
          input: p.input ?? '',
          env: p.env ?? {},
        };
        const native = await runNative(command(p), options);
        assert.equal(native.timedOut, false, 'the native run took too long');
        if (p.status !== undefined || p.script !== undefined) {
          assert.equal(
            native.status,
            p.status ?? 0,
            `native run: ${native.stdout.slice(-500)}${native.stderr.slice(-1000)}`,
          );
        }
        native.stdout = normal(native.stdout);
        if (process.env.VEDETTE_SHOW === '1')
          console.log(p.name, native.status, native.stdout, native.stderr);
        const inside = await (nativeOnly ? runNative : runInside)(command(p), options);
        inside.stdout = normal(inside.stdout);
        const text = difference(native, inside);
        if (text !== '') assert.fail(text);
      });
    }
  });
}

describe('programs that are none', { concurrency: 2 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-bad-'));
  const names = writeBadPrograms(dir);
  before(() => {
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, 'not-executable'), '#!/bin/sh\n', { mode: 0o644 });
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('execve gives the same error or end as on Linux', needs('python3'), async () => {
    const script = `import errno, os, sys
os.chdir(sys.argv[1])
for name in sys.argv[2:] + ['not-executable', 'missing', '.', 'good/x']:
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try: os.execv('./' + name, [name])
        except OSError as e: os.write(w, errno.errorcode[e.errno].encode()); os._exit(0)
    os.close(w)
    print(name, os.read(r, 100).decode(), os.waitpid(pid, 0)[1] & 0xff7f, flush=True)
    os.close(r)`;
    const argv = ['/usr/bin/python3', '-c', script, dir, ...names];
    const native = await runNative(argv);
    assert.equal(native.status, 0, native.stderr);
    if (process.env.VEDETTE_SHOW === '1') console.log(native.stdout);
    const text = difference(native, await (nativeOnly ? runNative : runInside)(argv));
    if (text !== '') assert.fail(text);
  });

  // As the first program: 127 when there is none, 126 when it cannot be executed, and a word on why.
  for (const [name, statuses] of [
    ['missing', [127]],
    ['not-executable', [126]],
    ['.', [126]],
    ['good', [7]],
    // Linux looks at the machine alone, not at the class and the byte order.
    ['wrong-class', [7]],
    ...names.filter((n) => /^(half|wrong-machine|wrong-header|core)/.test(n)).map((n) => [n, [126]] as const),
    // A file without a format may be handed to sh, as shells and execvp(3) do, or be refused.
    ['empty', [0, 126]],
    ['text-file', [126, 127]],
    ['missing-interpreter', [126, 127]],
    ['script-without-interpreter', [126, 127]],
  ] as const) {
    test(`as the first program: ${name}`, needs('inside'), async () => {
      const result = await runInside([join(dir, name)], { timeoutMs: 20_000 });
      assert.ok(
        (statuses as readonly number[]).includes(result.status),
        `status ${result.status}: ${result.stderr}`,
      );
      if (result.status > 100) assert.match(result.stderr, /\w/);
    });
  }

  test('a name without a slash is looked up in PATH', needs('inside'), async () => {
    assert.equal((await runInside(['true'], { timeoutMs: 20_000 })).status, 0);
    assert.equal((await runInside(['no-such-command-anywhere'], { timeoutMs: 20_000 })).status, 127);
  });
});
