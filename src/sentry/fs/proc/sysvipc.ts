// /proc/sysvipc: the System V objects of the reader's IPC namespace. proc(5), sysvipc(7).

import { PAGE_SIZE } from '../../base/page.ts';
import type { IpcObject } from '../../kernel/ipc/object.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import { type Text, TextFileInode } from '../../vfs/synthetic.ts';
import { pad } from './format.ts';
import { ProcStaticDir } from './proc_dir.ts';

const MSG_HEADING =
  '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n';
const SEM_HEADING = '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n';
const SHM_HEADING =
  '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n';

/** Key, id and mode, with which every line begins. */
function head(o: IpcObject): string {
  return `${pad(o.key, 10)} ${pad(o.id, 10)}  ${pad(o.mode.toString(8), 4)}`;
}

function owners(o: IpcObject): string {
  return `${pad(o.uid, 5)} ${pad(o.gid, 5)} ${pad(o.cuid, 5)} ${pad(o.cgid, 5)}`;
}

function times(...seconds: number[]): string {
  return seconds.map((s) => pad(s, 10)).join(' ');
}

function* msgText(t: Task): Iterable<string> {
  yield MSG_HEADING;
  for (const q of t.ipc.msg.all()) {
    const counts = `${pad(q.cbytes, 10)} ${pad(q.messages.length, 10)} ${pad(q.lspid, 5)} ${pad(q.lrpid, 5)}`;
    yield `${head(q)}  ${counts} ${owners(q)} ${times(q.stimeSec, q.rtimeSec, q.ctimeSec)}\n`;
  }
}

function* semText(t: Task): Iterable<string> {
  yield SEM_HEADING;
  for (const s of t.ipc.sem.all())
    yield `${head(s)} ${pad(s.values.length, 10)} ${owners(s)} ${times(s.otimeSec, s.ctimeSec)}\n`;
}

function* shmText(t: Task): Iterable<string> {
  yield SHM_HEADING;
  for (const s of t.ipc.shm.all()) {
    const users = `${pad(s.cpid, 5)} ${pad(s.lpid, 5)}  ${pad(s.attached, 5)}`;
    const sizes = `${pad(s.cache.pages * PAGE_SIZE, 21)} ${pad(0, 21)}`;
    yield `${head(s)} ${pad(s.size, 21)} ${users} ${owners(s)} ${times(s.atimeSec, s.dtimeSec, s.ctimeSec)} ${sizes}\n`;
  }
}

/** The directory. */
export function sysvipcDir(fs: FileSystem): ProcStaticDir {
  const dir = new ProcStaticDir(fs);
  const file = (name: string, text: (t: Task) => Text): void => {
    dir.add(name, new TextFileInode(fs, 0o444, (ctx: VfsContext) => text(ctx as Task)));
  };
  file('msg', msgText);
  file('sem', semText);
  file('shm', shmText);
  return dir;
}
