// Waiting for the payload where the process itself does not become it.
#pragma once

#include <sys/types.h>

#include <functional>

namespace sing {

/// Blocks every signal that can be forwarded, so that none is lost between fork and the loops below; remembers the mask of before.
void holdSignals();

/// Gives the payload the signal mask that the program was started with. Called before exec.
void releaseSignals();

/// Who writes to images, which is waited for so that what was written is there when the start ends.
struct WritersToAwait {
  /// The end of a channel, or -1. Servers have the other end until they have written everything; an open directory that comes from it is of a file system that
  /// the kernel is to write.
  int line = -1;
  /// The mount namespace that the servers serve: as long as somebody whom the payload left behind is in it, they do not end, and are not waited for.
  ino_t mounts = 0;
};

/// Waits for them, from outside of that namespace.
void awaitWriters(const WritersToAwait& writers);

/// The number of this process's mount namespace; 0 when it cannot be told.
ino_t ownMounts();

/// The process that was started by the caller: waits for `child`, forwards signals to it, and ends as it ended. Closes its own
/// copies of the standard streams, so that a reader sees the end as soon as the payload closes them. When `lifeline` (or -1) is
/// closed by the other end, the child is killed. When the child has ended, the writers are waited for.
[[noreturn]] void superviseChild(pid_t child, int lifeline, const WritersToAwait& writers);

/// Process 1 of a PID namespace: starts `payload` as a child, reaps what is orphaned, forwards signals. Ends with the payload's
/// status, or 128+S. `payload` runs in the child and returns its status when it could not become the program.
[[noreturn]] void runAsInit(const std::function<int()>& payload);

/// As runAsInit, for an instance: signals are for the whole group that the payload leads, and a payload that ends with status 0 leaves it running, for
/// what it put into the background and for who joins. Ends as a payload does that fails or is killed; with 128+S when a signal that ends programs was
/// passed on and nobody of that group is left.
[[noreturn]] void runAsInstanceInit(const std::function<int()>& payload);

/// Waits for `child` and passes signals on to it. For a process that no terminal knows.
void waitInBackground(pid_t child);

/// Runs `work` as a child and waits for it; then kills and reaps everything else in this PID namespace. The child's wait status.
int runAlone(const std::function<int()>& work);

}  // namespace sing
