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
};

/// Sets no_new_privs, limits memory and core dumps, and installs Landlock (where the kernel has it) and a seccomp filter.
/// `directory` is the one that an extractor may write below; -1 for a server.
Status confine(Confinement kind, int directory, uint64_t memoryBytes);

}  // namespace sing
