// A process that parses somebody else's file system gives up whatever it does not need for that.
#pragma once

#include <cstdint>

#include "../core/fault.h"

namespace sing {

enum class Confinement {
  /// Answers a FUSE descriptor from an open image: no path can be opened any more.
  server,
  /// Writes a tree below one directory: nothing outside it can be opened.
  extractor,
  /// Hands out copies of one mount over a socket: no path can be opened, and only that socket and its folder be removed.
  keeper,
};

/// The directories that a confined process still works in; -1: none.
struct ConfinedPaths {
  /// An extractor writes below it.
  int tree = -1;
  /// A keeper removes its socket from `sockets`, and that from `above`.
  int sockets = -1, above = -1;
};

/// Sets no_new_privs, limits memory and core dumps, and installs Landlock, where the kernel has it. Holds for threads that are made later.
Status confinePaths(Confinement kind, const ConfinedPaths& paths, uint64_t memoryBytes);

/// Leaves all threads of this process only the system calls that its work takes. Comes after confinePaths.
Status confineCalls(Confinement kind);

/// Both.
Status confine(Confinement kind, const ConfinedPaths& paths, uint64_t memoryBytes);

}  // namespace sing
