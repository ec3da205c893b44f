#include "unpacked.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "../core/files.h"
#include "../core/locks.h"
#include "../core/messages.h"
#include "../core/tree.h"
#include "extract.h"

namespace sing {

namespace {

/// Of what lies in the folder: to be raised with every change of what unpacking makes of an image.
constexpr int format = 1;
/// The folder, `cache`, and the person's own folder.
constexpr size_t mostMissing = 3;
constexpr size_t largestKey = 64u << 10;
constexpr size_t mostDepth = 600;
constexpr const char* makingPrefix = ".new-";
constexpr const char* removedPrefix = ".old-";

/// Held while names in the folder change and locks are taken: microseconds, but for a slow file system.
class FolderLock {
 public:
  explicit FolderLock(int folder) : file_(openat(folder, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) {
    for (int tries = 0; file_ && tries < 5000; ++tries) {
      held_ = flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
      if (held_ || errno != EWOULDBLOCK) return;
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }
  explicit operator bool() const { return held_; }

 private:
  Descriptor file_;
  bool held_ = false;
};

/// What the file `key` of an image says, line by line: what it was made of, the bytes on the disk, the path of the image.
struct Entry {
  std::string name, key;
  uint64_t size = 0;
  timespec used{};
  Descriptor lock;
};

Outcome<std::string> keyOf(const ImagePart& part) {
  struct stat status {};
  if (fstat(part.image, &status) != 0) return failed("look at the image");
  return "unpacked " + std::to_string(format) + " of " + fileText(status) + " from " + std::to_string(part.offset) + " size " + std::to_string(part.size);
}

Outcome<Entry> openEntry(int folder, const std::string& name) {
  Entry entry;
  entry.name = name;
  const std::string path = name + "/key";
  entry.lock = Descriptor(openat(folder, path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!entry.lock) return failed("open " + path);
  struct stat status {};
  if (fstat(entry.lock.get(), &status) != 0) return failed("look at " + path);
  entry.used = status.st_mtim;
  auto text = readRegular(entry.lock.get(), largestKey);
  if (!text) return text.fault();
  const size_t first = text->find('\n');
  if (first == std::string::npos) return entry;
  entry.key = text->substr(0, first);
  entry.size = strtoull(text->c_str() + first + 1, nullptr, 10);
  return entry;
}

std::vector<std::string> namesIn(int folder) {
  std::vector<std::string> names;
  DIR* stream = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return names;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && name != ".lock") names.push_back(name);
  }
  closedir(stream);
  return names;
}

bool lockedByNobody(const Entry& entry) { return flock(entry.lock.get(), LOCK_EX | LOCK_NB) == 0; }

/// Takes the name away from it, with the folder locked; what is called `.old-…` is nobody's.
Status setAside(int folder, const std::string& name) {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return failed("get random bytes");
  const std::string aside = removedPrefix + std::to_string(number);
  if (renameat(folder, name.c_str(), folder, aside.c_str()) != 0) return failed("set " + name + " aside");
  return {};
}

/// What starts that were killed have left, with the folder locked.
void setLeftoversAside(int folder) {
  for (const auto& name : namesIn(folder)) {
    if (!name.starts_with(makingPrefix)) continue;
    const auto entry = openEntry(folder, name);
    if (entry && !lockedByNobody(*entry)) continue;
    [[maybe_unused]] const auto aside = setAside(folder, name);
  }
}

/// Without the lock of the folder: this takes a while.
Status removeSetAside(int folder) {
  Status result;
  for (const auto& name : namesIn(folder)) {
    if (!name.starts_with(removedPrefix)) continue;
    if (auto removed = removeTree(folder, name); !removed && result) result = removed;
  }
  return result;
}

/// Bytes on the disk below a directory.
uint64_t sizeBelow(Descriptor directory, size_t depth = 0) {
  uint64_t size = 0;
  DIR* stream = fdopendir(directory.get());
  if (!stream) return size;
  directory.release();
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    struct stat status {};
    if (name == "." || name == ".." || fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    // A second name of a file takes no second place.
    size += static_cast<uint64_t>(status.st_blocks) * 512 / (S_ISDIR(status.st_mode) ? 1 : std::max<uint64_t>(status.st_nlink, 1));
    if (S_ISDIR(status.st_mode) && depth < mostDepth) size += sizeBelow(Descriptor(openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)), depth + 1);
  }
  closedir(stream);
  return size;
}

/// Takes the names of the images that were not used for the longest time, until `size` more fits.
Status makeRoom(int folder, uint64_t size, uint64_t limit) {
  std::vector<Entry> entries;
  uint64_t taken = 0;
  for (const auto& name : namesIn(folder)) {
    if (name.starts_with(".")) continue;
    auto entry = openEntry(folder, name);
    if (!entry) continue;
    taken += entry->size;
    entries.push_back(std::move(*entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.used.tv_sec != b.used.tv_sec ? a.used.tv_sec < b.used.tv_sec : a.used.tv_nsec < b.used.tv_nsec;
  });
  for (const auto& entry : entries) {
    if (taken + size <= limit) break;
    if (!lockedByNobody(entry) || !setAside(folder, entry.name)) continue;
    taken -= entry.size;
  }
  if (taken + size <= limit) return {};
  return Fault{"make room in the cache of unpacked images, which is full of images in use", EFBIG};
}

/// What is unpacked has no name yet; gone, unless it gets one.
class Making {
 public:
  Making(int folder, std::string name, Descriptor lock) : folder_(folder), name_(std::move(name)), lock_(std::move(lock)) {}
  Making(Making&& other) noexcept : folder_(std::exchange(other.folder_, -1)), name_(std::move(other.name_)), lock_(std::move(other.lock_)) {}
  Making(const Making&) = delete;
  ~Making() {
    if (folder_ >= 0) [[maybe_unused]] const auto removed = removeTree(folder_, name_);
  }
  int lock() const { return lock_.get(); }
  const std::string& name() const { return name_; }
  Descriptor keep() {
    folder_ = -1;
    return std::move(lock_);
  }

 private:
  int folder_;
  std::string name_;
  Descriptor lock_;
};

/// A new folder with a locked key, or, when another start has one, nothing and its lock in `other`. With the folder locked.
Outcome<std::optional<Making>> beginMaking(int folder, const std::string& name, Descriptor& other) {
  const std::string making = makingPrefix + name;
  if (auto present = openEntry(folder, making); present && !lockedByNobody(*present)) {
    other = std::move(present->lock);
    return std::optional<Making>();
  }
  setLeftoversAside(folder);
  if (mkdirat(folder, making.c_str(), 0700) != 0) return failed("make a directory in the cache of unpacked images");
  Descriptor key(openat(folder, (making + "/key").c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!key) return failed("make a file in the cache of unpacked images");
  if (flock(key.get(), LOCK_EX | LOCK_NB) != 0) return failed("lock a file in the cache of unpacked images");
  return std::optional<Making>(Making(folder, making, std::move(key)));
}

/// Unpacks and gives it its name.
Outcome<UnpackedImage> make(int folder, const std::string& name, Making making, const std::string& key, const ImagePart& part, const std::string& source, uint64_t limit) {
  [[maybe_unused]] const auto swept = removeSetAside(folder);
  say(Level::info, "Unpacking the image into the cache, because it cannot be mounted: the next start finds it there");
  const std::string root = making.name() + "/rootfs";
  if (mkdirat(folder, root.c_str(), 0700) != 0) return failed("make a directory in the cache of unpacked images");
  Descriptor directory(openat(folder, root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return failed("open a directory in the cache of unpacked images");
  SING_TRY(extractSquashfs(part.image, directory.get(), {.offset = part.offset, .size = part.size, .owners = true, .most = limit}));
  auto still = keyOf(part);
  if (!still) return still.fault();
  if (*still != key) return refused("the image was changed while it was unpacked");
  const uint64_t size = sizeBelow(Descriptor(openat(folder, root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
  SING_TRY(writeAll(making.lock(), key + "\n" + std::to_string(size) + "\n" + source + "\n"));
  // A name stands for everything that is behind it, also after the machine lost its power.
  if (syncfs(folder) != 0) return failed("write the unpacked image to the disk");
  UnpackedImage made;
  {
    const FolderLock lock(folder);
    if (!lock) return Fault{"lock the cache of unpacked images", EWOULDBLOCK};
    SING_TRY(makeRoom(folder, size, limit));
    // What has the name and is no image, since somebody removed a part of it.
    if (auto aside = setAside(folder, name); !aside && aside.fault().error != ENOENT) return aside.fault();
    if (renameat(folder, making.name().c_str(), folder, name.c_str()) != 0) return failed("name the unpacked image");
    made = {std::move(directory), making.keep(), true};
    if (flock(made.use.get(), LOCK_SH | LOCK_NB) != 0) return failed("lock the unpacked image");
  }
  // What had to make room.
  [[maybe_unused]] const auto removed = removeSetAside(folder);
  return made;
}

/// One that is there. ENOENT: there is none. With the folder locked.
Outcome<UnpackedImage> use(int folder, const std::string& name, const std::string& key) {
  auto entry = openEntry(folder, name);
  if (!entry) return entry.fault();
  if (entry->key != key) return refused("another image has the same name in the cache of unpacked images");
  if (flock(entry->lock.get(), LOCK_SH | LOCK_NB) != 0) return failed("lock the unpacked image");
  Descriptor root(openat(folder, (name + "/rootfs").c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return failed("open the unpacked image");
  futimens(entry->lock.get(), nullptr);
  return UnpackedImage{std::move(root), std::move(entry->lock), false};
}

}  // namespace

Outcome<UnpackedCache> UnpackedCache::find(const std::string& path) {
  std::vector<std::string> missing;
  std::string at = path;
  for (;;) {
    // The folder itself is no link: it would be somebody else's choice.
    Descriptor above(::open(at.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | (missing.empty() ? O_NOFOLLOW : 0)));
    if (above) return UnpackedCache(path, std::move(above), std::move(missing));
    if (errno != ENOENT || missing.size() == mostMissing) return failed("open " + at);
    const size_t slash = at.rfind('/');
    missing.insert(missing.begin(), at.substr(slash + 1));
    at = slash == 0 ? "/" : at.substr(0, slash);
  }
}

Status UnpackedCache::open(bool make) {
  if (!missing_.empty() && !make) return Fault{"open " + path_, ENOENT};
  for (const auto& name : missing_) {
    if (mkdirat(above_.get(), name.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder " + path_);
    Descriptor next(openat(above_.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return failed("open " + path_);
    above_ = std::move(next);
  }
  missing_.clear();
  folder_ = Descriptor(openat(above_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!folder_ || fstat(folder_.get(), &status) != 0) return failed("open " + path_);
  // A folder of a group hands its setgid down, which opens nothing.
  if (status.st_uid == geteuid() && (status.st_mode & 0777) == 0700) return {};
  char mode[8];
  snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777);
  return refused("Expected the folder " + path_ + " to be of mode 0700 and user " + std::to_string(geteuid()) + ", got mode " + mode + " and user " + std::to_string(status.st_uid));
}

Outcome<UnpackedImage> UnpackedCache::take(const ImagePart& part, const std::string& source, const Limits& limits) {
  SING_TRY(open(true));
  auto key = keyOf(part);
  if (!key) return key.fault();
  const std::string name = nameOfKey(*key);
  for (int attempt = 0; attempt < 2; ++attempt) {
    Descriptor other;
    std::optional<Making> making;
    {
      const FolderLock lock(folder_.get());
      if (!lock) return Fault{"lock the cache of unpacked images", EWOULDBLOCK};
      auto present = use(folder_.get(), name, *key);
      if (present || present.fault().error != ENOENT) return present;
      auto begun = beginMaking(folder_.get(), name, other);
      if (!begun) return begun.fault();
      if (*begun) making.emplace(std::move(**begun));
    }
    if (making) return make(folder_.get(), name, std::move(*making), *key, part, source, limits.size);
    // Until the other one is done with it, or has given up.
    if (!lockWithin(other.get(), limits.patience)) break;
  }
  return Fault{"wait for another start that unpacks the image", ETIMEDOUT};
}

Outcome<std::vector<std::string>> UnpackedCache::remove(const std::vector<std::string>& names) {
  SING_TRY(open(false));
  std::vector<std::string> used;
  {
    const FolderLock lock(folder_.get());
    if (!lock) return Fault{"lock the cache of unpacked images", EWOULDBLOCK};
    for (const auto& name : names) {
      if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos) return refused("Expected the name of an unpacked image, got " + name);
      const auto entry = openEntry(folder_.get(), name);
      if (entry && !lockedByNobody(*entry)) {
        used.push_back(name);
        continue;
      }
      // One without a key is nobody's.
      if (auto aside = setAside(folder_.get(), name); !aside && aside.fault().error != ENOENT) return aside.fault();
    }
    setLeftoversAside(folder_.get());
  }
  SING_TRY(removeSetAside(folder_.get()));
  return used;
}

}  // namespace sing
