// The Linux calls and constants that Swift's Glibc module lacks, mostly because glibc shows them only with _GNU_SOURCE.
// That macro must not be defined here: fd_set would then differ from the Glibc module's and nothing would import.
// Constants become typed values, macros with arguments become functions. The only logic in this file is what Swift cannot do: what a new
// process does before its exec, and an instruction of the processor.

#ifndef SPOOLD_CLINUX_H
#define SPOOLD_CLINUX_H

#include <malloc.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <shadow.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) && __GLIBC_PREREQ(2, 33)
#include <sys/platform/x86.h>
#endif

// MARK: Files

/// A sealed file in memory with these bytes, as journald takes a message that is too long for a datagram. -1 after an error.
static inline int linux_sealed_file(const void *bytes, size_t count) {
    // MFD_CLOEXEC and MFD_ALLOW_SEALING of linux/memfd.h.
    int file = (int)syscall(SYS_memfd_create, "journal-message", 1u | 2u);
    if (file < 0) return -1;
    const char *rest = (const char *)bytes;
    while (count > 0) {
        ssize_t written = write(file, rest, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        rest += written;
        count -= (size_t)written;
    }
    // F_ADD_SEALS with F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE of linux/fcntl.h.
    if (count == 0 && fcntl(file, 1024 + 9, 1 | 2 | 4 | 8) == 0) return file;
    close(file);
    return -1;
}

#define LINUX_RENAME_NOREPLACE 1u
#define LINUX_RENAME_EXCHANGE 2u
// From linux/pidfd.h of Linux 6.9; EINVAL before.
#define LINUX_PIDFD_SIGNAL_PROCESS_GROUP 4u

static inline int linux_renameat2(int old_directory, const char *old_path, int new_directory, const char *new_path,
                                  unsigned int flags) {
    return (int)syscall(SYS_renameat2, old_directory, old_path, new_directory, new_path, flags);
}

static inline int linux_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}

// memmem(3), which needs _GNU_SOURCE.
static inline const void *linux_memmem(const void *hay, size_t hay_length, const void *needle, size_t needle_length) {
    extern void *memmem(const void *, size_t, const void *, size_t);
    return memmem(hay, hay_length, needle, needle_length);
}

static inline int linux_openat2(int directory, const char *path, const struct open_how *how) {
    return (int)syscall(SYS_openat2, directory, path, how, sizeof *how);
}

static inline int linux_statx(int directory, const char *path, int flags, unsigned int mask, struct statx *status) {
    return (int)syscall(SYS_statx, directory, path, flags, mask, status);
}

static inline long linux_getdents64(int directory, void *buffer, size_t size) {
    return syscall(SYS_getdents64, directory, buffer, size);
}

static inline int linux_close_range(unsigned int first, unsigned int last, unsigned int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

/* fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE: gives the blocks back, and the bytes read as zero. */
static inline int linux_punch_hole(int descriptor, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, descriptor, 0x02 | 0x01, offset, length);
}

static inline int linux_syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }

static inline int linux_accept(int listener) {
    return (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static inline int linux_flock(int descriptor, int operation) { return flock(descriptor, operation); }

static inline int linux_fcntl_int(int descriptor, int command, int argument) {
    return fcntl(descriptor, command, argument);
}

static inline int linux_pipe2(int *ends, int flags) { return (int)syscall(SYS_pipe2, ends, flags); }

// fcntl(2): F_SETLEASE and O_TMPFILE, hidden without _GNU_SOURCE.
#define LINUX_F_SETLEASE 1024
#define LINUX_F_GETLEASE 1025
static inline int linux_o_tmpfile(void) { return 020000000 | O_DIRECTORY; }
#define LINUX_O_PATH 010000000
#define LINUX_AT_NO_AUTOMOUNT 0x800
#define LINUX_AT_STATX_DONT_SYNC 0x4000
#define LINUX_AT_EMPTY_PATH 0x1000

static inline int linux_set_lease(int descriptor, int type) { return fcntl(descriptor, LINUX_F_SETLEASE, type); }

static inline uint64_t linux_makedev(unsigned int major_number, unsigned int minor_number) {
    return gnu_dev_makedev(major_number, minor_number);
}
static inline unsigned int linux_major(uint64_t device) { return gnu_dev_major(device); }
static inline unsigned int linux_minor(uint64_t device) { return gnu_dev_minor(device); }

// MARK: Processes

// The set of processors that this process may use, as sched_getaffinity(2): its size in bytes, or -1.
static inline int linux_processor_set(void *set, size_t size) { return (int)syscall(SYS_sched_getaffinity, 0, size, set); }

// How a program is started. A failure is where the new process has left the error number: `directory_error` when it could not enter the
// directory, `error` for everything else.
struct linux_program {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /* Null: the directory of the parent. */
    const char *directory;
    /* Pairs of a descriptor of the parent and its number in the program. All from `first_closed` on are closed. */
    const int *descriptors;
    int descriptor_count;
    int first_closed;
    /* Negative: the umask of the parent. */
    int umask;
    int is_session;
    /* Whether the parent handles or ignores signals. The program gets the default for all. */
    int resets_signals;
    /* The process that starts it. */
    pid_t parent;
    int error;
    int directory_error;
    /* The boot clock in nanoseconds just before the process was made, and in the process. */
    uint64_t clock_before;
    uint64_t clock_within;
};

/* clock_gettime(2) CLOCK_BOOTTIME, in nanoseconds. */
static inline uint64_t linux_boot_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The new process until its exec. Until then it shares the memory of the parent, which waits. So it only makes system calls. */
static inline void linux_become(struct linux_program *start) {
    if (start->is_session && setsid() < 0) { goto failed; }
    if (start->resets_signals) {
        // The kernel's struct sigaction, all zeros: SIG_DFL. sigaction(3) would refuse the two signals that glibc uses itself.
        unsigned long action[4] = {0, 0, 0, 0};
        for (int number = 1; number <= 64; number++) {
            if (number != SIGKILL && number != SIGSTOP) { syscall(SYS_rt_sigaction, number, action, NULL, 8); }
        }
    }
    for (int i = 0; i < start->descriptor_count; i++) {
        int from = start->descriptors[2 * i], to = start->descriptors[2 * i + 1];
        if ((from == to ? fcntl(to, F_SETFD, 0) : dup2(from, to)) < 0) { goto failed; }
    }
    if (syscall(SYS_close_range, start->first_closed, ~0u, 0) != 0) {
        // A sandbox that does not know the call.
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0) { goto failed; }
        for (rlim_t number = (rlim_t)start->first_closed; number < limit.rlim_cur; number++) { close((int)number); }
    }
    if (start->umask >= 0) { umask((mode_t)start->umask); }
    if (start->directory && chdir(start->directory) != 0) {
        start->directory_error = errno;
        return;
    }
    // Last, because a signal must not run a handler of the parent.
    uint64_t none = 0;
    // chdir(2) may have waited for a file system that hangs, and the parent may have been killed: others think that nothing was started.
    if (getppid() != start->parent) { _exit(127); }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    execve(start->path, start->arguments, start->environment);
failed:
    start->error = errno;
}

/* vfork(2), and execve(2) in the new process. Returns its number. Returns -1 when it became nothing: `start` has the reason.
   A signal that the parent handles must be blocked. Not to be inlined, because the caller must not be a function that returns twice. */
__attribute__((noinline)) static pid_t linux_start(struct linux_program *start) {
    start->error = 0;
    start->directory_error = 0;
    start->parent = getpid();
    start->clock_before = linux_boot_nanoseconds();
    pid_t pid = vfork();
    if (pid == 0) {
        start->clock_within = linux_boot_nanoseconds();
        linux_become(start);
        _exit(127);
    }
    if (pid < 0) { start->error = errno; }
    if (start->error == 0 && start->directory_error == 0) { return pid; }
    if (pid > 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    return -1;
}

static inline int linux_memfd_create(const char *name, unsigned int flags) { return (int)syscall(SYS_memfd_create, name, flags); }

static inline int linux_pidfd_open(pid_t pid, unsigned int flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }

static inline int linux_pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned int flags) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

static inline int linux_set_child_subreaper(int enabled) {
    return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)enabled, 0ul, 0ul, 0ul);
}

static inline int linux_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0ul, 0ul, 0ul);
}

/* ioprio_set(2) of the calling thread. */
static inline int linux_set_io_priority(int priority) { return (int)syscall(SYS_ioprio_set, 1, 0, priority); }

/* setrlimit(2), soft and hard alike; the resource as a plain number. */
static inline int linux_set_limit(int resource, uint64_t value, int is_unlimited) {
    struct rlimit limit = {is_unlimited ? RLIM_INFINITY : value, is_unlimited ? RLIM_INFINITY : value};
    return setrlimit(resource, &limit);
}

static inline pid_t linux_gettid(void) { return (pid_t)syscall(SYS_gettid); }

// wait(2): the macros over a status.
static inline int linux_wifexited(int status) { return WIFEXITED(status); }
static inline int linux_wexitstatus(int status) { return WEXITSTATUS(status); }
static inline int linux_wifsignaled(int status) { return WIFSIGNALED(status); }
static inline int linux_wtermsig(int status) { return WTERMSIG(status); }
static inline int linux_wcoredump(int status) { return WCOREDUMP(status) ? 1 : 0; }

// wait4(2); rusage's ru_maxrss is in KiB.
static inline pid_t linux_wait4(pid_t pid, int *status, int options, struct rusage *usage) {
    return wait4(pid, status, options, usage);
}

// waitid(2) without reaping: 1 when the child has ended, 0 when it runs, -1 with errno. glibc's prototype takes an
// enumeration that C++ and Swift see differently, hence the wrapper.
static inline int linux_has_ended(pid_t pid) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) { return -1; }
    return info.si_pid == pid;
}

// waitid(2) without reaping: a child that has ended, 0 when none has, -1 with errno.
static inline pid_t linux_ended_child(void) {
    siginfo_t info;
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) { return -1; }
    return info.si_pid;
}

/* The path that execve(2) was given for this program, getauxval(3) AT_EXECFN; null where nobody knows. */
static inline const char *linux_executed_path(void) { return (const char *)getauxval(31); }

/* getopt(3). Its variables are not for Swift, which allows no shared mutable state. */
static inline int linux_option(int count, char *const *arguments, const char *options) { return getopt(count, arguments, options); }
static inline const char *linux_option_value(void) { return optarg; }
static inline int linux_first_operand(void) { return optind; }

// MARK: Credentials

// unistd.h shows these only with _GNU_SOURCE.
extern int setresuid(uid_t real, uid_t effective, uid_t saved);
extern int setresgid(gid_t real, gid_t effective, gid_t saved);
extern int getresuid(uid_t *real, uid_t *effective, uid_t *saved);
extern int getresgid(gid_t *real, gid_t *effective, gid_t *saved);

/* capset(2) of the calling thread: none at all, inheritable ones included. */
static inline int linux_drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, sets);
}

/* capget(2) of the calling thread: 1 when it has some, 0 when none, -1 with errno. */
static inline int linux_has_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, sets) != 0) { return -1; }
    uint32_t all = 0;
    for (int i = 0; i < 2; i++) { all |= sets[i].effective | sets[i].permitted | sets[i].inheritable; }
    return all != 0;
}

/* capget(2) of the calling thread: 1 when it may read every file, CAP_DAC_READ_SEARCH, 0 when not, -1 with errno. */
static inline int linux_may_read_all(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, sets) != 0) { return -1; }
    return (sets[0].effective >> CAP_DAC_READ_SEARCH & 1) != 0;
}

/* prctl(2) PR_SET_DUMPABLE off: nobody but root can trace the process, dump it or look into its /proc/PID/fd. */
static inline int linux_close_to_tracing(void) { return prctl(PR_SET_DUMPABLE, 0ul, 0ul, 0ul, 0ul); }

/* keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a new session keyring, empty, instead of the inherited one. */
static inline int linux_new_session_keyring(void) { return (int)syscall(SYS_keyctl, 1, 0); }

// MARK: Inode flags

/* ioctl_iflags(2). */
static inline int linux_get_inode_flags(int fd, int *flags) { return ioctl(fd, FS_IOC_GETFLAGS, flags); }
static inline int linux_set_inode_flags(int fd, int flags) { return ioctl(fd, FS_IOC_SETFLAGS, &flags); }
static const int linux_topdir_flag = FS_TOPDIR_FL;

// MARK: Checksums

// CRC-32C by the processor's own instruction, from a state to the state after the bytes: no inversion at either end. Call it only where
// linux_has_crc32c is true.
#if defined(__x86_64__)
#if __GLIBC_PREREQ(2, 33)
/* glibc knows: it has asked the processor. __builtin_cpu_supports asks it some fifteen times more at each start, and a virtual machine
   takes microseconds to answer each. */
static inline int linux_has_crc32c(void) { return CPU_FEATURE_ACTIVE(SSE4_2); }
#else
static inline int linux_has_crc32c(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
}
#endif
#define LINUX_CRC32C_TARGET __attribute__((target("sse4.2")))
#define LINUX_CRC32C_WORD(crc, word) ((uint32_t)__builtin_ia32_crc32di(crc, word))
#define LINUX_CRC32C_BYTE(crc, byte) ((uint32_t)__builtin_ia32_crc32qi(crc, byte))
#elif defined(__aarch64__) && defined(__AARCH64EL__)
/* HWCAP_CRC32 of arm64's asm/hwcap.h. */
static inline int linux_has_crc32c(void) { return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; }
#define LINUX_CRC32C_TARGET __attribute__((target("crc")))
#define LINUX_CRC32C_WORD(crc, word) ((uint32_t)__builtin_arm_crc32cd(crc, word))
#define LINUX_CRC32C_BYTE(crc, byte) ((uint32_t)__builtin_arm_crc32cb(crc, byte))
#endif

#ifdef LINUX_CRC32C_TARGET
LINUX_CRC32C_TARGET static inline uint32_t linux_crc32c(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        __builtin_memcpy(&word, bytes, 8);
        crc = LINUX_CRC32C_WORD(crc, word);
    }
    for (; count > 0; bytes++, count--) { crc = LINUX_CRC32C_BYTE(crc, *bytes); }
    return crc;
}
#else
static inline int linux_has_crc32c(void) { return 0; }
static inline uint32_t linux_crc32c(uint32_t crc, const uint8_t *bytes, size_t count) { __builtin_trap(); }
#endif

// MARK: Terminals

/* How many columns the terminal has, ioctl_tty(2) TIOCGWINSZ; 0 where nobody knows. */
static inline int linux_terminal_columns(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The same of rows. */
static inline int linux_terminal_rows(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

/* A new pseudo-terminal, ptmx(4): its master's descriptor, or -1 with errno; the other end is /dev/pts/NUMBER. */
static inline int linux_new_terminal(int *number) {
    int unlocked = 0;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master >= 0 && (ioctl(master, TIOCSPTLCK, &unlocked) != 0 || ioctl(master, TIOCGPTN, number) != 0)) {
        close(master);
        return -1;
    }
    return master;
}

// MARK: Signals

static inline void (*linux_ignore_signal(int number))(int) { return signal(number, SIG_IGN); }

/* Whether the signal is ignored, sigaction(2); SIG_IGN is a cast that Swift does not import. */
static inline int linux_is_signal_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

#endif
