// What the kernel says about another process, and holding on to it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "descriptor.h"
#include "fault.h"

namespace sing {

/// A process for ever: a number is given again, a number and the moment of its start are not (until the next boot).
struct ProcessMark {
  pid_t pid = 0;
  /// Ticks since boot, field 22 of /proc/PID/stat.
  uint64_t start = 0;
  bool operator==(const ProcessMark&) const = default;
};

struct ProcessFacts {
  ProcessMark mark;
  pid_t parent = 0;
  /// The real user id, as seen from here.
  uid_t user = 0;
  std::string name;
  /// It ended and waits for its parent to notice.
  bool ended = false;
  /// It is process 1 of a PID namespace below this one.
  bool first = false;
  /// Ticks in user and kernel mode, of reaped children too.
  uint64_t ticks = 0;
  uint64_t residentPages = 0;
  unsigned threads = 0;
};

/// ESRCH: there is none.
Outcome<ProcessFacts> lookAtProcess(pid_t pid);

/// Whether the marked process is there, not ended, and of this user.
bool isAlive(const ProcessMark& mark, uid_t user);

/// A descriptor of the marked process and what is known about it: both are of the very same one. ESRCH: it is gone.
struct HeldProcess {
  Descriptor pidfd;
  ProcessFacts facts;
};
Outcome<HeldProcess> holdProcess(const ProcessMark& mark);

/// Of the running kernel; empty when it cannot be told.
std::string bootId();

/// Names the PID namespace of this process.
std::string pidNamespace();

/// Remembers where the kernel shows the arguments of this process, so that they can be replaced. Once, at the start.
void rememberArguments(int count, char** arguments);

/// What lists of processes show for this one from now on (as far as there is room).
void setProcessTitle(const std::string& title);

}  // namespace sing
