// Whole programs. Each unit is a shell script in an empty folder; `timed CASE COMMAND...` runs a command several times.

import { join } from 'node:path';
import { type Context, quote, type Unit } from './units.ts';

const PYTHON = '/usr/bin/python3';
/** A file of real data that exists wherever we run. */
const NODE = process.execPath;

/** `rounds` counts the timed runs of a pass; one more warms up. The longer ones leave repetition to the passes. */
function script(name: string, cases: string[], needs: string[], rounds: number, text: string): Unit {
  return {
    name,
    cases,
    needs,
    command: (context) => ['/bin/sh', '-c', prelude(context, rounds) + text],
  };
}

function prelude({ root, scratch, programs, quick }: Context, rounds: number): string {
  return `
    ROOT=${quote(root)} SCRATCH=${quote(scratch)} NODE=${quote(NODE)} PYTHON=${PYTHON}
    ROUNDS=${quick ? Math.ceil(rounds / 3) : rounds}
    export ROOT SCRATCH NODE
    timed() { name=$1; shift; ${quote(programs.repeat)} "$name" $ROUNDS "$@" || exit 1; }
    fail() { echo "$*" >&2; exit 1; }
    WORK=$(mktemp -d ${quote(join(scratch, 'work-XXXXXX'))}) && cd "$WORK" || exit 1
    trap 'cd / && rm -rf "$WORK"' EXIT
  `;
}

/**
 * A unit that hardly does anything but compute: what is to be told are small differences, which any moment in which the
 * host is busy hides, so it takes several turns.
 */
function computing(unit: Unit, turns: number): Unit {
  return { ...unit, turns };
}

/** One command that needs nothing but itself. */
function command(name: string, rounds: number, argv: string[], needs: string[] = []): Unit {
  return script(name, [name], [argv[0]!, ...needs], rounds, `timed ${name} ${argv.map(quote).join(' ')}`);
}

function python(file: string, name = file, rounds = 2): Unit {
  const path = `"$ROOT"/bench/python/${file}.py`;
  return script(`py_${name}`, [`py_${name}`], [PYTHON], rounds, `exec "$PYTHON" -B ${path} $ROUNDS`);
}

const GIT = `
  HOME=$WORK GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
  mkdir tree && cp -r "$ROOT"/src tree || fail "cannot copy the tree"
  cd tree
  timed git_commit sh -c 'rm -rf .git && git init -q && git add . && git commit -qm all'
  timed git_status git status --short
  timed git_log git log --stat
  cd ..
  timed git_clone sh -c 'rm -rf copy && git clone -q tree copy'
`;

// Without synchronous=off the host's disk would decide the native figure, and only that one.
const SQLITE = `
  cat > bulk.sql <<'END'
    pragma synchronous=off;
    drop table if exists t;
    begin;
    create table t(a integer primary key, b text, c integer);
    with recursive n(x) as (select 1 union all select x + 1 from n where x < 60000)
      insert into t select x, 'row ' || x, x * 7919 % 1000 from n;
    commit;
    create index i on t(c);
    select c, count(*), max(b) from t group by c order by 2 desc limit 5;
    select sum(length(x.b)) from t x join t y on y.a = x.c;
    delete from t where c < 500;
END
  awk 'BEGIN { print "pragma synchronous=off; create table if not exists s(a integer primary key, b text);"
    for (i = 0; i < 300; i++) printf "insert into s(b) values(\\"%d\\"); update s set b = b + 1 where a = %d;\\n", i, i }' > txns.sql
  timed sqlite_bulk sh -c 'sqlite3 bulk.db < bulk.sql'
  timed sqlite_txns sh -c 'sqlite3 txns.db < txns.sql'
`;

const REDIS = `
  redis-server --port 0 --unixsocket "$WORK/s" --save '' --appendonly no --dir "$WORK" > log 2>&1 &
  server=$!
  trap 'kill $server 2> /dev/null; wait $server; cd / && rm -rf "$WORK"' EXIT
  i=0
  until [ "$(redis-cli -s "$WORK/s" ping 2> /dev/null)" = PONG ]; do
    i=$((i + 1))
    [ $i -lt 100 ] || fail "redis-server does not answer: $(tail -n 1 log)"
    sleep 0.05
  done
  redis-benchmark -s "$WORK/s" -n 500 -c 10 -t get,set -q > /dev/null || exit 1
  while [ $ROUNDS -gt 0 ]; do
    redis-benchmark -s "$WORK/s" -n 3000 -c 10 -t get,set --csv |
      tr -d '"' | awk -F, '$1 == "GET" || $1 == "SET" { printf "redis_%s %.1f\\n", tolower($1), 1e9 / $2 }'
    ROUNDS=$((ROUNDS - 1))
  done
`;

const GZIP = `
  head -c 6000000 "$NODE" > data && gzip -k data || fail "cannot make the data"
  timed gzip gzip -c data
  timed gunzip gzip -dc data.gz
`;

/** Adds one process, a pipe and a file at a time, as build scripts do. */
const SHELL = `
  cat > loop.sh <<'END'
    i=0
    while [ $i -lt 20 ]; do
      echo "line $i" > f$i
      n=$(cat f$i | wc -l)
      [ "$n" = 1 ] && rm f$i
      i=$((i + 1))
    done
END
  timed shell_script sh loop.sh
`;

const BUILD = `cp -r "$SCRATCH"/c_sources/. . || fail "cannot copy the sources"; timed c_build make -s -B`;

export const workloads: readonly Unit[] = [
  command('true', 10, ['/bin/true']),
  command('python_start', 5, [PYTHON, '-c', 'pass']),
  command('perl_start', 5, ['perl', '-e', '1']),
  command('node_start', 1, [NODE, '-e', '0']),
  computing(
    command('cpu_bound', 2, ['awk', 'BEGIN { for (i = 0; i < 6000000; i++) x += i % 7; print x }']),
    3,
  ),
  script('shell_script', ['shell_script'], [], 1, SHELL),
  script('c_build', ['c_build'], ['cc', 'make'], 1, BUILD),
  script('git', ['git_commit', 'git_status', 'git_log', 'git_clone'], ['git'], 1, GIT),
  script('sqlite', ['sqlite_bulk', 'sqlite_txns'], ['sqlite3'], 1, SQLITE),
  command(
    'grep_tree',
    2,
    ['grep', '-rc', 'struct [a-z]*_info {', '/usr/include/linux'],
    ['/usr/include/linux'],
  ),
  command('find_tree', 1, ['find', '/usr/include', '-name', '*.h', '-size', '+8k'], ['/usr/include']),
  script('gzip', ['gzip', 'gunzip'], ['gzip'], 1, GZIP),
  script('redis', ['redis_get', 'redis_set'], ['redis-server', 'redis-benchmark', 'redis-cli'], 1, REDIS),
  computing(python('nbody', 'nbody', 5), 2),
  computing(python('fannkuch', 'fannkuch', 5), 2),
  computing(python('json_text', 'json', 5), 2),
  computing(python('regex', 'regex', 5), 2),
  computing(python('strings', 'strings', 5), 2),
  computing(python('sorting', 'sorting', 5), 2),
  computing(python('pickling', 'pickle', 5), 2),
  python('file_lines'),
  python('spawn'),
  python('threads'),
];
