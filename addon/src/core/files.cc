#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "walk.h"

namespace sing {

Outcome<std::string> readToEnd(int descriptor, size_t limit) {
  std::string content, room;
  // Most files here are small: one read and one that finds the end.
  char few[4096];
  char* into = few;
  size_t size = sizeof few;
  while (true) {
    const auto got = read(descriptor, into, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read");
    if (got == 0) return content;
    content.append(into, static_cast<size_t>(got));
    if (content.size() > limit) return Fault{"read at most " + std::to_string(limit) + " bytes", EFBIG};
    if (static_cast<size_t>(got) < size || size >= 1u << 20) continue;
    size *= 4;
    room.resize(size);
    into = room.data();
  }
}

Outcome<std::string> readRegular(int descriptor, size_t limit) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return failed("look at the file");
  if (!S_ISREG(status.st_mode)) return Fault{"read what is no regular file", EINVAL};
  if (status.st_size > 0 && static_cast<uint64_t>(status.st_size) > limit) {
    return Fault{"read at most " + std::to_string(limit) + " bytes", EFBIG};
  }
  return readToEnd(descriptor, limit);
}

Status writeAll(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const auto written = write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status writeExisting(int directory, const std::string& path, std::string_view content) {
  Descriptor file(openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return failed("open " + path);
  const auto written = write(file.get(), content.data(), content.size());
  if (written != static_cast<ssize_t>(content.size())) return failed("write " + path);
  return {};
}

Status writeSessionFile(int session, const std::string& path, std::string_view content, mode_t mode) {
  auto parent = openSessionParent(session, path);
  if (!parent) return parent.fault();
  Descriptor file(openat(parent->directory.get(), parent->name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("make file " + path);
  if (auto written = writeAll(file.get(), content); !written) return Fault{"write file " + path, written.fault().error};
  if (fchmod(file.get(), mode) != 0) return failed("set the mode of file " + path);
  return {};
}

}  // namespace sing
