// Mapping memory and files, and the faults of touching them.
#define _GNU_SOURCE
#include "micro.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_SIZE 65536
#define TOUCHED (8 << 20)

static char *anonymous(size_t size) {
  void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) die("mmap");
  return p;
}

static void mmap_munmap(long size) { munmap(anonymous(size), size); }

static void touch(long size) {
  char *p = anonymous(size);
  for (long i = 0; i < size; i += PAGE) p[i] = 1;
  munmap(p, size);
}

static int fd = -1;
static char path[4200];
static void make_file(void) {
  static char data[FILE_SIZE];
  snprintf(path, sizeof path, "%s/mapped", work_dir);
  fd = open(path, O_CREAT | O_RDWR, 0600);
  if (fd < 0) die("open");
  if (write(fd, data, sizeof data) != sizeof data) die("write");
}
static void drop_file(void) {
  close(fd);
  unlink(path);
}
static void map_file(long size) {
  volatile char *p = mmap(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED) die("mmap of a file");
  for (long i = 0; i < size; i += PAGE) (void)p[i];
  munmap((void *)p, size);
}

const struct bench memory_cases[] = {
    {"mmap_munmap", mmap_munmap, FILE_SIZE, 0, 0},
    {"touch_8m", touch, TOUCHED, 0, 0},
    {"map_file", map_file, FILE_SIZE, make_file, drop_file},
    {0},
};
