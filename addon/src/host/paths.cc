// Questions about files.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "../core/descriptor.h"
#include "../core/fields.h"
#include "../core/files.h"
#include "../core/limits.h"
#include "functions.h"

namespace sing::host {

using json::Value;

const std::string* pathArgument(const HostArguments& arguments, size_t index) {
  const Value& value = arguments[index];
  return value.kind() == Value::Kind::text && plan::isAbsolutePath(value.text()) ? &value.text() : nullptr;
}

Value fileStatus(const struct stat& status) {
  const char* type = "file";
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR: type = "directory"; break;
    case S_IFLNK: type = "link"; break;
    case S_IFCHR: type = "character"; break;
    case S_IFBLK: type = "block"; break;
    case S_IFIFO: type = "fifo"; break;
    case S_IFSOCK: type = "socket"; break;
  }
  return std::vector<Value::Member>{{"type", type},
                                    {"mode", status.st_mode & 07777},
                                    {"uid", status.st_uid},
                                    {"gid", status.st_gid},
                                    {"size", static_cast<int64_t>(status.st_size)},
                                    {"device", std::to_string(status.st_dev)},
                                    {"inode", std::to_string(status.st_ino)}};
}

namespace {

Value ask(const HostArguments& arguments, int flags) {
  const auto* path = pathArgument(arguments, 0);
  if (!path) return hostFailure(EINVAL);
  struct stat status {};
  return fstatat(AT_FDCWD, path->c_str(), &status, flags) == 0 ? fileStatus(status) : hostFailure(errno);
}

}  // namespace

Value status(const HostContext&, const HostArguments& arguments) { return ask(arguments, 0); }

Value linkStatus(const HostContext&, const HostArguments& arguments) { return ask(arguments, AT_SYMLINK_NOFOLLOW); }

Value readLink(const HostContext&, const HostArguments& arguments) {
  const auto* path = pathArgument(arguments, 0);
  if (!path) return hostFailure(EINVAL);
  char text[PATH_MAX + 1];
  const auto length = readlink(path->c_str(), text, sizeof text);
  return length >= 0 ? Value(std::string(text, static_cast<size_t>(length))) : hostFailure(errno);
}

Outcome<std::string> resolvePath(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (!resolved) return failed("resolve " + path);
  std::string out = resolved;
  free(resolved);
  return out;
}

Value realPath(const HostContext&, const HostArguments& arguments) {
  const auto* path = pathArgument(arguments, 0);
  if (!path) return hostFailure(EINVAL);
  auto resolved = resolvePath(*path);
  return resolved ? Value(*resolved) : hostFailure(resolved.fault().error);
}

Value mayAccess(const HostContext&, const HostArguments& arguments) {
  const auto* path = pathArgument(arguments, 0);
  const std::string& how = arguments[1].text();
  const int mode = how == "read" ? R_OK : how == "write" ? W_OK : how == "execute" ? X_OK : -1;
  return path && mode >= 0 && faccessat(AT_FDCWD, path->c_str(), mode, AT_EACCESS) == 0;
}

Value readFile(const HostContext&, const HostArguments& arguments) {
  const auto* path = pathArgument(arguments, 0);
  const double limit = arguments[1].number();
  const std::string& links = arguments[2].text();
  if (!path || arguments[1].kind() != Value::Kind::number || limit < 0 || limit > limits::hostFile ||
      (links != "follow" && links != "refuse")) {
    return hostFailure(EINVAL);
  }
  const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (links == "refuse" ? O_NOFOLLOW : 0);
  const Descriptor file(open(path->c_str(), flags));
  if (!file) return hostFailure(errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return hostFailure(errno);
  auto content = readRegular(file.get(), static_cast<size_t>(limit));
  if (!content) return hostFailure(content.fault().error);
  return std::vector<Value::Member>{{"content", std::move(*content)}, {"status", fileStatus(status)}};
}

}  // namespace sing::host
