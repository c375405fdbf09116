/* Loaded before the C library of a tool that snapshots an interpreter: the same random bytes and the same times in every build, for they end
   up in the component. No clock of the tool's runs, so no wait of its may need a timeout. */
#include <stddef.h>

struct timespec {
  long tv_sec;
  long tv_nsec;
};

long getrandom(void *to, size_t size, unsigned flags) {
  unsigned char *bytes = to;
  unsigned state = 1;
  (void)flags;
  for (size_t at = 0; at < size; at++) {
    state = state * 1664525u + 1013904223u;
    bytes[at] = (unsigned char)(state >> 24);
  }
  return (long)size;
}

/* 2020-01-01 for the wall clock (0); a far time for all others, so that a wait until some time after it does not end at once, again and again. */
int clock_gettime(int clock, struct timespec *now) {
  now->tv_sec = clock == 0 ? 1577836800 : 1000000000;
  now->tv_nsec = 0;
  return 0;
}
