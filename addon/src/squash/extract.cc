#include "extract.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../core/channel.h"
#include "../core/files.h"
#include "confine.h"
#include "image.h"

extern "C" {
#include <squashfuse/xattr.h>
}

namespace sing {

namespace {

constexpr uint64_t memoryLimit = 2u << 30;
constexpr size_t maxEntries = 10'000'000;
constexpr size_t maxDepth = 512;
constexpr uint64_t maxBytes = uint64_t{256} << 30;  // apparent size of all files together
constexpr size_t maxXattr = 64u << 10;

bool isPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

class Extraction {
 public:
  Extraction(sqfs* fs, int target, const ExtractOptions& options)
      : fs_(fs), target_(target), owners_(options.owners), most_(options.most ? std::min(options.most, maxBytes) : maxBytes), buffer_(1u << 20) {}

  Status run() {
    sqfs_inode root{};
    if (sqfs_inode_get(fs_, &root, sqfs_inode_root(fs_)) != SQFS_OK) return damaged("/");
    if (!S_ISDIR(root.base.mode)) return refused("Expected a directory at the root of the image, got something else");
    const Descriptor own(fcntl(target_, F_DUPFD_CLOEXEC, 3));
    SING_TRY(fillDirectory(&root, own.get(), ""));
    return dressDirectory(&root, own.get(), "/");
  }

 private:
  static Fault damaged(const std::string& path) { return refused("The image is damaged at " + (path.empty() ? "/" : path)); }

  Status fillDirectory(sqfs_inode* inode, int directory, const std::string& path) {
    // A directory that contains itself, or is in two places, would never end.
    if (!directories_.insert(inode->base.inode_number).second) return refused("The image has the directory " + path + " in two places");
    if (++depth_ > maxDepth) return refused("The image nests directories deeper than " + std::to_string(maxDepth));
    sqfs_dir reading{};
    if (sqfs_dir_open(fs_, inode, &reading, 0) != SQFS_OK) return damaged(path);
    sqfs_name name;
    sqfs_dir_entry entry{};
    sqfs_dentry_init(&entry, name);
    sqfs_err error = SQFS_OK;
    while (sqfs_dir_next(fs_, &reading, &entry, &error)) {
      if (++entries_ > maxEntries) return refused("The image has more than " + std::to_string(maxEntries) + " files");
      const std::string_view text(sqfs_dentry_name(&entry), sqfs_dentry_name_size(&entry));
      if (!isPlainName(text)) return refused("The image has a file name in " + (path.empty() ? "/" : path) + " that is no name");
      const std::string own(text);
      sqfs_inode child{};
      if (sqfs_inode_get(fs_, &child, sqfs_dentry_inode(&entry)) != SQFS_OK) return damaged(path + "/" + own);
      SING_TRY(makeEntry(&child, directory, own, path + "/" + own));
    }
    --depth_;
    return error == SQFS_OK ? Status() : Status(damaged(path));
  }

  Status makeEntry(sqfs_inode* inode, int directory, const std::string& name, const std::string& path) {
    switch (inode->base.mode & S_IFMT) {
      case S_IFDIR: return makeDirectory(inode, directory, name, path);
      case S_IFREG: return makeFile(inode, directory, name, path);
      case S_IFLNK: return makeLink(inode, directory, name, path);
      case S_IFCHR:
      case S_IFBLK:
      case S_IFIFO:
      case S_IFSOCK: return makeSpecial(inode, directory, name, path);
      default: return damaged(path);
    }
  }

  Status makeDirectory(sqfs_inode* inode, int directory, const std::string& name, const std::string& path) {
    if (mkdirat(directory, name.c_str(), 0700) != 0) return failed("make directory " + path);
    const Descriptor made(openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return failed("open directory " + path);
    SING_TRY(fillDirectory(inode, made.get(), path));
    return dressDirectory(inode, made.get(), path);
  }

  Status makeFile(sqfs_inode* inode, int directory, const std::string& name, const std::string& path) {
    if (inode->nlink > 1) {
      const auto [first, fresh] = linked_.try_emplace(inode->base.inode_number, path.substr(1));
      if (!fresh) {
        if (linkat(target_, first->second.c_str(), directory, name.c_str(), 0) != 0) return failed("link " + path);
        return {};
      }
    }
    const Descriptor file(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failed("make file " + path);
    SING_TRY(copyContent(inode, file.get(), path));
    return dress(inode, file.get(), path);
  }

  Status copyContent(sqfs_inode* inode, int file, const std::string& path) {
    const uint64_t size = inode->xtra.reg.file_size;
    if (size > most_ || (bytes_ += size) > most_) {
      return refused("The files of the image are larger than " + std::to_string(most_ >> 20) + " MiB");
    }
    bool hole = false;
    for (uint64_t at = 0; at < size;) {
      auto length = static_cast<sqfs_off_t>(std::min<uint64_t>(buffer_.size(), size - at));
      if (sqfs_read_range(fs_, inode, static_cast<sqfs_off_t>(at), &length, buffer_.data()) != SQFS_OK || length <= 0) return damaged(path);
      const auto got = static_cast<size_t>(length);
      // Zeros are left out, so that a sparse file stays one.
      hole = buffer_[0] == 0 && memcmp(buffer_.data(), buffer_.data() + 1, got - 1) == 0;
      if (!hole) {
        if (auto written = writeAll(file, {buffer_.data(), got}); !written) return Fault{"write " + path, written.fault().error};
      } else if (lseek(file, length, SEEK_CUR) < 0) {
        return failed("write " + path);
      }
      at += got;
    }
    if (hole && ftruncate(file, static_cast<off_t>(size)) != 0) return failed("write " + path);
    return {};
  }

  Status makeLink(sqfs_inode* inode, int directory, const std::string& name, const std::string& path) {
    if (inode->xtra.symlink_size == 0 || inode->xtra.symlink_size >= 4096) return damaged(path);
    char text[4097];
    size_t size = sizeof text;
    if (sqfs_readlink(fs_, inode, text, &size) != SQFS_OK || text[0] == '\0') return damaged(path);
    if (symlinkat(text, directory, name.c_str()) != 0) return failed("make link " + path);
    own(inode, [&](uid_t uid, gid_t gid) { return fchownat(directory, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); });
    stamp(inode, directory, name.c_str(), AT_SYMLINK_NOFOLLOW);
    return {};
  }

  Status makeSpecial(sqfs_inode* inode, int directory, const std::string& name, const std::string& path) {
    const bool device = S_ISCHR(inode->base.mode) || S_ISBLK(inode->base.mode);
    const dev_t number = device ? makedev(inode->xtra.dev.major, inode->xtra.dev.minor) : 0;
    if (mknodat(directory, name.c_str(), (inode->base.mode & S_IFMT) | 0600, number) != 0) {
      // Nobody but the administrator may make devices; the container's /dev does not come from the image.
      if (device && errno == EPERM) return {};
      return failed("make special file " + path);
    }
    own(inode, [&](uid_t uid, gid_t gid) { return fchownat(directory, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); });
    if (fchmodat(directory, name.c_str(), inode->base.mode & 07777, 0) != 0) return failed("set the mode of " + path);
    stamp(inode, directory, name.c_str(), AT_SYMLINK_NOFOLLOW);
    return {};
  }

  Status dressDirectory(sqfs_inode* inode, int directory, const std::string& path) { return dress(inode, directory, path); }

  /// Owner, extended attributes, mode and time of an open file or directory. The mode comes after the owner, which clears setuid.
  Status dress(sqfs_inode* inode, int file, const std::string& path) {
    own(inode, [&](uid_t uid, gid_t gid) { return fchown(file, uid, gid); });
    SING_TRY(copyAttributes(inode, file, path));
    if (fchmod(file, inode->base.mode & 07777) != 0) return failed("set the mode of " + path);
    const timespec times[2] = {{static_cast<time_t>(inode->base.mtime), 0}, {static_cast<time_t>(inode->base.mtime), 0}};
    if (futimens(file, times) != 0) return failed("set the time of " + path);
    return {};
  }

  template <typename Change>
  void own(sqfs_inode* inode, const Change& change) {
    sqfs_id_t uid = 0, gid = 0;
    if (!owners_ || sqfs_id_get(fs_, inode->base.uid, &uid) != SQFS_OK || sqfs_id_get(fs_, inode->base.guid, &gid) != SQFS_OK) return;
    // An id that the namespace does not map cannot be given: the file stays with the process, as runtimes without sub-ids do.
    [[maybe_unused]] const int changed = change(uid, gid);
  }

  static void stamp(sqfs_inode* inode, int directory, const char* name, int flags) {
    const timespec times[2] = {{static_cast<time_t>(inode->base.mtime), 0}, {static_cast<time_t>(inode->base.mtime), 0}};
    utimensat(directory, name, times, flags);
  }

  /// File capabilities and the user's own attributes; other kinds belong to the machine that the image was made on.
  Status copyAttributes(sqfs_inode* inode, int file, const std::string& path) {
    sqfs_xattr reading{};
    if (sqfs_xattr_open(fs_, inode, &reading) != SQFS_OK) return damaged(path);
    while (reading.remain > 0) {
      if (sqfs_xattr_read(&reading) != SQFS_OK) return damaged(path);
      const size_t nameSize = sqfs_xattr_name_size(&reading);
      size_t valueSize = 0;
      if (sqfs_xattr_value_size(&reading, &valueSize) != SQFS_OK || nameSize > 255 || valueSize > maxXattr) return damaged(path);
      std::string name(nameSize, '\0'), value(valueSize, '\0');
      if (sqfs_xattr_name(&reading, name.data(), true) != SQFS_OK || sqfs_xattr_value(&reading, value.data()) != SQFS_OK) return damaged(path);
      if (name == "security.capability" || name.starts_with("user.")) fsetxattr(file, name.c_str(), value.data(), value.size(), 0);
    }
    return {};
  }

  sqfs* fs_;
  int target_;
  bool owners_;
  uint64_t most_;
  std::vector<char> buffer_;
  std::unordered_set<uint32_t> directories_;
  std::unordered_map<uint32_t, std::string> linked_;
  size_t entries_ = 0, depth_ = 0;
  uint64_t bytes_ = 0;
};

Status extractHere(int image, int directory, const ExtractOptions& options) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  umask(0);
  SING_TRY(confine(Confinement::extractor, {.tree = directory}, memoryLimit));
  sqfs fs{};
  SING_TRY(openSquashfs(&fs, image, options.offset, options.size));
  return Extraction(&fs, directory, options).run();
}

}  // namespace

Status extractSquashfs(int image, int directory, const ExtractOptions& options) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int line = channel->there.get();
  auto child = forkChild([&]() -> int {
    channel->here.reset();
    closeAllBut({line, image, directory});
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto done = extractHere(image, directory, options);
    return sendMessage(line, done ? "" : done.fault().sentence()) ? 0 : 1;
  });
  if (!child) return child.fault();
  channel->there.reset();
  auto answer = receiveMessage(channel->here.get());
  waitFor(*child);
  if (!answer) return refused("The process that unpacks the image ended before it was done");
  return answer->text.empty() ? Status() : Status(refused(answer->text));
}

}  // namespace sing
