#include "ext3.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>

namespace sing {

namespace {

constexpr size_t superblock = 1024;

// What ext3 is. Anything else is newer, and parsed by code that nobody has to trust for an ext3.
constexpr uint32_t journal = 0x4;                              // has_journal
constexpr uint32_t knownIncompatible = 0x2 | 0x4 | 0x10;       // filetype, recover, meta_bg
constexpr uint32_t knownReadOnlyCompatible = 0x1 | 0x2 | 0x4;  // sparse_super, large_file, btree_dir
constexpr uint32_t largestBlock = 6;                           // 64 KiB

template <typename T>
T field(const std::string& head, size_t offset) {
  T value{};
  memcpy(&value, head.data() + superblock + offset, sizeof value);
  return value;
}

/// Seconds that a start waits for another one that is just ending: its file system is written to the end first.
constexpr int patience = 2;

void onAlarm(int) {}

/// fcntl with F_OFD_SETLKW that gives up after `patience`.
int lockPatiently(int image, struct flock& lock) {
  if (fcntl(image, F_OFD_SETLK, &lock) == 0) return 0;
  if (errno != EAGAIN && errno != EACCES) return -1;
  struct sigaction interrupt {}, before {};
  interrupt.sa_handler = onAlarm;
  sigaction(SIGALRM, &interrupt, &before);
  sigset_t alarmOnly, mask;
  sigemptyset(&alarmOnly);
  sigaddset(&alarmOnly, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarmOnly, &mask);
  itimerval timer{}, pending{};
  timer.it_value.tv_sec = patience;
  // Again and again: the first one could come before the call below waits.
  timer.it_interval.tv_usec = 100'000;
  setitimer(ITIMER_REAL, &timer, &pending);
  const int result = fcntl(image, F_OFD_SETLKW, &lock);
  const int error = errno;
  setitimer(ITIMER_REAL, &pending, nullptr);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  errno = error == EINTR ? EAGAIN : error;
  return result;
}

}  // namespace

bool looksLikeExt(const std::string& head) { return head.size() >= ext3Head && field<uint16_t>(head, 56) == 0xEF53; }

std::optional<std::string> ext3Problem(const std::string& head, uint64_t size) {
  if (!looksLikeExt(head)) return "Expected an ext3 in the image, got something else";
  const auto compatible = field<uint32_t>(head, 92), incompatible = field<uint32_t>(head, 96), readOnly = field<uint32_t>(head, 100);
  if (!(compatible & journal)) return "Expected an ext3 with a journal, got one without";
  if (incompatible & ~knownIncompatible || readOnly & ~knownReadOnlyCompatible) return "The ext3 of the image has features that ext3 does not know";
  const auto blockShift = field<uint32_t>(head, 24), blocks = field<uint32_t>(head, 4);
  if (blockShift > largestBlock) return "The ext3 of the image has blocks of an impossible size";
  if (uint64_t{blocks} << (10 + blockShift) > size) return "The ext3 of the image is larger than its place in the file (is it cut off?)";
  return std::nullopt;
}

Status checkExt3(int image, uint64_t offset, uint64_t size) {
  std::string head(ext3Head, '\0');
  if (pread(image, head.data(), head.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(head.size())) return refused("The ext3 of the image is cut off");
  struct stat status {};
  if (fstat(image, &status) != 0) return failed("look at the image");
  // The file may have become shorter since it was described.
  if (offset > static_cast<uint64_t>(status.st_size) || size > static_cast<uint64_t>(status.st_size) - offset) return refused("The ext3 of the image is cut off");
  if (auto problem = ext3Problem(head, size)) return refused(*problem);
  return {};
}

Status lockImage(int image, uint64_t offset, uint64_t size, bool writable, const std::string& path) {
  struct flock lock {};
  lock.l_type = writable ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = static_cast<off_t>(size);
  if (lockPatiently(image, lock) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    return refused(writable ? "can't open " + path + " for writing, currently in use by another process"
                            : "can't open " + path + " for reading, currently in use for writing by another process");
  }
  // A file system without locks is no reason not to read.
  if (!writable && (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL)) return {};
  return failed("lock " + path);
}

}  // namespace sing
