// What a FUSE program of the distribution cannot do.
#pragma once

#include "../core/descriptor.h"
#include "../core/fault.h"

namespace sing {

struct FencedPaths {
  /// An image, the tree of a session, and the directory where the program believes to mount; or -1.
  int image = -1, session = -1, mountPoint = -1;
  bool writes = false;
};

/// Landlock, where the kernel has it: programs and libraries of the system may be read and executed, /dev/fuse and /dev/null opened, and what is given.
Status fencePaths(const FencedPaths& paths);

/// Forbids what a server has no use for: other processes, sockets, namespaces, mounts. A mount call waits for an answer on the descriptor
/// that is returned.
Outcome<Descriptor> fenceCalls();

}  // namespace sing
