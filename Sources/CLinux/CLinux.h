#ifndef SPOOLD_CLINUX_H
#define SPOOLD_CLINUX_H
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#endif
