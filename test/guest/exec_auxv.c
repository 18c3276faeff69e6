// What execve(2) puts on a new program's stack: argc, argv, envp, getauxval(3).
#include "check.h"
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

extern char **environ;

static Elf64_auxv_t *aux_vector(void) {
  char **p = environ;
  while (*p) p++;
  return (void *)(p + 1);
}

SUBTEST(complete) {
  unsigned long want[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID, AT_EUID, AT_GID,
                          AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP, AT_CLKTCK, AT_PLATFORM, AT_EXECFN, AT_SYSINFO_EHDR};
  Elf64_auxv_t *aux = aux_vector();
  for (size_t i = 0; i < COUNT(want); i++) {
    bool found = false;
    for (Elf64_auxv_t *a = aux; a->a_type != AT_NULL; a++) found |= a->a_type == want[i];
    if (!found) FAIL("no entry %lu", want[i]);
  }
}

SUBTEST(values) {
  CHECK_EQ(getauxval(AT_PAGESZ), 4096);
  CHECK_EQ(getauxval(AT_CLKTCK), 100);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_GID), getgid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_FLAGS), 0);
  CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
  CHECK(strstr((char *)getauxval(AT_EXECFN), "exec_auxv") != NULL);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
}

SUBTEST(program_headers) {
  Elf64_Phdr *p = (void *)getauxval(AT_PHDR);
  size_t n = getauxval(AT_PHNUM);
  unsigned long bias = 0;
  bool load = false, interp = false;
  for (size_t i = 0; i < n; i++) {
    if (p[i].p_type == PT_PHDR) bias = (unsigned long)p - p[i].p_vaddr;
    if (p[i].p_type == PT_LOAD) load = true;
    if (p[i].p_type == PT_INTERP) interp = true;
  }
  CHECK(load && interp);
  Elf64_Ehdr *header = (void *)bias;
  CHECK(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0);
  CHECK_EQ(bias + header->e_entry, getauxval(AT_ENTRY));
  // AT_BASE is where the interpreter begins.
  CHECK(memcmp((void *)getauxval(AT_BASE), ELFMAG, SELFMAG) == 0);
}

SUBTEST(random_bytes) {
  unsigned char *r = (void *)getauxval(AT_RANDOM);
  int different = 0;
  for (int i = 0; i < 16; i++) different += r[i] != r[0];
  CHECK(different > 4);
}

SUBTEST(vdso) {
  Elf64_Ehdr *v = (void *)getauxval(AT_SYSINFO_EHDR);
  CHECK(v != NULL && memcmp(v->e_ident, ELFMAG, SELFMAG) == 0);
  CHECK_EQ(v->e_machine, EM_X86_64);
  CHECK_EQ(v->e_type, ET_DYN);
  // Its pages are not writable.
  CHECK_EQ(child_result(SPAWN({ *(volatile char *)v = 0; })), 256 + SIGSEGV);
}

SUBTEST(stack_layout) {
  // Upwards: argc, argv, 0, envp, 0, aux; above them the strings, the file name last.
  char **argv = environ - 1;
  while (*(argv - 1) != (char *)(long)((environ - 1) - argv)) argv--;
  long argc = (environ - 1) - argv;
  CHECK_EQ((long)(argv - 1) % 16, 0);
  CHECK(argv[argc] == NULL);
  CHECK(argc >= 1 && strstr(argv[0], "exec_auxv") != NULL);
  CHECK((char *)aux_vector() < argv[0]);
  if (environ[0]) CHECK(argv[argc - 1] < environ[0]);
  CHECK((char *)getauxval(AT_EXECFN) > argv[0]);
}
