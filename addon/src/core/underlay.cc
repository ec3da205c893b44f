#include "underlay.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "limits.h"
#include "messages.h"
#include "mounting.h"
#include "walk.h"

namespace sing {

namespace {

constexpr plan::MountFlags readOnly{.readOnly = true, .nosuid = true, .nodev = true};
constexpr int directoryOnly = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
/// From here on a start is slower for it (runtime contract §2.4).
constexpr size_t manyBinds = 50;

Fault tooMany() {
  return refused("there are more than " + std::to_string(limits::underlayEntries) +
                 " entries in the directories of the image that lack a mount point: make it in the image");
}

Outcome<std::vector<std::string>> namesIn(Descriptor directory, size_t most) {
  DIR* stream = fdopendir(directory.get());
  if (!stream) return failed("read a directory");
  directory.release();
  std::vector<std::string> names;
  Status read;
  for (size_t seen = 0;; ++seen) {
    errno = 0;
    const dirent* entry = readdir(stream);
    if (!entry && errno != 0) read = failed("read a directory");
    // Also `.` and `..` count: a file system of somebody's own may tell them for ever.
    else if (entry && seen >= most + 2) read = tooMany();
    if (!entry || !read) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(stream);
  if (!read) return read.fault();
  return names;
}

class Underlay {
 public:
  explicit Underlay(size_t entries) : left_(entries) {}

  size_t binds() const { return binds_; }

  Status fill(int layer, int shown, size_t depth) {
    if (depth > limits::underlayDepth) return refused("mount points lie more than " + std::to_string(limits::underlayDepth) + " directories deep in the image");
    auto made = namesIn(Descriptor(openat(layer, ".", O_RDONLY | directoryOnly)), limits::underlayEntries);
    if (!made) return made.fault();
    std::vector<std::string> inBoth;
    for (const auto& name : *made) {
      if (Descriptor(openat(shown, name.c_str(), O_PATH | directoryOnly))) inBoth.push_back(name);
      else if (errno == EACCES) return leave();
      else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return failed("look at " + name + " in the image");
    }
    Descriptor cover;
    if (inBoth.size() < made->size()) {
      // Opened by ".", so that a directory is left also where its entries cannot be reached.
      Descriptor listing(openat(shown, ".", O_RDONLY | directoryOnly));
      if (!listing && errno == EACCES) return leave();
      if (!listing) return failed("open a directory of the image");
      SING_TRY(coverWith(layer, shown, cover));
      SING_TRY(showAll(layer, shown, cover.get(), std::move(listing)));
    }
    for (const auto& name : inBoth) SING_TRY(goOn(layer, shown, cover.get(), name, depth));
    return {};
  }

 private:
  static Status leave() {
    say(Level::verbose, "A directory of the image lacks a mount point and cannot be read: it stays as it is");
    return {};
  }

  static Status coverWith(int layer, int shown, Descriptor& cover) {
    auto copy = cloneMount(layer, false);
    if (!copy) return copy.fault();
    cover = std::move(*copy);
    SING_TRY(addFlags(cover.get(), readOnly, false, true));
    return attach(cover.get(), shown);
  }

  Status showAll(int layer, int shown, int cover, Descriptor listing) {
    auto names = namesIn(std::move(listing), left_);
    if (!names) return names.fault();
    left_ -= names->size();
    for (const auto& name : *names) SING_TRY(show(layer, shown, cover, name));
    return {};
  }

  /// Shows one entry of a covered directory in its cover, unless the layer has something of that name.
  Status show(int layer, int shown, int cover, const std::string& name) {
    const Descriptor entry(open_tree(shown, name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT));
    // Somebody may remove it from a directory meanwhile.
    if (!entry && errno == ENOENT) return {};
    if (!entry) return failed("copy the mount of " + name);
    struct stat status {};
    if (fstat(entry.get(), &status) != 0) return failed("look at " + name + " in the image");
    if (S_ISLNK(status.st_mode)) {
      char text[PATH_MAX];
      const auto length = readlinkat(entry.get(), "", text, sizeof text);
      if (length <= 0 || length == PATH_MAX) return failed("read the link " + name + " of the image");
      const int linked = symlinkat(std::string(text, static_cast<size_t>(length)).c_str(), layer, name.c_str());
      return linked == 0 || errno == EEXIST ? Status() : failed("make the link " + name);
    }
    const int made = S_ISDIR(status.st_mode) ? mkdirat(layer, name.c_str(), 0755) : mknodat(layer, name.c_str(), S_IFREG | 0644, 0);
    if (made != 0) return errno == EEXIST ? Status() : failed("make the mount point " + name);
    return put(entry.get(), cover, name);
  }

  /// On to a directory that both have. Below a cover, the image's own has to be shown before something in it can be covered.
  Status goOn(int layer, int shown, int cover, const std::string& name, size_t depth) {
    const Descriptor layerBelow(openat(layer, name.c_str(), O_RDONLY | directoryOnly));
    if (!layerBelow) return failed("open the mount point " + name);
    const Descriptor shownBelow(cover < 0 ? openat(shown, name.c_str(), O_PATH | directoryOnly)
                                          : open_tree(shown, name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT));
    if (!shownBelow) return failed("open " + name + " in the image");
    if (cover >= 0) SING_TRY(put(shownBelow.get(), cover, name));
    return fill(layerBelow.get(), shownBelow.get(), depth + 1);
  }

  Status put(int entry, int cover, const std::string& name) {
    ++binds_;
    // The cover is of this launch alone: its names are what was made there.
    if (move_mount(entry, "", cover, name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) return failed("bind " + name + " of the image");
    return {};
  }

  size_t left_, binds_ = 0;
};

size_t bindsOf(const plan::LaunchPlan& plan) {
  return static_cast<size_t>(std::ranges::count_if(plan.steps, [](const plan::Step& step) {
    const auto* bind = std::get_if<plan::Bind>(&step);
    return bind && bind->target.inContainer;
  }));
}

}  // namespace

Outcome<size_t> fillUnderlay(int layer, int shown, size_t entries) {
  Underlay underlay(entries);
  SING_TRY(underlay.fill(layer, shown, 0));
  return underlay.binds();
}

Status mountUnderlay(StepContext& context, const plan::MountUnderlay& step) {
  auto rootfs = openInSession(context.session, step.rootfs, O_PATH | O_DIRECTORY);
  if (!rootfs) return rootfs.fault();
  auto layer = openInSession(context.session, step.layer, O_RDONLY | O_DIRECTORY);
  if (!layer) return layer.fault();
  auto at = openInSession(context.session, step.at, O_PATH | O_DIRECTORY);
  if (!at) return at.fault();
  auto root = cloneMount(rootfs->get(), false);
  if (!root) return root.fault();
  SING_TRY(addFlags(root->get(), readOnly, false, true));
  SING_TRY(attach(root->get(), at->get()));
  auto filled = fillUnderlay(layer->get(), root->get(), limits::underlayEntries);
  if (!filled) return filled.fault();
  say(Level::verbose, "Mount points that the image lacks are made by an underlay of " + std::to_string(*filled) + " bind mounts");
  const size_t all = *filled + bindsOf(context.plan);
  if (*filled > 0 && all > manyBinds) {
    say(Level::warning, "The underlay needs more than " + std::to_string(manyBinds) + " bind mounts (" + std::to_string(all) +
                            "), which slow the start down: mount points that the image has need none");
  }
  return {};
}

}  // namespace sing
