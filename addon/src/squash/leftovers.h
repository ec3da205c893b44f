// Directories to which images are unpacked for one run, and those of them that nobody came to remove.
#pragma once

#include <sys/types.h>

#include <string>

namespace sing {

/// A new name for the directory of a run: `sing-` and 32 digits, which say to whom has a right to it which process uses it. `user` is as this process sees it.
/// Empty when there are no random bytes.
std::string nameOfRun(pid_t user);

/// Removes, below the open directory, what runs of this user have left whose cleaner was killed: where the process in the name is gone. What cannot be told is left.
void removeLeftovers(int parent);

}  // namespace sing
