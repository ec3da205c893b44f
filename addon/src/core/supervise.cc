#include "supervise.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "channel.h"

namespace sing {

namespace {

sigset_t before;
struct sigaction childBefore;

sigset_t forwarded() {
  sigset_t set;
  sigfillset(&set);
  // Faults of this process itself stay deadly.
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&set, number);
  return set;
}

/// A signal from the terminal went to the whole foreground group, the payload included.
bool cameFromTerminal(const signalfd_siginfo& signal) { return signal.ssi_code == SI_KERNEL; }

bool stops(uint32_t number) { return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU; }

/// Before there is anybody to see another name; the payload gets its own with its program. This memory has the environment and the arguments that
/// the caller gave, of which the payload may be meant to see nothing.
void becomeShim() {
  prctl(PR_SET_NAME, "sinit");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/// Whether a program that says nothing about the signal is ended by it.
bool endsProcess(int number) {
  for (const int harmless : {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP}) {
    if (number == harmless) return false;
  }
  return true;
}

/// Ends this process as the child ended: with its status, or killed by the same signal.
[[noreturn]] void endLike(int status) {
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // the payload dumped its core, or not; a second one would be ours
  signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  _exit(128 + number);
}

/// Takes one signal from the descriptor and passes it on. `outermost`: this process is the one that a shell knows.
void passOn(const signalfd_siginfo& signal, pid_t target, bool outermost) {
  if (!cameFromTerminal(signal)) kill(target, static_cast<int>(signal.ssi_signo));
  // The shell waits for this process to stop, not for the payload.
  if (outermost && stops(signal.ssi_signo)) raise(SIGSTOP);
}

/// Waits for `child` and calls `reaped` for every child that ends until it returns false.
void loop(pid_t child, int lifeline, bool outermost, const std::function<bool(pid_t, int)>& reaped) {
  const sigset_t set = forwarded();
  const Descriptor signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  while (true) {
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (!reaped(ended, status)) return;
    }
    pollfd waiting[2] = {{signals.get(), POLLIN, 0}, {lifeline, POLLIN, 0}};
    if (poll(waiting, lifeline >= 0 ? 2 : 1, -1) < 0) continue;
    if (lifeline >= 0 && waiting[1].revents) {
      kill(child, SIGKILL);
      lifeline = -1;
    }
    signalfd_siginfo signal{};
    while (read(signals.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGCHLD) passOn(signal, child, outermost);
    }
  }
}

/// Milliseconds between two looks at who still uses the mounts.
constexpr int lookAgain = 1000;

ino_t mountsOf(const char* process) {
  struct stat status {};
  return stat((std::string("/proc/") + process + "/ns/mnt").c_str(), &status) == 0 ? status.st_ino : 0;
}

bool somebodyIsIn(ino_t mounts) {
  DIR* processes = opendir("/proc");
  if (!processes) return true;
  bool found = false;
  while (const dirent* entry = readdir(processes)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && mountsOf(entry->d_name) == mounts) found = true;
  }
  closedir(processes);
  return found;
}

}  // namespace

void awaitWriters(const WritersToAwait& writers) {
  if (writers.line < 0) return;
  pollfd waiting{writers.line, POLLIN, 0};
  while (true) {
    const int ready = poll(&waiting, 1, lookAgain);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && !somebodyIsIn(writers.mounts)) continue;
    if (ready <= 0) return;
    auto said = receiveMessage(writers.line);
    if (!said) return;
    for (const auto& directory : said->descriptors) syncfs(directory.get());
  }
}

void holdSignals() {
  const sigset_t set = forwarded();
  sigprocmask(SIG_BLOCK, &set, &before);
  // A caller that ignores SIGCHLD would make the kernel reap what is waited for here.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, &childBefore);
}

void releaseSignals() {
  sigaction(SIGCHLD, &childBefore, nullptr);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

ino_t ownMounts() { return mountsOf("self"); }

void superviseChild(pid_t child, int lifeline, const WritersToAwait& writers) {
  detachStandardStreams();
  closeAllBut({lifeline, writers.line});
  int result = 0;
  loop(child, lifeline, true, [&](pid_t ended, int status) {
    result = status;
    return ended != child;
  });
  awaitWriters(writers);
  endLike(result);
}

void runAsInit(const std::function<int()>& payload) {
  becomeShim();
  auto child = forkChild([&] {
    releaseSignals();
    return payload();
  });
  if (!child) _exit(255);
  detachStandardStreams();
  closeAllBut({});
  int result = 0;
  loop(*child, -1, false, [&](pid_t ended, int status) {
    if (ended == *child) result = status;
    return ended != *child;
  });
  _exit(WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result));
}

void runAsInstanceInit(const std::function<int()>& payload) {
  becomeShim();
  auto child = forkChild(payload);
  if (!child) _exit(255);
  detachStandardStreams();
  closeAllBut({});
  const sigset_t set = forwarded();
  const Descriptor signals(signalfd(-1, &set, SFD_CLOEXEC));
  int stopping = 0;
  while (true) {
    signalfd_siginfo signal{};
    if (read(signals.get(), &signal, sizeof signal) != sizeof signal) continue;
    const int number = static_cast<int>(signal.ssi_signo);
    if (number != SIGCHLD) {
      kill(-*child, number);
      if (endsProcess(number)) stopping = number;
    }
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != *child) continue;
      if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
      if (WEXITSTATUS(status) != 0) _exit(WEXITSTATUS(status));
    }
    // Asked to end, and nobody of the payload is left.
    if (stopping && kill(-*child, 0) != 0) _exit(128 + stopping);
  }
}

void waitInBackground(pid_t child) {
  loop(child, -1, false, [&](pid_t ended, int) { return ended != child; });
}

int runAlone(const std::function<int()>& work) {
  auto child = forkChild([&] {
    releaseSignals();
    return work();
  });
  if (!child) return 255 << 8;
  int result = 0;
  loop(*child, -1, false, [&](pid_t ended, int status) {
    if (ended == *child) result = status;
    return ended != *child;
  });
  // Nothing but what the command left is in this namespace.
  kill(-1, SIGKILL);
  while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  return result;
}

}  // namespace sing
