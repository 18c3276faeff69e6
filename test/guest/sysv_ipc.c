// sysvipc(7): shared memory, semaphores, message queues.
#include "check.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};

SUBTEST_FORK(memory) {
  int id = OK(shmget(IPC_PRIVATE, 3 * PAGE - 5, IPC_CREAT | 0600));
  char *p = OK(shmat(id, NULL, 0));
  CHECK_EQ((long)p % PAGE, 0);
  CHECK_EQ(p[3 * PAGE - 6], 0);
  strcpy(p, "parent");
  CHILD {
    CHECK_STR(p, "parent");
    char *q = OK(shmat(id, NULL, SHM_RDONLY));
    CHECK_STR(q, "parent");
    strcpy(p, "child");
    CHECK_STR(q, "child");
    CHECK_EQ(child_result(SPAWN({ *(volatile char *)q = 1; })), 256 + SIGSEGV);
  }
  CHECK_STR(p, "child");
  struct shmid_ds ds;
  OK(shmctl(id, IPC_STAT, &ds));
  CHECK_EQ(ds.shm_segsz, 3 * PAGE - 5);
  CHECK_EQ(ds.shm_nattch, 1);
  CHECK_EQ(ds.shm_cpid, getpid());
  CHECK_EQ(ds.shm_perm.mode & 0777, 0600);
  OK(shmctl(id, IPC_RMID, NULL));
  // Marked for removal, it lives until the last detach.
  CHECK_STR(p, "child");
  OK(shmdt(p));
  CHECK_ERR(shmat(id, NULL, 0), EINVAL);
  CHECK_ERR(shmdt(p), EINVAL);
  CHECK_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
}

SUBTEST_FORK(memory_keys_and_addresses) {
  key_t key = 0x76650000 | (getpid() & 0xffff);
  int id = OK(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
  CHECK_ERR(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(OK(shmget(key, 100, 0)), id);
  CHECK_ERR(shmget(key, PAGE + 1, 0), EINVAL);
  char *hole = OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_ERR(shmat(id, hole, 0), EINVAL);
  CHECK(OK(shmat(id, hole, SHM_REMAP)) == hole);
  OK(munmap(hole + PAGE, PAGE));
  CHECK(OK(shmat(id, hole + PAGE + 77, SHM_RND)) == hole + PAGE);
  CHECK_ERR(shmat(id, hole + 5, 0), EINVAL);
  OK(shmctl(id, IPC_RMID, NULL));
  CHECK_ERR(shmget(key, PAGE, 0), ENOENT);
}

SUBTEST_FORK(semaphores) {
  int id = OK(semget(IPC_PRIVATE, 3, IPC_CREAT | 0600));
  unsigned short values[3] = {1, 0, 5};
  OK(semctl(id, 0, SETALL, (union semun){.array = values}));
  CHECK_EQ(OK(semctl(id, 2, GETVAL)), 5);
  struct sembuf two[2] = {{2, -5, 0}, {0, -1, 0}};
  OK(semop(id, two, 2));
  CHECK_EQ(OK(semctl(id, 2, GETVAL)), 0);
  struct sembuf all_or_none[2] = {{1, 7, 0}, {0, -1, IPC_NOWAIT}};
  CHECK_ERR(semop(id, all_or_none, 2), EAGAIN);
  CHECK_EQ(OK(semctl(id, 1, GETVAL)), 0);
  struct sembuf wait_zero = {1, 0, IPC_NOWAIT}, up = {0, 1, 0}, down = {0, -1, 0};
  OK(semop(id, &wait_zero, 1));
  pid_t pid = SPAWN({ OK(semop(id, &down, 1)); });
  wait_blocked(pid);
  CHECK_EQ(OK(semctl(id, 0, GETNCNT)), 1);
  OK(semop(id, &up, 1));
  CHILD_DONE(pid);
  CHECK_EQ(OK(semctl(id, 0, GETPID)), pid);
  struct timespec t = {0, 20000000};
  CHECK_ERR(semtimedop(id, &down, 1, &t), EAGAIN);
  struct sembuf bad = {9, 1, 0};
  CHECK_ERR(semop(id, &bad, 1), EFBIG);
  CHECK_ERR(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
  // SEM_UNDO takes back what a process did when it ends.
  CHILD {
    struct sembuf undo = {1, 4, SEM_UNDO};
    OK(semop(id, &undo, 1));
    CHECK_EQ(OK(semctl(id, 1, GETVAL)), 4);
  }
  CHECK_EQ(OK(semctl(id, 1, GETVAL)), 0);
  pid = SPAWN({ CHECK_ERR(semop(id, &down, 1), EIDRM); });
  wait_blocked(pid);
  OK(semctl(id, 0, IPC_RMID));
  CHILD_DONE(pid);
  CHECK_ERR(semop(id, &up, 1), EINVAL);
}

struct message {
  long type;
  char text[64];
};

SUBTEST_FORK(messages) {
  int id = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
  struct message m = {3, "three"}, got;
  OK(msgsnd(id, &m, 6, 0));
  m = (struct message){1, "one"};
  OK(msgsnd(id, &m, 4, 0));
  m = (struct message){2, "two"};
  OK(msgsnd(id, &m, 4, 0));
  CHECK_EQ(OK(msgrcv(id, &got, 64, 2, 0)), 4);
  CHECK_STR(got.text, "two");
  CHECK_EQ(OK(msgrcv(id, &got, 64, -3, 0)), 4);
  CHECK_EQ(got.type, 1);
  CHECK_ERR(msgrcv(id, &got, 2, 0, 0), E2BIG);
  CHECK_EQ(OK(msgrcv(id, &got, 2, 0, MSG_NOERROR)), 2);
  CHECK_ERR(msgrcv(id, &got, 64, 0, IPC_NOWAIT), ENOMSG);
  m.type = 0;
  CHECK_ERR(msgsnd(id, &m, 4, 0), EINVAL);
  pid_t pid = SPAWN({
    CHECK_EQ(OK(msgrcv(id, &got, 64, 9, 0)), 5);
    CHECK_STR(got.text, "nine");
  });
  wait_blocked(pid);
  m = (struct message){9, "nine"};
  OK(msgsnd(id, &m, 5, 0));
  CHILD_DONE(pid);
  struct msqid_ds ds;
  OK(msgctl(id, IPC_STAT, &ds));
  CHECK_EQ(ds.msg_qnum, 0);
  CHECK_EQ(ds.msg_lspid, getpid());
  pid = SPAWN({ CHECK_ERR(msgrcv(id, &got, 64, 9, 0), EIDRM); });
  wait_blocked(pid);
  OK(msgctl(id, IPC_RMID, NULL));
  CHILD_DONE(pid);
}

SUBTEST_FORK(permissions) {
  NEED_ROOT();
  int shm = OK(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600)), sem = OK(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
  CHILD {
    OK(setresuid(1000, 1000, 1000));
    CHECK_ERR(shmat(shm, NULL, 0), EACCES);
    CHECK_ERR(shmctl(shm, IPC_RMID, NULL), EPERM);
    CHECK_ERR(semctl(sem, 0, GETVAL), EACCES);
    CHECK_ERR(semctl(sem, 0, IPC_RMID), EPERM);
  }
  OK(shmctl(shm, IPC_RMID, NULL));
  OK(semctl(sem, 0, IPC_RMID));
}
