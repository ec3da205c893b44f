#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"

namespace sing {

namespace {

void keepFirst(Status& kept, Status fresh) {
  if (kept && !fresh) kept = std::move(fresh);
}

Status emptyDirectory(Descriptor directory) {
  DIR* stream = fdopendir(directory.get());
  if (!stream) return failed("read a directory");
  directory.release();
  Status result;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") keepFirst(result, removeTree(dirfd(stream), name));
  }
  closedir(stream);
  return result;
}

}  // namespace

Status removeTree(int parent, const std::string& name) {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failed("remove " + name);
  // The owner of a directory that nobody may write may still change that.
  Descriptor directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && errno == EACCES && fchmodat(parent, name.c_str(), 0700, 0) == 0) {
    directory = Descriptor(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  // Somebody else removes it as well.
  if (!directory && errno == ENOENT) return {};
  if (!directory) return failed("open " + name);
  struct stat status {};
  if (fstat(directory.get(), &status) == 0 && (status.st_mode & 0700) != 0700) fchmod(directory.get(), 0700);
  Status result = emptyDirectory(std::move(directory));
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) keepFirst(result, failed("remove directory " + name));
  return result;
}

}  // namespace sing
