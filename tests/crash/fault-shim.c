/*
 * Makes the calls of one process fail as a bad disk would, when a test says so: loaded with
 * LD_PRELOAD, told by files in FAULT_CONTROL, applied to files whose path holds FAULT_MATCH.
 *
 *   sync-once   the next flush of a matching file fails with EIO. Only that one: afterwards a
 *               flush "succeeds", which is what Linux does, and why nobody may try again.
 *   write-once  the next write to a matching file fails with EIO.
 *   read        every read of a matching file fails with EIO for as long as the file is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? "" : value;
}

static int matches(int fd) {
  const char *wanted = setting("FAULT_MATCH");
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0 || wanted[0] == 0) return 0;
  path[length] = 0;
  return strstr(path, wanted) != NULL;
}

static void control(char *path, size_t size, const char *name) {
  snprintf(path, size, "%s/%s", setting("FAULT_CONTROL"), name);
}

/* Takes the order out of its box: whoever gets it fails, and nobody else. */
static int fails_once(int fd, const char *order) {
  int before = errno;
  char path[4096];
  control(path, sizeof path, order);
  int fails = access(path, F_OK) == 0 && matches(fd) && unlink(path) == 0;
  errno = fails ? EIO : before;
  return fails;
}

static int sync_fails(int fd) { return fails_once(fd, "sync-once"); }

static int write_fails(int fd) { return fails_once(fd, "write-once"); }

static int read_fails(int fd) {
  int before = errno;
  char path[4096];
  control(path, sizeof path, "read");
  int fails = access(path, F_OK) == 0 && matches(fd);
  errno = fails ? EIO : before;
  return fails;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return sync_fails(fd) ? -1 : NEXT(fsync)(fd); }

int fdatasync(int fd) { return sync_fails(fd) ? -1 : NEXT(fdatasync)(fd); }

int sync_file_range(int fd, off_t offset, off_t length, unsigned int flags) {
  return sync_fails(fd) ? -1 : NEXT(sync_file_range)(fd, offset, length, flags);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
  return read_fails(fd) ? -1 : NEXT(pread)(fd, bytes, length, offset);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
  return read_fails(fd) ? -1 : NEXT(pread64)(fd, bytes, length, offset);
}

ssize_t preadv2(int fd, const struct iovec *slices, int count, off_t offset, int flags) {
  return read_fails(fd) ? -1 : NEXT(preadv2)(fd, slices, count, offset, flags);
}

ssize_t sendfile(int to, int fd, off_t *offset, size_t length) {
  return read_fails(fd) ? -1 : NEXT(sendfile)(to, fd, offset, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return write_fails(fd) ? -1 : NEXT(pwrite)(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  return write_fails(fd) ? -1 : NEXT(pwrite64)(fd, bytes, length, offset);
}

ssize_t pwritev(int fd, const struct iovec *slices, int count, off_t offset) {
  return write_fails(fd) ? -1 : NEXT(pwritev)(fd, slices, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *slices, int count, off64_t offset) {
  return write_fails(fd) ? -1 : NEXT(pwritev64)(fd, slices, count, offset);
}
