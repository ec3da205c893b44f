#include "root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "../core/descriptor.h"
#include "../core/mounting.h"

namespace sing {

namespace {

constexpr const char* sessionName = "session";

/// A directory, or an empty file, for `path` in the new root.
Outcome<Descriptor> makePlace(int root, const std::string& path, bool directory) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (mkdirat(root, path.substr(1, slash - 1).c_str(), 0755) != 0 && errno != EEXIST) return failed("make a directory for " + path);
  }
  const std::string name = path.substr(1);
  const int made = directory ? mkdirat(root, name.c_str(), 0755) : mknodat(root, name.c_str(), S_IFREG | 0644, 0);
  if (made != 0 && errno != EEXIST) return failed("make a place for " + path);
  Descriptor place(openat(root, name.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return failed("open the place for " + path);
  return place;
}

/// Shows what the host has at `path`, also behind a link, at the same path of the new root.
Status show(int root, const char* path, const plan::MountFlags& flags) {
  const Descriptor source(open(path, O_PATH | O_CLOEXEC));
  // What is not there, or not for this user, is nothing that the program needs, or it says so itself.
  struct stat status {};
  if (!source || fstat(source.get(), &status) != 0) return {};
  auto place = makePlace(root, path, S_ISDIR(status.st_mode));
  if (!place) return place.fault();
  // A user namespace may not look under the mounts of the host's.
  auto copy = cloneMount(source.get(), true);
  if (!copy) return Fault{std::string("show ") + path + " to a program", copy.fault().error};
  SING_TRY(addFlags(copy->get(), flags, true, true));
  return attach(copy->get(), place->get());
}

}  // namespace

Status enterProgramRoot(bool withMounts) {
  const Descriptor session(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!session) return failed("open the session");
  // Before the new root is laid over it.
  auto shown = cloneMount(session.get(), withMounts);
  if (!shown) return shown.fault();
  SING_TRY(addFlags(shown->get(), {}, true, true));
  auto root = newFileSystem("tmpfs", "sing-program", {{"mode", "0755"}, {"size", "64k"}}, {.nosuid = true, .nodev = true, .noexec = true});
  if (!root) return root.fault();
  SING_TRY(attach(root->get(), session.get()));
  for (const char* path : programPlaces) SING_TRY(show(root->get(), path, {.readOnly = true, .nosuid = true, .nodev = true}));
  for (const char* path : programFiles) SING_TRY(show(root->get(), path, {.readOnly = true, .nosuid = true, .nodev = true, .noexec = true}));
  for (const char* path : programDevices) SING_TRY(show(root->get(), path, {.nosuid = true, .noexec = true}));
  SING_TRY(show(root->get(), "/proc", {.readOnly = true, .nosuid = true, .nodev = true, .noexec = true}));
  auto place = makePlace(root->get(), std::string("/") + sessionName, true);
  if (!place) return place.fault();
  SING_TRY(attach(shown->get(), place->get()));
  if (fchdir(root->get()) != 0) return failed("enter the root for a program");
  SING_TRY(changeRoot());
  return chdir(sessionName) == 0 ? Status() : failed("enter the session");
}

}  // namespace sing
