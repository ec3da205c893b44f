#include "loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mounting.h"

namespace sing {

namespace {

/// Where a link leads to; empty: it is none.
std::string readLink(const std::string& path) {
  char target[256];
  const auto length = readlink(path.c_str(), target, sizeof target);
  return length > 0 ? std::string(target, static_cast<size_t>(length)) : "";
}

/// A free loop device that shows part of the image, and goes away with its last user.
Outcome<Descriptor> attachLoop(const plan::ImageFile& image, bool readOnly) {
  Descriptor control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return failed("open /dev/loop-control");
  for (int attempt = 0; attempt < 32; ++attempt) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return failed("find a free loop device");
    const std::string path = "/dev/loop" + std::to_string(number);
    Descriptor device(open(path.c_str(), (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (!device) return failed("open " + path);
    loop_config config{};
    config.fd = static_cast<uint32_t>(image.handle);
    config.info.lo_offset = image.offset;
    config.info.lo_sizelimit = image.size;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (readOnly) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
    if (ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return device;
    if (errno != EBUSY) return failed("set up " + path);
    // Somebody else was faster: the next one.
  }
  return Fault{"find a free loop device", EBUSY};
}

/// The loop device with this number, to look at.
Descriptor openLoop(dev_t number) {
  // Its name has another number where loop devices have partitions. Without /sys: where they have none.
  const std::string named = readLink("/sys/dev/block/" + std::to_string(major(number)) + ":" + std::to_string(minor(number)));
  const std::string name = named.empty() ? "loop" + std::to_string(minor(number)) : named.substr(named.rfind('/') + 1);
  Descriptor device(open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat status {};
  if (!device || fstat(device.get(), &status) != 0 || !S_ISBLK(status.st_mode) || status.st_rdev != number) device.reset();
  return device;
}

}  // namespace

Outcome<std::vector<Descriptor>> newLoopMounts(const plan::ImageFile& image, bool readOnly, const plan::MountFlags& flags, size_t count) {
  auto device = attachLoop(image, readOnly);
  if (!device) return device.fault();
  static constexpr const char* types[] = {"", "squashfs", "ext3", "erofs"};
  MountOptions options;
  if (readOnly) options.emplace_back("ro", "");
  if (image.fileSystem == plan::FileSystem::ext3) options.emplace_back("errors", "remount-ro");
  const std::string name = readLink("/proc/self/fd/" + std::to_string(device->get()));
  if (name.empty()) return failed("name the loop device");
  std::vector<Descriptor> mounts;
  while (mounts.size() < count) {
    auto mounted = newFileSystem(types[static_cast<int>(image.fileSystem)], name, options, flags);
    if (!mounted) return mounted.fault();
    mounts.push_back(std::move(*mounted));
  }
  return mounts;
}

Status checkLoopMount(int mount, const plan::ImageFile& image) {
  struct stat root {}, file {};
  struct statfs system {};
  if (fstat(mount, &root) != 0 || fstatfs(mount, &system) != 0 || fstat(image.handle, &file) != 0) return failed("look at the mount");
  const Descriptor device = openLoop(root.st_dev);
  loop_info64 shown{};
  if (system.f_type == SQUASHFS_MAGIC && device && ioctl(device.get(), LOOP_GET_STATUS64, &shown) == 0 && shown.lo_device == file.st_dev &&
      shown.lo_inode == file.st_ino && shown.lo_offset == image.offset && shown.lo_sizelimit == image.size) {
    return {};
  }
  return refused("Expected the kernel's mount of " + image.path + ", got another one");
}

}  // namespace sing
