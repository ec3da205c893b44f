#include "walk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace sing {

namespace {

Outcome<Descriptor> open2(int start, const std::string& path, int flags, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = resolve;
  // EAGAIN: somebody renamed something on the way while `..` was looked at. The kernel asks to try again.
  for (int attempt = 0; attempt < 64; ++attempt) {
    const long opened = syscall(SYS_openat2, start, path.c_str(), &how, sizeof how);
    if (opened >= 0) return Descriptor(static_cast<int>(opened));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return failed("open " + path);
}

std::string kernelName(int descriptor) {
  char name[PATH_MAX + 16];
  const auto length = readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), name, sizeof name);
  return length <= 0 ? std::string() : std::string(name, static_cast<size_t>(length));
}

}  // namespace

Outcome<Descriptor> openInSession(int session, const std::string& path, int flags) {
  return open2(session, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Outcome<Descriptor> openInContainer(int root, const std::string& path, int flags) {
  return open2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Outcome<Descriptor> openInImage(int session, const std::string& at, const std::string& path) {
  auto root = openInSession(session, at, O_PATH | O_DIRECTORY);
  if (!root) return root;
  return openInContainer(root->get(), path, O_PATH);
}

Outcome<std::string> containerPath(int root, int descriptor) {
  const std::string base = kernelName(root), whole = kernelName(descriptor);
  if (base.empty() || whole.empty()) return failed("read the name of a descriptor in /proc/self/fd");
  if (whole == base) return std::string("/");
  if (whole.size() > base.size() + 1 && whole.compare(0, base.size(), base) == 0 && whole[base.size()] == '/') {
    return whole.substr(base.size());
  }
  return refused("Expected a path below the container's root, got " + whole);
}

Outcome<Parent> openSessionParent(int session, const std::string& path) {
  const size_t slash = path.rfind('/');
  auto directory = openInSession(session, slash == std::string::npos ? "." : path.substr(0, slash), O_PATH | O_DIRECTORY);
  if (!directory) return directory.fault();
  return Parent{std::move(*directory), slash == std::string::npos ? path : path.substr(slash + 1)};
}

Status makeSessionDirectory(int session, const std::string& path, unsigned mode) {
  // One part at a time below an opened directory: no call here can follow a link that an image brought.
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    auto parent = openSessionParent(session, part);
    if (!parent) return parent.fault();
    if (mkdirat(parent->directory.get(), parent->name.c_str(), 0755) != 0 && errno != EEXIST) {
      return failed("make directory " + part);
    }
  }
  auto made = openInSession(session, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!made) return made.fault();
  if (fchmod(made->get(), mode) != 0) return failed("set the mode of directory " + path);
  return {};
}

}  // namespace sing
