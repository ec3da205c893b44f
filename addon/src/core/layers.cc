#include "layers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../programs/program.h"
#include "../squash/background.h"
#include "capabilities.h"
#include "ext3.h"
#include "locks.h"
#include "mounting.h"
#include "walk.h"

namespace sing {

namespace {

constexpr uint32_t fuseMagic = 0x65735546;

struct KnownFileSystem {
  uint32_t magic;
  const char* name;
  /// Cannot even be a lower layer.
  bool neither;
};

/// What the kernel's overlay cannot use, or not without losing something (runtime contract §2.4).
constexpr KnownFileSystem unusable[] = {
    {fuseMagic, "FUSE", false},   {0x6969, "NFS", false},     {0x01021997, "9p", false},   {0xFE534D42, "SMB", false},
    {0xFF534D42, "CIFS", false},   {0x4d44, "FAT", false},     {0x0BD00BD0, "Lustre", true}, {0x47504653, "GPFS", true},
    {0xAAD7AAEA, "PanFS", true},   {0xF15F, "eCryptfs", true},
};

const KnownFileSystem* knownAs(uint32_t magic) {
  for (const auto& one : unusable) {
    if (one.magic == magic) return &one;
  }
  return nullptr;
}

const KnownFileSystem* knownAs(int session, const std::string& path) {
  auto opened = openInSession(session, path, O_PATH | O_DIRECTORY);
  struct statfs status {};
  return opened && fstatfs(opened->get(), &status) == 0 ? knownAs(static_cast<uint32_t>(status.f_type)) : nullptr;
}

Outcome<int> programOf(StepContext& context, size_t index) {
  const auto found = context.helpers.programs.find(index);
  if (found == context.helpers.programs.end()) return refused("the program was not opened");
  if (!found->second) return found->second.fault();
  return found->second->get();
}

Outcome<Descriptor> startProgram(StepContext& context, const ProgramWork& work, const ProgramMount& mount) {
  if (!context.helpers.outside) return refused("the process that starts programs is missing");
  return context.helpers.outside->mount(work, mount);
}

/// Makes a directory of a writable layer, or takes the one that is there.
Status layerDirectory(int image, const char* name) {
  if (mkdirat(image, name, 0755) != 0 && errno != EEXIST) return failed(std::string("make the directory ") + name + " in the layer");
  struct stat status {};
  if (fstatat(image, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return failed(std::string("look at ") + name + " in the layer");
  if (!S_ISDIR(status.st_mode)) return refused(std::string("Expected a directory called ") + name + " in the layer, got something else");
  if (faccessat(image, name, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return refused(std::string("The directory ") + name + " of the layer cannot be written by this user: it belongs to somebody else" +
                   " (with --fakeroot it has to belong to root: sing overlay create --fakeroot)");
  }
  return {};
}

/// Keeps the lock of a directory until the launch, which becomes the payload, is over: a descriptor of the payload's own could not.
int keepLock(int lock, int launch) {
  leaveCaller({lock, launch});
  // The payload may see it, and must not find the caller's environment in it, or the layer.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!limitCapabilities(0)) return 1;
  pollfd waiting{launch, POLLIN, 0};
  while (poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
  return 0;
}

/// What the person calls that which is mounted at a session path.
std::string hostPath(const plan::LaunchPlan& plan, const std::string& at) {
  for (const auto& step : plan.steps) {
    const auto* mounted = std::get_if<plan::MountImage>(&step);
    if (mounted && mounted->at == at) return mounted->image.path;
  }
  return at;
}

/// One writer at a time. The kernel only warns of two, and an image has its own lock.
Status holdLayer(const StepContext& context, const std::string& image) {
  auto work = openInSession(context.session, image + "/work", O_RDONLY | O_DIRECTORY);
  if (!work) return work.fault();
  struct statfs status {};
  if (fstatfs(work->get(), &status) != 0) return failed("look at the layer");
  if (static_cast<uint32_t>(status.f_type) == fuseMagic) return {};
  SING_TRY(lockDirectory(work->get(), hostPath(context.plan, image)));
  const Descriptor self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) return failed("watch the own process");
  return forkOrphan([&] { return keepLock(work->get(), self.get()); }, backgroundName);
}

}  // namespace

Status prepareLayer(StepContext& context, const plan::PrepareLayer& step) {
  auto image = openInSession(context.session, step.image, O_RDONLY | O_DIRECTORY);
  if (!image) return image.fault();
  if (!step.at) {
    for (const char* name : {"upper", "work"}) SING_TRY(layerDirectory(image->get(), name));
    return holdLayer(context, step.image);
  }
  // What was written to it lies in `upper`; anything else is a layer as it is.
  auto upper = openInSession(image->get(), "upper", O_PATH | O_DIRECTORY);
  auto at = openInSession(context.session, *step.at, O_PATH | O_DIRECTORY);
  if (!at) return at.fault();
  auto copy = cloneMount(upper ? upper->get() : image->get(), false);
  if (!copy) return copy.fault();
  return attach(copy->get(), at->get());
}

Status checkLayers(int session, const plan::MountOverlay& step) {
  if (!step.upper) return {};
  const auto* known = knownAs(session, step.upper->directory);
  if (!known) return {};
  return refused(std::string("A writable overlay cannot lie on ") + known->name +
                 ": use an overlay on a local disk, an image made by sing overlay create, or give it with :ro");
}

const char* unfitFileSystem(uint32_t magic) {
  const auto* known = knownAs(magic);
  return known && known->neither ? known->name : nullptr;
}

const char* unfitAsLayer(int directory) {
  struct statfs status {};
  return fstatfs(directory, &status) == 0 ? unfitFileSystem(static_cast<uint32_t>(status.f_type)) : nullptr;
}

Fault explainOverlay(int session, const plan::MountOverlay& step, Fault fault) {
  if (fault.error != EINVAL) return fault;
  for (const auto& lower : step.lower) {
    const auto* known = knownAs(session, lower);
    if (known && known->neither) return refused(std::string("The kernel cannot lay anything over a directory on ") + known->name + ": use a directory on another file system, or an image file");
  }
  fault.what += step.upper ? " (the file system of the writable layer may lack extended attributes, or be an overlay itself)" : " (too many layers, or file systems that cannot be layers)";
  return fault;
}

Status mountByExtServer(StepContext& context, size_t index, const plan::MountImage& step, bool allowOther) {
  const auto& image = step.image;
  if (image.fileSystem != plan::FileSystem::ext3) return refused("the program serves an ext3 only");
  auto program = programOf(context, index);
  if (!program) return program.fault();
  SING_TRY(checkExt3(image.handle, image.offset, image.size));
  SING_TRY(lockImage(image.handle, image.offset, image.size, !step.flags.readOnly, image.path));
  auto target = openInSession(context.session, step.at, O_PATH | O_DIRECTORY);
  if (!target) return target.fault();
  // `fakeroot`: who may do what is decided by the kernel, from the modes.
  std::string options = step.flags.readOnly ? "ro,fakeroot" : "rw,fakeroot";
  if (image.offset) options += ",offset=" + std::to_string(image.offset);
  auto mounted = startProgram(context, {.program = *program,
                                           .arguments = {"fuse2fs", "/proc/self/fd/" + std::to_string(image.handle), step.at, "-f", "-s", "-o", options},
                                           .session = context.session,
                                           .mountPoint = step.at,
                                           .image = image.handle,
                                           .writes = !step.flags.readOnly,
                                           .keptOpen = step.flags.readOnly ? -1 : context.writers},
                                          {image.path, allowOther, step.flags});
  if (!mounted) return mounted.fault();
  return attach(mounted->get(), target->get());
}

Status mountOverlayByProgram(StepContext& context, size_t index, const plan::MountOverlay& step) {
  auto program = programOf(context, index);
  if (!program) return program.fault();
  auto target = openInSession(context.session, step.at, O_PATH | O_DIRECTORY);
  if (!target) return target.fault();
  // The kernel has no access lists on a FUSE mount in a user namespace, which the squashfs below is.
  std::string options = "noacl,lowerdir=";
  for (const auto& lower : step.lower) options += (options.back() == '=' ? "" : ":") + lower;
  if (step.upper) options += ",upperdir=" + step.upper->directory + ",workdir=" + step.upper->work;
  plan::MountFlags flags{.readOnly = !step.upper, .nosuid = true, .nodev = true};
  auto mounted = startProgram(context, {.program = *program,
                                           .arguments = {"fuse-overlayfs", "-f", "-o", options, step.at},
                                           .session = context.session,
                                           .mountPoint = step.at,
                                           .seesSession = true,
                                           .writes = step.upper.has_value(),
                                           // Owners of files are changed by it in the name of who has the right to.
                                           .keepsCapabilities = geteuid() == 0,
                                           .keptOpen = step.upper ? context.writers : -1},
                                          {"overlay", step.by->allowOther, flags});
  if (!mounted) return mounted.fault();
  return attach(mounted->get(), target->get());
}

}  // namespace sing
