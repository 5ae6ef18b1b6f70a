// A file system that fails, for `LD_PRELOAD`: of the calls that write to files or rename them, number FAULT_AT fails
// (from 1; 0: none), and with FAULT_STAYS all after it. FAULT is EIO, ENOSPC or SHORT, which writes half of what it
// was given. At the end the number of calls goes into the file FAULT_CALLS.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls;

static int is(const char *name, const char *value) {
    const char *found = getenv(name);
    return found && strcmp(found, value) == 0;
}

// Whether this call fails. Only one thread of ours writes files.
static int fails(void) {
    const char *at = getenv("FAULT_AT");
    long n = at ? atol(at) : 0;
    long call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    return n > 0 && (call == n || (call > n && is("FAULT_STAYS", "1")));
}

static int refuse(void) {
    errno = is("FAULT", "EIO") ? EIO : ENOSPC;
    return -1;
}

static int is_file(int fd) {
    struct stat about;
    return fd > 2 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("FAULT_CALLS");
    char text[32];
    if (!path) return;
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return;
    int length = snprintf(text, sizeof text, "%ld", calls);
    if (REAL(write)(fd, text, length) != length) abort();
    REAL(close)(fd);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    if (is_file(fd) && fails()) {
        if (!is("FAULT", "SHORT")) return refuse();
        n = n > 1 ? n / 2 : n;
    }
    return REAL(write)(fd, bytes, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    if (is_file(fd) && fails()) {
        if (!is("FAULT", "SHORT")) return refuse();
        n = n > 1 ? n / 2 : n;
    }
    return REAL(writev)(fd, parts, n);
}

#define FAILS(...) if (!is("FAULT", "SHORT") && fails()) return refuse(); return __VA_ARGS__

int fsync(int fd) { FAILS(REAL(fsync)(fd)); }
int fdatasync(int fd) { FAILS(REAL(fdatasync)(fd)); }
int rename(const char *from, const char *to) { FAILS(REAL(rename)(from, to)); }
int unlink(const char *path) { FAILS(REAL(unlink)(path)); }
int mkdir(const char *path, mode_t mode) { FAILS(REAL(mkdir)(path, mode)); }
int ftruncate(int fd, off_t length) { FAILS(REAL(ftruncate)(fd, length)); }
int ftruncate64(int fd, off64_t length) { FAILS(REAL(ftruncate64)(fd, length)); }

static mode_t mode_of(int flags, va_list more) {
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

#define OPEN(name, ...)                                                                                                \
    va_list more;                                                                                                      \
    va_start(more, flags);                                                                                             \
    mode_t mode = mode_of(flags, more);                                                                                \
    va_end(more);                                                                                                      \
    if ((flags & O_ACCMODE) != O_RDONLY && !is("FAULT", "SHORT") && fails()) return refuse();                          \
    return REAL(name)(__VA_ARGS__, flags, mode)

int open(const char *path, int flags, ...) { OPEN(open, path); }
int open64(const char *path, int flags, ...) { OPEN(open64, path); }
int openat(int folder, const char *path, int flags, ...) { OPEN(openat, folder, path); }
int openat64(int folder, const char *path, int flags, ...) { OPEN(openat64, folder, path); }
