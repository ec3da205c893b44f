#include "shared_key.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/descriptor.h"
#include "../core/files.h"

namespace sing {

namespace {

/// Of what the two processes say to each other: to be raised with every change of that.
constexpr int protocol = 2;
constexpr size_t largestCgroup = 32u << 10;

std::string text(const timespec& time) { return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec); }

/// What a server has from the process that forked it.
std::string inherited() {
  std::string out = "priority " + std::to_string(getpriority(PRIO_PROCESS, 0)) + " limits ";
  for (const auto resource : {RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE}) {
    rlimit limit{};
    getrlimit(resource, &limit);
    out += std::to_string(limit.rlim_cur) + ":" + std::to_string(limit.rlim_max) + " ";
  }
  out += "processors ";
  cpu_set_t processors;
  CPU_ZERO(&processors);
  sched_getaffinity(0, sizeof processors, &processors);
  for (int number = 0; number < CPU_SETSIZE; ++number) {
    if (CPU_ISSET(number, &processors)) out += std::to_string(number) + ",";
  }
  return out;
}

}  // namespace

std::string fileText(const struct stat& status) {
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         text(status.st_mtim) + ":" + text(status.st_ctim);
}

Outcome<std::string> sharedKey(const ImagePart& part, plan::SharedBy by, uint64_t idleSeconds) {
  std::string key = "sing-image " + std::to_string(protocol) + (by == plan::SharedBy::loop ? " by loop" : " by fuse");
  struct stat status {};
  if (stat("/proc/self/exe", &status) != 0) return failed("look at the own program");
  key += " program " + fileText(status);
  if (fstat(part.image, &status) != 0) return failed("look at the image");
  key += " image " + fileText(status) + " from " + std::to_string(part.offset) + " size " + std::to_string(part.size);
  key += " user " + std::to_string(geteuid()) + ":" + std::to_string(getegid()) + " idle " + std::to_string(idleSeconds) + " ";
  for (const char* name : {"user", "pid", "cgroup"}) {
    // A kernel may be without one of them.
    const std::string path = std::string("/proc/self/ns/") + name;
    if (stat(path.c_str(), &status) == 0) key += std::string(name) + " " + std::to_string(status.st_ino) + " ";
  }
  key += inherited();
  const Descriptor cgroup(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
  if (!cgroup && errno == ENOENT) return key;
  if (!cgroup) return failed("open /proc/self/cgroup");
  auto named = readToEnd(cgroup.get(), largestCgroup);
  if (!named) return Fault{"read /proc/self/cgroup", named.fault().error};
  return key + "\n" + *named;
}

std::string nameOfKey(const std::string& key) {
  // FNV-1a: it only has to spread.
  uint64_t hash = 14695981039346656037u;
  for (const char byte : key) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  char name[24];
  snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(hash));
  return name;
}

}  // namespace sing
