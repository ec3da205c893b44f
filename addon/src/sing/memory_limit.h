// How much memory a process may have.
#pragma once

#include <sys/types.h>

namespace sing {

/// Bytes: the least of what the machine has and what the cgroups of the process, of either version, allow.
double memoryLimit(pid_t pid);

}  // namespace sing
