// Which starts may share the mount of an image.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "../core/fault.h"
#include "../core/plan.h"

namespace sing {

struct ImagePart {
  int image = -1;
  uint64_t offset = 0, size = 0;
};

inline ImagePart partOf(const plan::ImageFile& image) { return {image.handle, image.offset, image.size}; }

/// A text that is the same for two starts when one mount may serve both: made in the same way by the same program, the same bytes of the same unchanged file, the
/// same ids, the same cgroup and namespaces (a server ends with those of its first start), and what else a process hands down to a
/// server that it forks: priority, processors, limits of time, memory and descriptors.
Outcome<std::string> sharedKey(const ImagePart& part, plan::SharedBy by, uint64_t idleSeconds);

/// Device, inode, size and times: what changes when a file does.
std::string fileText(const struct stat& status);

/// A name for the server's socket. Two keys may have the same: the server compares the key itself.
std::string nameOfKey(const std::string& key);

}  // namespace sing
