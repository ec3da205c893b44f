// Waiting for the payload where the process itself does not become it.
#pragma once

#include <sys/types.h>

#include <functional>

namespace sing {

/// Blocks every signal that can be forwarded, so that none is lost between fork and the loops below; remembers the mask of before.
void holdSignals();

/// Gives the payload the signal mask that the program was started with. Called before exec.
void releaseSignals();

/// The process that was started by the caller: waits for `child`, forwards signals to it, and ends as it ended. Closes its own
/// copies of the standard streams, so that a reader sees the end as soon as the payload closes them. When `lifeline` (or -1) is
/// closed by the other end, the child is killed. `servers` (or -1) is the end of a pipe whose other end those have that write to images: when the child has
/// ended, they are waited for, so that what was written is there when this process ends.
[[noreturn]] void superviseChild(pid_t child, int lifeline, int servers = -1);

/// Process 1 of a PID namespace: starts `payload` as a child, reaps what is orphaned, forwards signals. Ends with the payload's
/// status, or 128+S. `payload` runs in the child and returns its status when it could not become the program.
[[noreturn]] void runAsInit(const std::function<int()>& payload);

/// Runs `work` as a child and waits for it; then kills and reaps everything else in this PID namespace. The child's wait status.
int runAlone(const std::function<int()>& work);

}  // namespace sing
