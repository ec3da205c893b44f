#include "leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "../core/descriptor.h"
#include "../core/process.h"
#include "../core/tree.h"
#include "shared_key.h"

namespace sing {

namespace {

constexpr const char* prefix = "sing-";
constexpr size_t digits = 8;

std::string hex(uint32_t number) {
  char text[digits + 1];
  snprintf(text, sizeof text, "%08x", number);
  return text;
}

/// Where numbers of processes and the moments of their starts mean the same as here; empty when that cannot be told.
std::string ownPlace() {
  struct stat time {};
  const std::string boot = bootId(), processes = pidNamespace();
  if (boot.empty() || processes.empty()) return {};
  // An older kernel has but one.
  if (stat("/proc/self/ns/time", &time) != 0) time.st_ino = 0;
  return nameOfKey(boot + " " + processes + " " + std::to_string(time.st_ino)).substr(0, digits);
}

/// A process that cannot be looked at is there.
bool isGone(pid_t pid, uint32_t start) {
  const Descriptor held(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!held) return errno == ESRCH;
  pollfd ended{held.get(), POLLIN, 0};
  if (poll(&ended, 1, 0) == 1) return true;
  auto facts = lookAtProcess(pid);
  return facts && static_cast<uint32_t>(facts->mark.start) != start;
}

bool isLeft(int parent, const std::string& name, const std::string& place) {
  // sing-, random digits, the place, the process, its start.
  unsigned random = 0, pid = 0, start = 0;
  char where[digits + 1] = {};
  int length = 0;
  if (sscanf(name.c_str(), "sing-%8x%8[0-9a-f]%8x%8x%n", &random, where, &pid, &start, &length) != 4) return false;
  if (name != prefix + hex(random) + where + hex(pid) + hex(start) || where != place || pid == 0) return false;
  struct stat status {};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 07777) == 0700 && isGone(static_cast<pid_t>(pid), start);
}

}  // namespace

std::string nameOfRun(pid_t user) {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) return {};
  const std::string place = ownPlace();
  auto facts = lookAtProcess(user);
  // Number 0 is nobody's: the directory is removed by its own cleaner or not at all.
  if (place.empty() || !facts) return prefix + hex(random) + std::string(3 * digits, '0');
  return prefix + hex(random) + place + hex(static_cast<uint32_t>(user)) + hex(static_cast<uint32_t>(facts->mark.start));
}

void removeLeftovers(int parent) {
  const std::string place = ownPlace();
  if (place.empty()) return;
  DIR* stream = fdopendir(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return;
  std::vector<std::string> left;
  while (const dirent* entry = readdir(stream)) {
    if (isLeft(parent, entry->d_name, place)) left.push_back(entry->d_name);
  }
  closedir(stream);
  for (const auto& name : left) [[maybe_unused]] const auto removed = removeTree(parent, name);
}

}  // namespace sing
