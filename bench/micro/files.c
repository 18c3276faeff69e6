// Devices and files: moving bytes, names, descriptors.
#define _GNU_SOURCE
#include "micro.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char buf[65536];
static char path[4200];
static int fd = -1;

static void open_zero(void) {
  fd = open("/dev/zero", O_RDWR);
  if (fd < 0) die("open /dev/zero");
}
static void open_null(void) {
  fd = open("/dev/null", O_RDWR);
  if (fd < 0) die("open /dev/null");
}
static void make_file(void) {
  snprintf(path, sizeof path, "%s/data", work_dir);
  fd = open(path, O_CREAT | O_RDWR, 0600);
  if (fd < 0) die("open");
  if (write(fd, buf, sizeof buf) != sizeof buf) die("write");
}
static void close_fd(void) { close(fd); }
static void drop_file(void) {
  close(fd);
  unlink(path);
}

static void read_op(long size) {
  if (read(fd, buf, size) != size) die("read");
}
static void read_end(long size) {
  if (read(fd, buf, size) != 0) die("read");
}
static void write_op(long size) {
  if (write(fd, buf, size) != size) die("write");
}
static void pread_op(long size) {
  if (pread(fd, buf, size, 0) != size) die("pread");
}
static void pwrite_op(long size) {
  if (pwrite(fd, buf, size, 0) != size) die("pwrite");
}
static void stat_op(long arg) {
  (void)arg;
  struct stat s;
  if (stat(path, &s) != 0) die("stat");
}
static void open_close(long arg) {
  (void)arg;
  int f = open(path, O_RDONLY);
  if (f < 0) die("open");
  close(f);
}

static void name_file(void) { snprintf(path, sizeof path, "%s/new", work_dir); }
static void create_unlink(long arg) {
  (void)arg;
  int f = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (f < 0) die("create");
  close(f);
  if (unlink(path) != 0) die("unlink");
}

const struct bench file_cases[] = {
    {"read_zero_1", read_op, 1, open_zero, close_fd},
    {"read_zero_4k", read_op, 4096, open_zero, close_fd},
    {"read_zero_64k", read_op, 65536, open_zero, close_fd},
    {"write_zero_1", write_op, 1, open_zero, close_fd},
    {"write_zero_4k", write_op, 4096, open_zero, close_fd},
    {"write_zero_64k", write_op, 65536, open_zero, close_fd},
    {"read_null_1", read_end, 1, open_null, close_fd},
    {"write_null_4k", write_op, 4096, open_null, close_fd},
    {"pread_1", pread_op, 1, make_file, drop_file},
    {"pread_4k", pread_op, 4096, make_file, drop_file},
    {"pread_64k", pread_op, 65536, make_file, drop_file},
    {"pwrite_1", pwrite_op, 1, make_file, drop_file},
    {"pwrite_4k", pwrite_op, 4096, make_file, drop_file},
    {"pwrite_64k", pwrite_op, 65536, make_file, drop_file},
    {"stat", stat_op, 0, make_file, drop_file},
    {"open_close", open_close, 0, make_file, drop_file},
    {"create_unlink", create_unlink, 0, name_file, 0},
    {0},
};
