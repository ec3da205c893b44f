// The two stages before the session exists: helpers outside, and sources opened in the host's view.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "../programs/program.h"
#include "../squash/share.h"
#include "launch.h"
#include "mounting.h"

namespace sing {

namespace {

/// Opens what a bind shows. The trailing dot makes an automounter mount a directory that it has not mounted yet; it cannot be said of a file, nor of a directory that
/// the caller may not enter. Such a directory can be shown all the same: what may be seen of it is decided when somebody looks.
Outcome<Descriptor> openHostSource(const std::string& path) {
  Descriptor directory(open((path + "/.").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory) return directory;
  if (errno != ENOTDIR && errno != EACCES) return failed("open " + path);
  Descriptor file(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file) return failed("open " + path);
  return file;
}

bool sameFile(int one, int other) {
  struct stat a {}, b {};
  return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// A handle was opened in the mount namespace of before, from which nothing can be bound: the same file is opened in the new one.
Outcome<Descriptor> reopen(int handle, const std::string& path) {
  auto again = openHostSource(path);
  if (!again) return again;
  if (!sameFile(handle, again->get())) return refused(path + " was replaced by something else during the launch");
  return again;
}

Outcome<Descriptor> openDevice(const char* path) {
  Descriptor device(open(path, O_RDWR | O_CLOEXEC));
  if (!device) return failed(std::string("open ") + path);
  return device;
}

Outcome<Descriptor> handleSource(int handle) {
  char name[4096];
  const auto length = readlink(("/proc/self/fd/" + std::to_string(handle)).c_str(), name, sizeof name);
  if (length <= 0) return failed("look at descriptor " + std::to_string(handle));
  return reopen(handle, std::string(name, static_cast<size_t>(length)));
}

/// Walks `path` below the host directory `parent` without following a link and makes what is missing.
Outcome<Descriptor> madeSource(const std::string& parent, const std::string& path, uint32_t mode) {
  Descriptor at(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return failed("open " + parent);
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string part = path.substr(start, end - start), shown = parent + "/" + path.substr(0, end);
    const bool made = mkdirat(at.get(), part.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return failed("make directory " + shown);
    Descriptor next(openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return failed("open " + shown);
    // Not what umask leaves of it.
    if (made && fchmod(next.get(), end == path.size() ? mode : 0755) != 0) return failed("set the mode of " + shown);
    at = std::move(next);
    start = end + 1;
  }
  return at;
}

/// Null: it is found in the session or in an image, later.
std::optional<Outcome<Descriptor>> openSource(const plan::Source& source) {
  if (source.kind == plan::SourceKind::host) return openHostSource(source.path);
  if (source.kind == plan::SourceKind::made) return madeSource(source.parent, source.path, source.mode);
  if (source.kind == plan::SourceKind::handle) return handleSource(source.handle);
  return std::nullopt;
}

void openForImage(Opened& opened, size_t index, const plan::MountImage& step) {
  for (const auto& backend : step.backends) {
    if (backend.kind == plan::BackendKind::bind) opened.sources.emplace(index, reopen(step.image.handle, step.image.path));
    if (backend.kind == plan::BackendKind::fuse) opened.fuse.emplace(index, openDevice("/dev/fuse"));
    if (backend.kind == plan::BackendKind::unpacked) opened.unpacked.emplace(index, UnpackedCache::find(backend.directory));
    if (backend.kind == plan::BackendKind::extract) {
      Descriptor base(open(backend.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      opened.extractBases.emplace(index, base ? Outcome<Descriptor>(std::move(base)) : Outcome<Descriptor>(failed("open " + backend.directory)));
    }
  }
}

Outcome<Descriptor> askForShared(const plan::LaunchPlan& plan, const plan::ImageFile& image, const plan::ImageBackend& backend) {
  if (backend.by == plan::SharedBy::loop && plan.namespaces.user) return refused("what the kernel mounts is not for a user namespace");
  return shareImage({.image = image, .by = backend.by, .mountPoint = plan.session.mountPoint, .folder = backend.directory, .idleSeconds = backend.idleSeconds});
}

/// Null: it is none of the step's ways.
const plan::ImageBackend* uses(const plan::MountImage& step, plan::BackendKind kind) {
  for (const auto& backend : step.backends) {
    if (backend.kind == kind) return &backend;
  }
  return nullptr;
}

}  // namespace

Outcome<ImageHelper> startImageHelper(const plan::MountImage& step, bool inside) {
  const auto& image = step.image;
  return ImageHelper::start({.image = image.handle, .offset = image.offset, .size = image.size, .serves = uses(step, plan::BackendKind::fuse) != nullptr, .inside = inside});
}

Outcome<Helpers> startHelpers(const plan::LaunchPlan& plan) {
  Helpers helpers;
  for (size_t index = 0; index < plan.steps.size(); ++index) {
    const auto* overlay = std::get_if<plan::MountOverlay>(&plan.steps[index]);
    if (overlay && overlay->by) helpers.programs.emplace(index, openProgram(overlay->by->program));
    const auto* step = std::get_if<plan::MountImage>(&plan.steps[index]);
    if (!step) continue;
    if (const auto* serving = uses(*step, plan::BackendKind::program)) helpers.programs.emplace(index, openProgram(serving->directory));
    if (const auto* sharing = uses(*step, plan::BackendKind::shared)) {
      const auto& [shared, fresh] = helpers.shared.emplace(index, askForShared(plan, step->image, *sharing));
      if (shared->second) continue;
    }
    if (uses(*step, plan::BackendKind::fuse) || uses(*step, plan::BackendKind::unpacked) || uses(*step, plan::BackendKind::extract)) helpers.images.emplace(index, startImageHelper(*step, false));
  }
  if (plan.namespaces.user && plan.namespaces.user->writtenBy != plan::MapWriter::self) {
    auto helper = IdMapHelper::start(*plan.namespaces.user);
    if (!helper) return helper.fault();
    helpers.idMaps = std::move(*helper);
  }
  return helpers;
}

Status startOutside(const plan::LaunchPlan& plan, Helpers& helpers) {
  if (helpers.programs.empty()) return {};
  // Programs, and the images that they serve: what works name by numbers.
  std::vector<int> kept;
  for (auto& [index, program] : helpers.programs) {
    if (program) kept.push_back(program->get());
    if (const auto* step = std::get_if<plan::MountImage>(&plan.steps[index])) kept.push_back(step->image.handle);
  }
  auto outside = OutsideStarter::start(kept, plan.namespaces.user ? plan.namespaces.user->enterAs : std::nullopt);
  if (!outside) return outside.fault();
  helpers.outside = std::move(*outside);
  return {};
}

Opened openSources(const plan::LaunchPlan& plan) {
  Opened opened;
  for (size_t index = 0; index < plan.steps.size(); ++index) {
    if (const auto* image = std::get_if<plan::MountImage>(&plan.steps[index])) openForImage(opened, index, *image);
    const auto* bind = std::get_if<plan::Bind>(&plan.steps[index]);
    if (!bind) continue;
    auto source = openSource(bind->source);
    if (!source) continue;
    // With the session there, a copy of all mounts below its mount point would have it in the place of what the host has there.
    if (*source && bind->recursive) source = cloneMount((*source)->get(), true);
    opened.sources.emplace(index, std::move(*source));
  }
  if (plan.namespaces.user) opened.userNamespace = Descriptor(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
  return opened;
}

}  // namespace sing
