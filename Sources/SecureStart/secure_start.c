#include "SecureStart.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <unistd.h>

int secure_has_more_rights(void) { return getauxval(AT_SECURE) != 0; }

/* ld.so(8) removes dangerous variables from the environment of such a program, but it does not know the variables of the Swift runtime,
   which name libraries and programs to load and change what is printed. The function runs before the constructors of all libraries, so
   before the runtime reads its variables. */
static void forget_runtime_variables(int count, char **arguments, char **environment) {
    (void)count;
    (void)arguments;
    if (!secure_has_more_rights()) { return; }
    char **kept = environment;
    for (char **variable = environment; *variable != NULL; variable++) {
        if (strncmp(*variable, "SWIFT_", 6) != 0) { *kept++ = *variable; }
    }
    *kept = NULL;
}

__attribute__((section(".preinit_array"), used, retain)) static void (*const before_all)(int, char **, char **) = forget_runtime_variables;

static void take_note(int number) { (void)number; }

int secure_lock(int descriptor, unsigned int seconds) {
    struct sigaction action, before;
    sigset_t alarm_signal, mask;
    memset(&action, 0, sizeof action);
    action.sa_handler = take_note;
    sigemptyset(&action.sa_mask);
    sigemptyset(&alarm_signal);
    sigaddset(&alarm_signal, SIGALRM);
    // Without SA_RESTART, so that the alarm ends the wait.
    sigaction(SIGALRM, &action, &before);
    sigprocmask(SIG_UNBLOCK, &alarm_signal, &mask);
    alarm(seconds);
    int error = flock(descriptor, LOCK_EX) == 0 ? 0 : errno;
    alarm(0);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGALRM, &before, NULL);
    return error;
}
