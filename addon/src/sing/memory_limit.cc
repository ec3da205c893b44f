#include "memory_limit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <string>

#include "../core/descriptor.h"
#include "../core/files.h"

namespace sing {

namespace {

std::string textOf(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto text = file ? readToEnd(file.get(), 64u << 10) : Outcome<std::string>(failed("open"));
  return text ? std::move(*text) : std::string();
}

/// The least of the limits from a cgroup up to the root of its hierarchy. `max` and no file are no limit.
double leastOf(const std::string& hierarchy, std::string path, const char* file, double limit) {
  while (!path.empty()) {
    const double here = strtod(textOf(hierarchy + path + "/" + file).c_str(), nullptr);
    if (here > 0) limit = std::min(limit, here);
    path.resize(path.rfind('/'));
  }
  return limit;
}

}  // namespace

double memoryLimit(pid_t pid) {
  struct sysinfo machine {};
  double limit = sysinfo(&machine) == 0 ? static_cast<double>(machine.totalram) * machine.mem_unit : 0;
  // A line is NUMBER:CONTROLLERS:PATH, without controllers for version 2.
  const std::string lines = textOf("/proc/" + std::to_string(pid) + "/cgroup");
  for (size_t start = 0; start < lines.size();) {
    const size_t end = std::min(lines.find('\n', start), lines.size());
    const std::string line = lines.substr(start, end - start);
    start = end + 1;
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos || line[second + 1] != '/') continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      limit = leastOf("/sys/fs/cgroup", path, "memory.max", limit);
      limit = leastOf("/sys/fs/cgroup/unified", path, "memory.max", limit);
    } else if (controllers == "memory") {
      limit = leastOf("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", limit);
    }
  }
  return limit;
}

}  // namespace sing
