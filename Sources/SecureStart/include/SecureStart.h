// What a program with a set-group-ID bit does before its first line of Swift, and the one wait of crontab that has a limit.

#ifndef SECURE_START_H
#define SECURE_START_H

/* flock(2) LOCK_EX, given up after `seconds`. Returns 0, or the error number: EINTR when the time is over. */
int secure_lock(int descriptor, unsigned int seconds);

/* True when the system has given this program rights that its caller lacks, getauxval(3) AT_SECURE. */
int secure_has_more_rights(void);

#endif
