// The steps of a plan, one function each.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts.h"
#include "files.h"
#include "layers.h"
#include "launch.h"
#include "messages.h"
#include "mounting.h"
#include "targets.h"
#include "underlay.h"
#include "walk.h"

namespace sing {

namespace {

Outcome<Descriptor> openRoot(const StepContext& context) {
  return openInSession(context.session, context.plan.root, O_PATH | O_DIRECTORY);
}

Outcome<Descriptor> openPlace(const StepContext& context, const plan::Place& place) {
  if (!place.inContainer) return openInSession(context.session, place.path, O_PATH);
  auto root = openRoot(context);
  if (!root) return root;
  return openInContainer(root->get(), place.path, O_PATH);
}

Status makeDirectory(StepContext& context, const plan::MakeDirectory& step) {
  return makeSessionDirectory(context.session, step.path, step.mode);
}

Status writeFile(StepContext& context, const plan::WriteFile& step) {
  return writeSessionFile(context.session, step.path, step.content, step.mode);
}

Status makeLink(StepContext& context, const plan::MakeLink& step) {
  auto parent = openSessionParent(context.session, step.path);
  if (!parent) return parent.fault();
  if (symlinkat(step.target.c_str(), parent->directory.get(), parent->name.c_str()) != 0) return failed("make link " + step.path);
  return {};
}

Status prepareTargets(StepContext& context, const plan::PrepareTargets& step) {
  auto rootfs = openInSession(context.session, step.rootfs, O_PATH | O_DIRECTORY);
  if (!rootfs) return rootfs.fault();
  auto layer = openInSession(context.session, step.layer, O_PATH | O_DIRECTORY);
  if (!layer) return layer.fault();
  for (const auto& target : step.targets) {
    bool directory = target.type == plan::TargetType::directory;
    if (target.type == plan::TargetType::like) {
      auto source = openInImage(context.session, target.at, target.inside);
      struct stat status {};
      // What is not there has no mount point either; its bind says so.
      if (!source || fstat(source->get(), &status) != 0) continue;
      directory = S_ISDIR(status.st_mode);
    }
    prepareTarget(rootfs->get(), layer->get(), target.path, directory);
  }
  return {};
}

/// The underlay of the same two directories.
Status underlayInstead(StepContext& context, const plan::MountOverlay& step, const std::string& reason) {
  say(Level::verbose, "No overlay: " + reason);
  const auto done = mountUnderlay(context, {step.lower.front(), step.lower.back(), step.at});
  if (done) return {};
  return Fault{"no overlay (" + reason + "), and no underlay: " + done.fault().what, done.fault().error};
}

Status mountOverlay(StepContext& context, size_t index, const plan::MountOverlay& step) {
  // The option text names directories; each is opened once as a session path, so that none leads through a link of an image.
  std::string layers = "lowerdir=";
  std::vector<std::string> named = step.lower;
  for (const auto& lower : step.lower) layers += (layers.back() == '=' ? "" : ":") + lower;
  if (step.upper) {
    layers += ",upperdir=" + step.upper->directory + ",workdir=" + step.upper->work;
    named.push_back(step.upper->directory);
    named.push_back(step.upper->work);
  }
  for (const auto& path : named) {
    auto opened = openInSession(context.session, path, O_PATH | O_DIRECTORY);
    if (!opened) return opened.fault();
    // The root of an overlay takes the mode of its first layer as it is known; that of a FUSE mount is 0 until somebody asks.
    struct stat first {};
    if (path == step.lower.front() && fstat(opened->get(), &first) != 0) return failed("look at the first layer");
    if (step.underlay == plan::UnderlayUse::never || path != step.lower.back()) continue;
    if (const char* unfit = unfitAsLayer(opened->get())) return underlayInstead(context, step, std::string("the image lies on ") + unfit);
  }
  if (step.by) return mountOverlayByProgram(context, index, step);
  SING_TRY(checkLayers(context.session, step));
  auto at = openInSession(context.session, step.at, O_PATH | O_DIRECTORY);
  if (!at) return at.fault();
  if (fchdir(context.session) != 0) return failed("enter the session");
  const std::string target = "/proc/self/fd/" + std::to_string(at->get());
  const unsigned long flags = MS_NOSUID | MS_NODEV | (step.upper ? 0 : MS_RDONLY);
  std::string extra = step.userXattr ? ",userxattr,xino=on" : ",xino=on";
  for (bool indexOff = false;;) {
    const std::string options = layers + extra + (indexOff ? ",index=off" : "");
    if (mount("overlay", target.c_str(), "overlay", flags, options.c_str()) == 0) {
      if (step.at == context.plan.root) say(Level::verbose, "Mount points that the image lacks are made by an overlay");
      return {};
    }
    if (errno == ESTALE && !indexOff) {
      indexOff = true;
    } else if (errno == EINVAL && extra == ",userxattr,xino=on") {
      extra = ",userxattr";
    } else if (errno == EINVAL && extra == ",userxattr") {
      extra = ",xino=on";  // a kernel without userxattr
    } else if (errno == EINVAL && !extra.empty()) {
      extra.clear();
    } else {
      const Fault fault = failed("mount the overlay");
      if (step.underlay == plan::UnderlayUse::refused) return underlayInstead(context, step, fault.sentence());
      Fault explained = explainOverlay(context.session, step, fault);
      if (step.underlay == plan::UnderlayUse::unfit) explained.what += " (--underlay does without an overlay)";
      return explained;
    }
  }
}

bool isSameFile(int one, int other) {
  struct stat a {}, b {};
  return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Whether one of the conditions holds under which the bind is not wanted.
Outcome<bool> isUnwanted(const StepContext& context, const plan::Bind& step, int source, int target) {
  for (const auto& unless : step.unless) {
    if (unless.kind == plan::UnlessKind::sameFile) {
      if (isSameFile(source, target)) return true;
      continue;
    }
    if (!step.target.inContainer) continue;
    auto root = openRoot(context);
    if (!root) return root.fault();
    auto path = containerPath(root->get(), target);
    if (!path) return path.fault();
    if (*path == unless.path && unless.kind == plan::UnlessKind::resolvesTo) return true;
    if (*path != step.target.path && unless.kind == plan::UnlessKind::leadsElsewhere) return true;
  }
  return false;
}

Status bind(StepContext& context, size_t index, const plan::Bind& step) {
  Outcome<Descriptor> session = Descriptor();
  int source = -1;
  bool copied = false;
  if (step.source.kind == plan::SourceKind::session) {
    session = openInSession(context.session, step.source.path, O_PATH);
    if (!session && session.fault().error == ENOENT) return {};  // stage_accounts had nothing to write
    if (!session) return session.fault();
    source = (*session).get();
  } else if (step.source.kind == plan::SourceKind::image) {
    session = openInImage(context.session, step.source.at, step.source.path);
    if (!session) return session.fault();
    source = (*session).get();
  } else {
    const auto found = context.opened.sources.find(index);
    if (found == context.opened.sources.end()) return refused("the source was not opened");
    if (!found->second) return found->second.fault();
    source = (*found->second).get();
    copied = step.recursive;
  }
  auto target = openPlace(context, step.target);
  if (!target && target.fault().error == ENOENT) return Fault{"destination " + step.target.path + " doesn't exist in container", ENOENT};
  if (!target) return target.fault();
  auto unwanted = isUnwanted(context, step, source, target->get());
  if (!unwanted) return unwanted.fault();
  if (*unwanted) {
    say(Level::debug, "Not " + describeStep(step) + ": it is there already, or elsewhere");
    return {};
  }
  auto copy = copied ? Outcome<Descriptor>(Descriptor()) : cloneMount(source, step.recursive);
  if (!copy) return copy.fault();
  const int mount = copied ? source : copy->get();
  SING_TRY(addFlags(mount, step.flags, step.recursive, false));
  return attach(mount, target->get());
}

std::string octal(uint32_t mode) {
  char text[16];
  snprintf(text, sizeof text, "%04o", mode);
  return text;
}

Status mountFileSystem(StepContext& context, const plan::MountFileSystem& step) {
  MountOptions options;
  if (step.fileSystem == "tmpfs") {
    options.emplace_back("mode", octal(step.mode));
    if (step.sizeLimit) options.emplace_back("size", std::to_string(*step.sizeLimit));
  }
  if (step.fileSystem == "devpts") {
    options.emplace_back("newinstance", "");
    options.emplace_back("ptmxmode", "0666");
    options.emplace_back("mode", "0620");
    if (step.ttyGroup) options.emplace_back("gid", std::to_string(*step.ttyGroup));
  }
  auto target = openPlace(context, step.target);
  if (!target) return target.fault();
  auto mounted = newFileSystem(step.fileSystem, step.fileSystem, options, step.flags);
  if (!mounted) return mounted.fault();
  return attach(mounted->get(), target->get());
}

}  // namespace

Status doStep(StepContext& context, size_t index) {
  const plan::Step& step = context.plan.steps[index];
  struct Visitor {
    StepContext& context;
    size_t index;
    Status operator()(const plan::MakeDirectory& step) { return makeDirectory(context, step); }
    Status operator()(const plan::WriteFile& step) { return writeFile(context, step); }
    Status operator()(const plan::MakeLink& step) { return makeLink(context, step); }
    Status operator()(const plan::MountImage& step) { return mountImage(context, index, step); }
    Status operator()(const plan::PrepareTargets& step) { return prepareTargets(context, step); }
    Status operator()(const plan::MountOverlay& step) { return mountOverlay(context, index, step); }
    Status operator()(const plan::StageAccounts& step) { return stageAccounts(context.session, step); }
    Status operator()(const plan::Bind& step) { return bind(context, index, step); }
    Status operator()(const plan::MountFileSystem& step) { return mountFileSystem(context, step); }
    Status operator()(const plan::PrepareLayer& step) { return prepareLayer(context, step); }
    Status operator()(const plan::MountUnderlay& step) { return mountUnderlay(context, step); }
  };
  return std::visit(Visitor{context, index}, step);
}

plan::OnFailure failurePolicy(const plan::Step& step) {
  if (const auto* bind = std::get_if<plan::Bind>(&step)) return bind->onFailure;
  if (const auto* mount = std::get_if<plan::MountFileSystem>(&step)) return mount->onFailure;
  return plan::OnFailure::fatal;
}

std::string pathOfStep(const plan::Step& step) {
  struct Visitor {
    std::string operator()(const plan::MakeDirectory& step) { return step.path; }
    std::string operator()(const plan::WriteFile& step) { return step.path; }
    std::string operator()(const plan::MakeLink& step) { return step.path; }
    std::string operator()(const plan::MountImage& step) { return step.image.path; }
    std::string operator()(const plan::PrepareTargets& step) { return step.layer; }
    std::string operator()(const plan::MountOverlay& step) { return step.at; }
    std::string operator()(const plan::StageAccounts& step) { return step.rootfs; }
    std::string operator()(const plan::Bind& step) { return step.target.path; }
    std::string operator()(const plan::MountFileSystem& step) { return step.target.path; }
    std::string operator()(const plan::PrepareLayer& step) { return step.image; }
    std::string operator()(const plan::MountUnderlay& step) { return step.at; }
  };
  return std::visit(Visitor{}, step);
}

std::string describeStep(const plan::Step& step) {
  struct Visitor {
    std::string operator()(const plan::MakeDirectory& step) { return "making the session directory " + step.path; }
    std::string operator()(const plan::WriteFile& step) { return "writing the session file " + step.path; }
    std::string operator()(const plan::MakeLink& step) { return "making the session link " + step.path; }
    std::string operator()(const plan::MountImage& step) { return "mounting image " + step.image.path; }
    std::string operator()(const plan::PrepareTargets&) { return "making mount points"; }
    std::string operator()(const plan::MountOverlay&) { return "mounting the overlay"; }
    std::string operator()(const plan::StageAccounts&) { return "writing the account files"; }
    std::string operator()(const plan::Bind& step) {
      const plan::Source& source = step.source;
      const std::string from = source.kind == plan::SourceKind::handle ? "descriptor " + std::to_string(source.handle)
                               : source.kind == plan::SourceKind::made ? source.parent + "/" + source.path
                                                                       : source.path;
      return "binding " + from + " to " + step.target.path;
    }
    std::string operator()(const plan::MountFileSystem& step) { return "mounting " + step.fileSystem + " at " + step.target.path; }
    std::string operator()(const plan::PrepareLayer& step) { return step.at ? "opening a layer" : "opening a layer for writing"; }
    std::string operator()(const plan::MountUnderlay&) { return "mounting the underlay"; }
  };
  return std::visit(Visitor{}, step);
}

}  // namespace sing
