#include "mounting.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sing {

uint64_t mountAttributes(const plan::MountFlags& flags) {
  return (flags.readOnly ? MOUNT_ATTR_RDONLY : 0) | (flags.nosuid ? MOUNT_ATTR_NOSUID : 0) |
         (flags.nodev ? MOUNT_ATTR_NODEV : 0) | (flags.noexec ? MOUNT_ATTR_NOEXEC : 0);
}

Outcome<Descriptor> cloneMount(int source, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  const int tree = open_tree(source, "", flags);
  if (tree < 0) return failed("copy the mount");
  return Descriptor(tree);
}

Status addFlags(int mount, const plan::MountFlags& flags, bool recursive, bool makePrivate) {
  struct mount_attr change {};
  change.attr_set = mountAttributes(flags);
  if (makePrivate) change.propagation = MS_PRIVATE;
  if (!change.attr_set && !makePrivate) return {};
  if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &change, sizeof change) != 0) {
    return failed("set the flags of the mount");
  }
  return {};
}

namespace {

/// What the kernel itself says about a failed file system set-up, when it says anything.
std::string kernelLog(int context) {
  std::string said;
  char line[512];
  for (ssize_t length = 0; (length = read(context, line, sizeof line)) > 0;) {
    if (!said.empty()) said += "; ";
    said.append(line, static_cast<size_t>(length));
    while (!said.empty() && said.back() == '\n') said.pop_back();
  }
  return said.empty() ? said : " (" + said + ")";
}

}  // namespace

Outcome<Descriptor> newFileSystem(const std::string& type, const std::string& source, const MountOptions& options,
                                  const plan::MountFlags& flags) {
  Descriptor context(fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) return failed("use the file system " + type);
  const auto fault = [&](const std::string& what) {
    const int error = errno;
    return Fault{what + kernelLog(context.get()), error};
  };
  if (fsconfig(context.get(), FSCONFIG_SET_STRING, "source", source.c_str(), 0) != 0) return fault("name the " + type);
  for (const auto& [key, value] : options) {
    const bool flag = value.empty();
    const int set = flag ? fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                         : fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
    if (set != 0) return fault("set option " + key + " of " + type);
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return fault("make the " + type);
  Descriptor mount(fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(mountAttributes(flags))));
  if (!mount) return fault("mount the " + type);
  return mount;
}

Outcome<Descriptor> newFuseMount(int fuse, const std::string& source, bool allowOther, const plan::MountFlags& flags, bool byModes) {
  MountOptions options = {{"fd", std::to_string(fuse)},
                          {"rootmode", "40000"},
                          {"user_id", std::to_string(geteuid())},
                          {"group_id", std::to_string(getegid())},
                          {"subtype", "sing"}};
  if (allowOther) options.emplace_back("allow_other", "");
  if (byModes) options.emplace_back("default_permissions", "");
  // The file system itself, not only this mount of it: then reading changes no times either, and the kernel does not ask for them again each time.
  if (flags.readOnly) options.emplace_back("ro", "");
  // The kernel takes a source of at most 255 bytes here; it only shows in lists of mounts.
  return newFileSystem("fuse", source.size() < 256 ? source : "image", options, flags);
}

Status attach(int mount, int target) {
  if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0) return {};
  const int error = errno;
  struct stat above {}, below {};
  if (fstat(mount, &above) == 0 && fstat(target, &below) == 0 && S_ISDIR(above.st_mode) != S_ISDIR(below.st_mode)) {
    return refused(S_ISDIR(above.st_mode) ? "a directory cannot be put on a file" : "a file cannot be put on a directory");
  }
  return Fault{"attach the mount", error};
}

Status setPropagation(bool slave) {
  if (mount(nullptr, "/", nullptr, MS_REC | (slave ? MS_SLAVE : MS_PRIVATE), nullptr) != 0) {
    return failed("separate the mounts from the host's");
  }
  return {};
}

Status changeRoot() {
  // The old root is stacked over the new one at the same place, so that no directory in the image is needed for it.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return failed("make it the root of the process");
  // What happens to the old mounts from here on must not reach the host.
  if (mount(nullptr, ".", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return failed("separate the old root");
  if (umount2(".", MNT_DETACH) != 0) return failed("take the old root away");
  if (chdir("/") != 0) return failed("enter the new root");
  return {};
}

}  // namespace sing
