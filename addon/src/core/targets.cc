#include "targets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <deque>
#include <string>
#include <vector>

#include "descriptor.h"
#include "limits.h"

namespace sing {

namespace {

constexpr int lookOnly = O_PATH | O_NOFOLLOW | O_CLOEXEC;

/// One directory of the walk as both trees have it. A tree that lacks it has no descriptor here.
struct Level {
  std::string name;
  Descriptor rootfs, layer;
};

/// Puts the parts of `path` in front of what is still to be walked.
void prepend(std::deque<std::string>& parts, const std::string& path) {
  std::vector<std::string> fresh;
  for (size_t start = 0; start < path.size();) {
    const size_t slash = std::min(path.find('/', start), path.size());
    if (slash > start) fresh.push_back(path.substr(start, slash - start));
    start = slash + 1;
  }
  parts.insert(parts.begin(), fresh.begin(), fresh.end());
}

class Walk {
 public:
  Walk(int rootfs, int layer) {
    levels_.push_back({"", Descriptor(openat(rootfs, ".", lookOnly | O_DIRECTORY)), Descriptor(openat(layer, ".", lookOnly | O_DIRECTORY))});
  }

  void to(const std::string& path, bool directory) {
    std::deque<std::string> parts;
    prepend(parts, path);
    int links = 0;
    while (!parts.empty()) {
      const std::string part = std::move(parts.front());
      parts.pop_front();
      if (part == ".") continue;
      if (part == "..") {
        if (levels_.size() > 1) levels_.pop_back();
        continue;
      }
      std::string link;
      switch (step(part, parts.empty(), directory, link)) {
        case Next::onward: break;
        case Next::stop: return;
        case Next::link:
          if (++links > limits::linksFollowed) return;
          if (link.front() == '/') levels_.erase(levels_.begin() + 1, levels_.end());
          prepend(parts, link);
      }
    }
  }

 private:
  enum class Next { onward, stop, link };

  Next step(const std::string& part, bool last, bool wantDirectory, std::string& link) {
    Level& here = levels_.back();
    Level next{part, {}, {}};
    if (here.rootfs) next.rootfs = Descriptor(openat(here.rootfs.get(), part.c_str(), lookOnly));
    if (here.layer) next.layer = Descriptor(openat(here.layer.get(), part.c_str(), lookOnly));
    if (!next.rootfs && !next.layer) return make(std::move(next), last && !wantDirectory);
    struct stat status {};
    // What the layer has covers what the image has.
    const int seen = next.layer ? next.layer.get() : next.rootfs.get();
    if (fstat(seen, &status) != 0) return Next::stop;
    if (S_ISLNK(status.st_mode)) {
      char text[PATH_MAX];
      const auto length = readlinkat(seen, "", text, sizeof text);
      if (length <= 0 || length == PATH_MAX) return Next::stop;
      link.assign(text, static_cast<size_t>(length));
      return Next::link;
    }
    if (!S_ISDIR(status.st_mode)) return Next::stop;
    levels_.push_back(std::move(next));
    return Next::onward;
  }

  /// Makes the directories of the way so far in the layer, with the modes that the image gives them.
  bool completeLayer() {
    for (size_t i = 1; i < levels_.size(); ++i) {
      if (levels_[i].layer) continue;
      struct stat status {};
      mode_t mode = 0755;
      if (levels_[i].rootfs && fstat(levels_[i].rootfs.get(), &status) == 0) mode = status.st_mode & 07777;
      levels_[i].layer = makeDirectory(levels_[i - 1].layer.get(), levels_[i].name, mode);
      if (!levels_[i].layer) return false;
    }
    return true;
  }

  static Descriptor makeDirectory(int parent, const std::string& name, mode_t mode) {
    if (mkdirat(parent, name.c_str(), 0700) != 0) return {};
    Descriptor made(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (made && fchmod(made.get(), mode) != 0) made.reset();
    return made;
  }

  Next make(Level next, bool file) {
    if (!completeLayer()) return Next::stop;
    const int parent = levels_.back().layer.get();
    if (file) {
      Descriptor made(openat(parent, next.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
      return Next::stop;
    }
    next.layer = makeDirectory(parent, next.name, 0755);
    if (!next.layer) return Next::stop;
    levels_.push_back(std::move(next));
    return Next::onward;
  }

  std::vector<Level> levels_;
};

}  // namespace

void prepareTarget(int rootfs, int layer, const std::string& path, bool directory) { Walk(rootfs, layer).to(path, directory); }

}  // namespace sing
