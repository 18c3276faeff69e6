// Whole programs, timed from start to exit. Each one makes what it needs in a folder of its own and leaves nothing.

export interface Workload {
  readonly name: string;
  /** A shell script; $WORK is an empty folder inside the sandbox. It prints one line "ns N" per round. */
  readonly script: string;
  /** Commands that must exist. */
  readonly needs: readonly string[];
}

/** Runs `command` `rounds` times and prints the wall-clock time of each. */
function timed(command: string, rounds: number): string {
  return `i=0; while [ $i -lt ${rounds} ]; do s=$(date +%s%N); ${command}; e=$(date +%s%N); echo ns $((e - s)); i=$((i + 1)); done`;
}

const C_FILE = `awk 'BEGIN{print "#include <stdio.h>\\n#include <stdlib.h>\\n#include <string.h>";for(i=0;i<300;i++)printf("static int f%d(int x,const char*s){int a=x*%d;for(int i=0;i<x;i++)a+=s[i%%7]^i;return a%%%d;}\\n",i,i+3,i+11);print "int main(void){int t=0;";for(i=0;i<300;i++)printf("t+=f%d(%d,\\"abcdefg\\");",i,i);print "printf(\\"%d\\\\n\\",t);return 0;}"}' > a.c`;

export const workloads: readonly Workload[] = [
  { name: 'true', script: timed('/bin/true', 5), needs: [] },
  { name: 'python_start', script: timed('/usr/bin/python3 -c "pass"', 5), needs: ['/usr/bin/python3'] },
  { name: 'perl_start', script: timed('perl -e 1', 5), needs: ['perl'] },
  {
    name: 'cpu_bound',
    script: timed(`awk 'BEGIN{for(i=0;i<6000000;i++)x+=i%7;print x}' > /dev/null`, 3),
    needs: ['awk'],
  },
  { name: 'c_build', script: `${C_FILE}; ${timed('cc -O1 -o a a.c && ./a > /dev/null', 3)}`, needs: ['cc'] },
  {
    name: 'git_small',
    script: timed(
      'rm -rf r && git init -q r && cd r && for f in 1 2 3 4 5 6 7 8; do echo $f > $f; done && git add . && git -c user.name=a -c user.email=a@b commit -qm x && cd ..',
      3,
    ),
    needs: ['git'],
  },
  {
    name: 'sqlite_rows',
    script: timed(
      `rm -f d; sqlite3 d "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x, 'row '||x from c;"`,
      3,
    ),
    needs: ['sqlite3'],
  },
  {
    name: 'gzip_8m',
    script: `head -c 8000000 /dev/zero > z; ${timed('gzip -c z > /dev/null', 3)}`,
    needs: ['gzip'],
  },
  {
    name: 'find_usr_share',
    script: timed('find /usr/share/doc -name "*.gz" > /dev/null', 3),
    needs: ['find'],
  },
  {
    name: 'grep_tree',
    script: timed('grep -r zzzz /usr/include/linux > /dev/null || true', 3),
    needs: ['grep'],
  },
];
