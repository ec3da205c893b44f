// mount_image: a directory, or the file system inside an image file, by the first way that works.
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../squash/extract.h"
#include "ext3.h"
#include "launch.h"
#include "layers.h"
#include "locks.h"
#include "messages.h"
#include "mounting.h"
#include "walk.h"

namespace sing {

namespace {

using plan::MountImage;

Outcome<Descriptor> mountTarget(const StepContext& context, const MountImage& step) {
  return openInSession(context.session, step.at, O_PATH | O_DIRECTORY);
}

Fault takeFault(std::map<size_t, Outcome<Descriptor>>& from, size_t index, const char* missing) {
  const auto found = from.find(index);
  return found == from.end() ? refused(missing) : found->second.fault();
}

Status bindDirectory(StepContext& context, size_t index, const MountImage& step) {
  const auto source = context.opened.sources.find(index);
  if (source == context.opened.sources.end() || !source->second) return takeFault(context.opened.sources, index, "the directory was not opened");
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  auto copy = cloneMount((*source->second).get(), false);
  if (!copy) return copy.fault();
  SING_TRY(addFlags(copy->get(), step.flags, false, true));
  return attach(copy->get(), target->get());
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

/// The kernel's driver trusts what it mounts: only an image that nobody but root could have written.
Status checkKernelExt3(const StepContext& context, const MountImage& step) {
  struct stat status {};
  if (fstat(step.image.handle, &status) != 0) return failed("look at the image");
  if (context.plan.namespaces.user || geteuid() != 0 || status.st_uid != 0 || (status.st_mode & 022) != 0) {
    return refused("an ext3 image that others than root can write is not mounted by the kernel");
  }
  SING_TRY(checkExt3(step.image.handle, step.image.offset, step.image.size));
  return lockImage(step.image.handle, step.image.offset, step.image.size, !step.flags.readOnly, step.image.path);
}

/// The kernel takes a mount away some time after its last user has ended.
Status tellOfWriting(const StepContext& context, int mount) {
  const Descriptor directory(openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failed("open the file system of the image");
  return sendMessage(context.writers, "", {directory.get()});
}

Status mountLoop(StepContext& context, const MountImage& step) {
  if (step.image.fileSystem == plan::FileSystem::directory) return refused("a directory needs no loop device");
  const bool ext3 = step.image.fileSystem == plan::FileSystem::ext3, readOnly = step.flags.readOnly || !ext3;
  if (ext3) SING_TRY(checkKernelExt3(context, step));
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  auto device = attachLoop(step.image, readOnly);
  if (!device) return device.fault();
  static constexpr const char* types[] = {"", "squashfs", "ext3", "erofs"};
  struct stat status {};
  if (fstat(device->get(), &status) != 0) return failed("look at the loop device");
  MountOptions options;
  if (readOnly) options.emplace_back("ro", "");
  if (ext3) options.emplace_back("errors", "remount-ro");
  char name[64];
  const auto length = readlink(("/proc/self/fd/" + std::to_string(device->get())).c_str(), name, sizeof name);
  if (length <= 0) return failed("name the loop device");
  auto mounted = newFileSystem(types[static_cast<int>(step.image.fileSystem)], std::string(name, static_cast<size_t>(length)), options, step.flags);
  if (!mounted) return mounted.fault();
  SING_TRY(attach(mounted->get(), target->get()));
  return readOnly ? Status() : tellOfWriting(context, mounted->get());
}

Outcome<ImageHelper*> helperOf(StepContext& context, size_t index) {
  auto found = context.helpers.images.find(index);
  if (found == context.helpers.images.end()) {
    // Only where a shared mount came and could not be attached.
    const auto* step = std::get_if<plan::MountImage>(&context.plan.steps[index]);
    found = context.helpers.images.emplace(index, startImageHelper(*step, true)).first;
  }
  if (!found->second) return found->second.fault();
  return &*found->second;
}

/// The mount came before the namespaces were made; it still lies in those of its keeper, and this is where it belongs to those of the launch.
Status mountShared(StepContext& context, size_t index, const MountImage& step) {
  const auto shared = context.helpers.shared.find(index);
  if (shared == context.helpers.shared.end()) return refused("no server was asked");
  if (!shared->second) return shared->second.fault();
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  plan::MountFlags flags = step.flags;
  flags.readOnly = flags.nosuid = flags.nodev = true;
  SING_TRY(addFlags((*shared->second).get(), flags, false, true));
  return attach((*shared->second).get(), target->get());
}

Status mountFuse(StepContext& context, size_t index, const MountImage& step, bool allowOther) {
  auto helper = helperOf(context, index);
  if (!helper) return helper.fault();
  const auto device = context.opened.fuse.find(index);
  if (device == context.opened.fuse.end() || !device->second) return takeFault(context.opened.fuse, index, "/dev/fuse was not opened");
  SING_TRY((*helper)->awaitReady());
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  Descriptor fuse = std::move(*device->second);
  plan::MountFlags flags = step.flags;
  flags.readOnly = true;
  auto mounted = newFuseMount(fuse.get(), step.image.path, allowOther, flags);
  if (!mounted) return mounted.fault();
  // The kernel answers for the mount as soon as it is there; requests wait until the server reads them.
  SING_TRY((*helper)->serve(fuse.get()));
  return attach(mounted->get(), target->get());
}

/// A payload that could change the mount would change the image for the next start.
bool mayShareUnpacked(const plan::LaunchPlan& plan) {
  const auto& user = plan.namespaces.user;
  return user && !user->enterAs && user->uidMap.size() == 1 && user->uidMap[0].count == 1 && plan.credentials.choice == plan::CapabilityChoice::none &&
         plan.credentials.noNewPrivileges && !std::get_if<plan::Sequence>(&plan.run);
}

Status mountUnpacked(StepContext& context, size_t index, const MountImage& step, uint64_t sizeLimit) {
  if (step.image.fileSystem != plan::FileSystem::squashfs) return refused("only a squashfs can be unpacked");
  if (!mayShareUnpacked(context.plan)) return refused("only containers of one user without capabilities use an unpacked image together");
  const auto cache = context.opened.unpacked.find(index);
  if (cache == context.opened.unpacked.end()) return refused("no cache of unpacked images was opened");
  if (!cache->second) return cache->second.fault();
  auto helper = helperOf(context, index);
  if (!helper) return helper.fault();
  auto image = cache->second->take({step.image.handle, step.image.offset, step.image.size}, step.image.path, {.size = sizeLimit});
  if (!image) {
    say(Level::info, "The cache of unpacked images is of no use: " + image.fault().sentence() + " (sing cache clean --type rootfs makes room)");
    return image.fault();
  }
  SING_TRY((*helper)->hold(image->use.get()));
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  auto copy = cloneMount(image->root.get(), false);
  if (!copy) return copy.fault();
  plan::MountFlags flags = step.flags;
  flags.readOnly = flags.nosuid = flags.nodev = true;
  SING_TRY(addFlags(copy->get(), flags, false, true));
  SING_TRY(attach(copy->get(), target->get()));
  say(Level::verbose, "Image " + step.image.path + (image->fresh ? " unpacked into the cache" : " mounted from the cache of unpacked images"));
  return {};
}

std::string randomName() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return {};
  static constexpr char hex[] = "0123456789abcdef";
  std::string name = "sing-";
  for (const unsigned char byte : bytes) {
    name.push_back(hex[byte >> 4]);
    name.push_back(hex[byte & 15]);
  }
  return name;
}

Status mountExtracted(StepContext& context, size_t index, const MountImage& step) {
  if (step.image.fileSystem != plan::FileSystem::squashfs) return refused("only a squashfs can be unpacked");
  const auto base = context.opened.extractBases.find(index);
  if (base == context.opened.extractBases.end() || !base->second) return takeFault(context.opened.extractBases, index, "no directory to unpack in");
  const int parent = (*base->second).get();
  const std::string name = randomName();
  if (name.empty()) return failed("get random bytes");
  auto helper = helperOf(context, index);
  if (!helper) return helper.fault();
  // Registered first: killed right after the next line, the directory still goes away.
  SING_TRY((*helper)->registerTree(parent, name, context.opened.userNamespace.get()));
  if (mkdirat(parent, name.c_str(), 0700) != 0) return failed("make a directory to unpack in");
  // The image's own root directory gets the image's mode; what keeps others out is the directory around it.
  const std::string inner = name + "/rootfs";
  if (mkdirat(parent, inner.c_str(), 0700) != 0) return failed("make a directory to unpack in");
  Descriptor directory(openat(parent, inner.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return failed("open the directory to unpack in");
  SING_TRY(extractSquashfs(step.image.handle, directory.get(), {.offset = step.image.offset, .size = step.image.size, .owners = true}));
  auto target = mountTarget(context, step);
  if (!target) return target.fault();
  auto copy = cloneMount(directory.get(), false);
  if (!copy) return copy.fault();
  SING_TRY(addFlags(copy->get(), step.flags, false, true));
  return attach(copy->get(), target->get());
}

}  // namespace

Status mountImage(StepContext& context, size_t index, const MountImage& step) {
  static constexpr const char* names[] = {"bind", "loop", "shared", "fuse", "unpacked", "extract", "program"};
  std::string reasons;
  for (const auto& backend : step.backends) {
    Status done;
    switch (backend.kind) {
      case plan::BackendKind::bind: done = bindDirectory(context, index, step); break;
      case plan::BackendKind::loop: done = mountLoop(context, step); break;
      case plan::BackendKind::shared: done = mountShared(context, index, step); break;
      case plan::BackendKind::fuse: done = mountFuse(context, index, step, backend.allowOther); break;
      case plan::BackendKind::unpacked: done = mountUnpacked(context, index, step, backend.sizeLimit); break;
      case plan::BackendKind::extract: done = mountExtracted(context, index, step); break;
      case plan::BackendKind::program: done = mountByExtServer(context, index, step, backend.allowOther); break;
    }
    if (done) return {};
    const std::string reason = std::string(names[static_cast<int>(backend.kind)]) + ": " + done.fault().sentence();
    say(Level::verbose, "Image " + step.image.path + " not mounted by " + reason);
    reasons += (reasons.empty() ? "" : "; ") + reason;
    if (step.backends.size() == 1) return done;
  }
  return refused(reasons.empty() ? "there is no way to mount it" : reasons);
}

}  // namespace sing
