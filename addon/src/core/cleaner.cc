#include "cleaner.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sing {

namespace {

void keepFirst(Status& kept, Status fresh) {
  if (kept && !fresh) kept = std::move(fresh);
}

Status emptyDirectory(Descriptor directory) {
  DIR* stream = fdopendir(directory.get());
  if (!stream) return failed("read a directory");
  directory.release();
  Status result;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") keepFirst(result, removeTree(dirfd(stream), name));
  }
  closedir(stream);
  return result;
}

struct Tree {
  Descriptor parent, userNamespace;
  std::string name;
};

int runCleaner(int channel, int watched) {
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "sing-cleaner");
  closeAllBut({channel, watched});
  detachStandardStreams();
  if (chdir("/") != 0) return 1;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  std::vector<Tree> trees;
  // The channel closes when the launcher becomes the payload, or ends.
  while (auto message = receiveMessage(channel)) {
    if (message->descriptors.empty()) return 1;
    Tree tree{std::move(message->descriptors[0]), {}, message->text};
    if (message->descriptors.size() > 1) tree.userNamespace = std::move(message->descriptors[1]);
    trees.push_back(std::move(tree));
    if (!sendMessage(channel, "")) break;
  }
  if (trees.empty()) return 0;
  pollfd waiting{watched, POLLIN, 0};
  while (poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
  int status = 0;
  for (auto& tree : trees) {
    if (tree.userNamespace) setns(tree.userNamespace.get(), CLONE_NEWUSER);
    if (!removeTree(tree.parent.get(), tree.name)) status = 1;
  }
  return status;
}

}  // namespace

Status removeTree(int parent, const std::string& name) {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failed("remove " + name);
  // The owner of a directory that nobody may write may still change that.
  Descriptor directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && errno == EACCES && fchmodat(parent, name.c_str(), 0700, 0) == 0) {
    directory = Descriptor(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!directory) return failed("open " + name);
  struct stat status {};
  if (fstat(directory.get(), &status) == 0 && (status.st_mode & 0700) != 0700) fchmod(directory.get(), 0700);
  Status result = emptyDirectory(std::move(directory));
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) keepFirst(result, failed("remove directory " + name));
  return result;
}

Outcome<Cleaner> Cleaner::start() {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int there = channel->there.get();
  const Descriptor self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) return failed("watch the own process");
  SING_TRY(forkOrphan([&] {
    channel->here.reset();
    return runCleaner(there, self.get());
  }));
  return Cleaner(std::move(channel->here));
}

Status Cleaner::registerTree(int parent, const std::string& name, int userNamespace) {
  if (userNamespace >= 0) SING_TRY(sendMessage(channel_.get(), name, {parent, userNamespace}));
  else SING_TRY(sendMessage(channel_.get(), name, {parent}));
  auto answer = receiveMessage(channel_.get());
  return answer ? Status() : Status(refused("The process that cleans up ended too early"));
}

}  // namespace sing
