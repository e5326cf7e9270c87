/* Writes down what a process does to the files below a directory, and what it syncs, in the order in which it happens.
 *
 * To be loaded before the C library (LD_PRELOAD). UNSYNCED_ROOT is the directory, UNSYNCED_TRACE the file for the records;
 * `unsynced_mark` writes one that says what the program itself knows. `e2e.queue_crash.disk` reads them.
 *
 * A record: type (1 byte), descriptor (int32), offset (int64), length of the path (uint32), length of the data (uint32), path,
 * data; numbers are of this machine. One lock around each call and its record makes their order that of the calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static char tracked[DESCRIPTORS]; /* whether a descriptor is of a file below the directory */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t (*real_write)(int, const void *, size_t);

static void emit(const void *data, size_t size) {
    const char *rest = data;
    while (size > 0) {
        ssize_t done = real_write(trace, rest, size);
        if (done < 0) {
            if (errno == EINTR) continue;
            abort(); /* a trace with a gap proves nothing */
        }
        rest += done;
        size -= (size_t)done;
    }
}

static void record(char type, int fd, int64_t offset, const char *path, const void *data, size_t size) {
    int saved = errno;
    char head[1 + 4 + 8 + 4 + 4];
    int32_t fd32 = fd;
    uint32_t path_length = path ? (uint32_t)strlen(path) : 0, data_length = (uint32_t)size;
    head[0] = type;
    memcpy(head + 1, &fd32, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &path_length, 4);
    memcpy(head + 17, &data_length, 4);
    emit(head, sizeof head);
    if (path_length) emit(path, path_length);
    if (size) emit(data, size);
    errno = saved;
}

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("UNSYNCED_ROOT"), *file = getenv("UNSYNCED_TRACE");
    real_write = REAL(write);
    if (!directory || !file || !realpath(directory, root)) return;
    root_length = strlen(root);
    trace = REAL(open64)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) {
    return trace >= 0 && path && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static int is_tracked(int fd) { return trace >= 0 && fd >= 0 && fd < DESCRIPTORS && tracked[fd]; }

void unsynced_mark(const char *text) {
    if (trace < 0) abort();
    pthread_mutex_lock(&lock);
    record('M', -1, 0, text, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int opened(const char *path, int flags, mode_t mode) {
    static int (*real)(const char *, int, ...);
    if (!real) real = REAL(open64);
    pthread_mutex_lock(&lock);
    int fd = real(path, flags, mode);
    if (fd >= 0 && fd < DESCRIPTORS) {
        tracked[fd] = (char)is_below(path);
        if (tracked[fd]) record((flags & O_TRUNC) ? 'T' : 'O', fd, (flags & O_APPEND) != 0, path, NULL, 0);
    } else if (fd >= DESCRIPTORS && is_below(path)) {
        abort();
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        mode_t mode = 0;                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                        \
            va_list more;                                           \
            va_start(more, flags);                                  \
            mode = va_arg(more, mode_t);                            \
            va_end(more);                                           \
        }                                                           \
        return opened(path, flags, mode);                           \
    }
OPEN(open)
OPEN(open64)
int __open_2(const char *path, int flags) { return opened(path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(path, flags, 0); }

int close(int fd) {
    static int (*real)(int);
    if (!real) real = REAL(close);
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < DESCRIPTORS && fd != trace) tracked[fd] = 0;
    int result = real(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

/* The record: the new descriptor, and as offset the old one. */
static int duplicated(int fd, int command, long least) {
    static int (*real)(int, int, ...);
    if (!real) real = REAL(fcntl64);
    pthread_mutex_lock(&lock);
    int copy = real(fd, command, least);
    if (copy >= DESCRIPTORS && is_tracked(fd)) abort();
    if (copy >= 0 && copy < DESCRIPTORS) {
        tracked[copy] = (char)is_tracked(fd);
        if (tracked[copy]) record('P', copy, fd, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return copy;
}

#define CONTROL(name)                                                                                        \
    int name(int fd, int command, ...) {                                                                     \
        va_list more;                                                                                        \
        va_start(more, command);                                                                             \
        void *argument = va_arg(more, void *);                                                               \
        va_end(more);                                                                                        \
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) return duplicated(fd, command, (long)argument); \
        return REAL(name)(fd, command, argument);                                                            \
    }
CONTROL(fcntl)
CONTROL(fcntl64)
int dup(int fd) { return duplicated(fd, F_DUPFD, 0); }

ssize_t write(int fd, const void *data, size_t size) {
    if (!is_tracked(fd)) return real_write ? real_write(fd, data, size) : REAL(write)(fd, data, size);
    pthread_mutex_lock(&lock);
    int64_t offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t done = real_write(fd, data, size);
    if (done > 0) record('W', fd, offset, NULL, data, (size_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = REAL(writev);
    if (!is_tracked(fd)) return real(fd, pieces, count);
    pthread_mutex_lock(&lock);
    int64_t offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, pieces, count), left = done;
    for (int i = 0; i < count && left > 0; i++) {
        size_t size = (size_t)left < pieces[i].iov_len ? (size_t)left : pieces[i].iov_len;
        record('W', fd, offset, NULL, pieces[i].iov_base, size);
        offset += (int64_t)size;
        left -= (ssize_t)size;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t written_at(int fd, const void *data, size_t size, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = REAL(pwrite64);
    if (!is_tracked(fd)) return real(fd, data, size, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = real(fd, data, size, offset);
    if (done > 0) record('W', fd, offset, NULL, data, (size_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return written_at(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return written_at(fd, data, size, offset); }

/* Not used by what is traced: whoever begins to use them must not go unseen. */
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    if (is_tracked(fd)) abort();
    return REAL(pwritev)(fd, pieces, count, offset);
}
int link(const char *from, const char *to) {
    if (is_below(to)) abort();
    return REAL(link)(from, to);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
    if (is_tracked(fd)) abort();
    return REAL(fallocate64)(fd, mode, offset, size);
}
int posix_fallocate64(int fd, off64_t offset, off64_t size) {
    if (is_tracked(fd)) abort();
    return REAL(posix_fallocate64)(fd, offset, size);
}

static int truncated(int fd, off64_t size) {
    static int (*real)(int, off64_t);
    if (!real) real = REAL(ftruncate64);
    pthread_mutex_lock(&lock);
    int result = real(fd, size);
    if (!result && is_tracked(fd)) record('S', fd, size, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

#define SYNC(name)                                              \
    int name(int fd) {                                          \
        static int (*real)(int);                                \
        if (!real) real = REAL(name);                           \
        if (!is_tracked(fd)) return real(fd);                   \
        pthread_mutex_lock(&lock);                              \
        int result = real(fd);                                  \
        if (!result) record('F', fd, 0, NULL, NULL, 0);         \
        pthread_mutex_unlock(&lock);                            \
        return result;                                          \
    }
SYNC(fsync)
SYNC(fdatasync)

#define NAMED(name, type, parameters, arguments, path, other)                                         \
    int name parameters {                                                                             \
        static int (*real) parameters;                                                                \
        if (!real) real = REAL(name);                                                                 \
        pthread_mutex_lock(&lock);                                                                    \
        int result = real arguments;                                                                  \
        if (!result && is_below(path)) record(type, -1, 0, path, other, strlen(other));   \
        pthread_mutex_unlock(&lock);                                                                  \
        return result;                                                                                \
    }
static const char nothing[] = "";
NAMED(mkdir, 'D', (const char *path, mode_t mode), (path, mode), path, nothing)
NAMED(unlink, 'U', (const char *path), (path), path, nothing)
NAMED(rmdir, 'U', (const char *path), (path), path, nothing)
NAMED(rename, 'R', (const char *path, const char *to), (path, to), path, to)
