// Questions about the process itself.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "../core/limits.h"
#include "functions.h"

#ifndef SING_VERSION
#error "SING_VERSION comes from package.json, through the build"
#endif

namespace sing::host {

namespace {

constexpr int capSysAdmin = 21;

std::string processFile(const char* path) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  auto text = readToEnd(file.get(), 1u << 20);
  return text ? *text : std::string();
}

bool inInitialUserNamespace() {
  unsigned inside = 1, outside = 1, count = 0;
  return sscanf(processFile("/proc/self/uid_map").c_str(), "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
         outside == 0 && count == UINT_MAX;
}

/// The umask, without the moment in which umask(2) has to change it for all threads.
unsigned currentUmask() {
  const std::string status = processFile("/proc/self/status");
  const size_t line = status.find("Umask:");
  unsigned mask = 022;
  if (line != std::string::npos) sscanf(status.c_str() + line, "Umask: %o", &mask);
  return mask;
}

}  // namespace

json::Value identity(const HostContext& context, const HostArguments&) {
  std::vector<json::Value> groups;
  const int count = getgroups(0, nullptr);
  if (count > 0) {
    std::vector<gid_t> ids(static_cast<size_t>(count));
    const int got = getgroups(count, ids.data());
    for (int i = 0; i < got; ++i) groups.emplace_back(ids[static_cast<size_t>(i)]);
  }
  utsname machine{};
  uname(&machine);
  return std::vector<json::Value::Member>{
      {"uid", getuid()},
      {"gid", getgid()},
      {"effectiveUid", geteuid()},
      {"effectiveGid", getegid()},
      {"groups", std::move(groups)},
      {"systemAdmin", (context.capabilities >> capSysAdmin & 1) != 0},
      {"initialUserNamespace", inInitialUserNamespace()},
      {"umask", context.umask ? *context.umask : currentUmask()},
      {"machine", machine.machine},
      {"hostName", machine.nodename},
  };
}

json::Value environment(const HostContext& context, const HostArguments&) {
  std::vector<json::Value> out;
  for (const auto& entry : context.environment) {
    if (out.size() == limits::hostEnvironment) break;
    out.emplace_back(entry);
  }
  return out;
}

json::Value workingDirectory(const HostContext&, const HostArguments&) {
  char path[PATH_MAX];
  if (!getcwd(path, sizeof path)) return hostFailure(errno);
  // The kernel answers "(unreachable)/…" for a directory outside the process's root.
  return path[0] == '/' ? json::Value(path) : hostFailure(ENOENT);
}

json::Value installation(const HostContext& context, const HostArguments&) {
  struct stat status {};
  const bool known = stat(context.root.c_str(), &status) == 0;
  return std::vector<json::Value::Member>{
      {"root", context.root}, {"owner", known ? status.st_uid : 0u}, {"version", SING_VERSION}};
}

json::Value mayUseFuse(const HostContext&, const HostArguments&) {
  return static_cast<bool>(Descriptor(open("/dev/fuse", O_RDWR | O_CLOEXEC)));
}

json::Value isTerminal(const HostContext&, const HostArguments& arguments) {
  const double number = arguments[0].number();
  if (arguments[0].kind() != json::Value::Kind::number || (number != 0 && number != 1 && number != 2)) return false;
  return isatty(static_cast<int>(number)) == 1;
}

}  // namespace sing::host
