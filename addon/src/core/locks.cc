#include "locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace sing {

namespace {

/// Seconds that a start waits for another one that is just ending: its file system is written to the end first.
constexpr int patience = 2;

void onAlarm(int) {}

/// Locks by `attempt`, whose argument says whether it waits; it is interrupted after so many seconds. False: errno is EAGAIN when somebody else has the lock.
bool lockPatiently(const std::function<int(bool waits)>& attempt, int seconds = patience) {
  if (attempt(false) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) return false;
  struct sigaction interrupt {}, before {};
  interrupt.sa_handler = onAlarm;
  sigaction(SIGALRM, &interrupt, &before);
  sigset_t alarmOnly, mask;
  sigemptyset(&alarmOnly);
  sigaddset(&alarmOnly, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarmOnly, &mask);
  itimerval timer{}, pending{};
  timer.it_value.tv_sec = seconds;
  // Again and again: the first one could come before the call below waits.
  timer.it_interval.tv_usec = 100'000;
  setitimer(ITIMER_REAL, &timer, &pending);
  const bool locked = attempt(true) == 0;
  const int error = errno;
  setitimer(ITIMER_REAL, &pending, nullptr);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  errno = error == EINTR || error == EACCES ? EAGAIN : error;
  return locked;
}

Fault inUse(const std::string& path, bool writable) {
  return refused(writable ? "can't open " + path + " for writing, currently in use by another process"
                          : "can't open " + path + " for reading, currently in use for writing by another process");
}

}  // namespace

Status lockImage(int image, uint64_t offset, uint64_t size, bool writable, const std::string& path) {
  struct flock lock {};
  lock.l_type = writable ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = static_cast<off_t>(size);
  if (lockPatiently([&](bool waits) { return fcntl(image, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock); })) return {};
  if (errno == EAGAIN) return inUse(path, writable);
  // A file system without locks is no reason not to read.
  if (!writable && (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL)) return {};
  return failed("lock " + path);
}

bool lockWithin(int file, int seconds) {
  return lockPatiently([&](bool waits) { return flock(file, LOCK_SH | (waits ? 0 : LOCK_NB)); }, seconds);
}

Status lockDirectory(int directory, const std::string& path) {
  if (lockPatiently([&](bool waits) { return flock(directory, LOCK_EX | (waits ? 0 : LOCK_NB)); })) return {};
  if (errno == EAGAIN) return inUse(path, true);
  // Without locks the kernel still warns of two writers in its log.
  if (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL) return {};
  return failed("lock " + path);
}

}  // namespace sing
