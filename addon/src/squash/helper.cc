#include "helper.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "../core/capabilities.h"
#include "../core/tree.h"
#include "confine.h"
#include "image.h"
#include "operations.h"

namespace sing {

namespace {

// Blocks of at most 1 MiB in a few small caches, the tables, and requests one at a time: far below this.
constexpr uint64_t memoryLimit = 1u << 30;

/// Serves until the kernel says that the mount is gone.
int serveMount(sqfs_ll* image, int fuse) {
  char name[] = "sing";
  char* words[] = {name, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  const fuse_lowlevel_ops table = squashfsOperations();
  fuse_session* session = fuse_session_new(&arguments, &table, sizeof table, image);
  // libfuse takes this spelling for a descriptor on which the mount was made already.
  if (!session || fuse_session_mount(session, ("/dev/fd/" + std::to_string(fuse)).c_str()) != 0) return 1;
  // Everything that takes a right is done: the image is open, and mounted.
  if (!limitCapabilities(0)) return 1;
  if (!confine(Confinement::server, -1, memoryLimit)) return 1;
  return fuse_session_loop(session) == 0 ? 0 : 1;
}

/// The library keeps one block of data, so that a program whose reads alternate has every block decompressed again and again.
void enlargeCaches(sqfs* fs) {
  constexpr size_t dataBlocks = 16, fragmentBlocks = 8, metadataBlocks = 32;
  const auto resize = [](sqfs_cache* cache, size_t blocks) {
    sqfs_cache_destroy(cache);
    return sqfs_block_cache_init(cache, blocks) == SQFS_OK;
  };
  // The launcher sees the end of its helper and says so.
  if (!resize(&fs->data_cache, dataBlocks) || !resize(&fs->frag_cache, fragmentBlocks) || !resize(&fs->md_cache, metadataBlocks)) _exit(1);
}

struct Tree {
  Descriptor parent, userNamespace;
  std::string name;
};

/// Waits for the end of the launch and removes what was registered.
int cleanUp(const std::vector<Tree>& trees, int watched) {
  pollfd waiting{watched, POLLIN, 0};
  while (poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
  int status = 0;
  for (const auto& tree : trees) {
    if (tree.userNamespace) setns(tree.userNamespace.get(), CLONE_NEWUSER);
    if (!removeTree(tree.parent.get(), tree.name)) status = 1;
  }
  return status;
}

/// Leaves the caller's session, streams, directory and descriptors.
void detach(int channel, int watched, int image) {
  // A session of its own: what the terminal sends (Ctrl-C) is for the payload. Other signals are not for it either: it
  // has to outlive a payload that catches SIGTERM, and it ends by itself.
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "sing-image");
  closeAllBut({channel, watched, image});
  detachStandardStreams();
  [[maybe_unused]] const int moved = chdir("/");
}

int runHelper(int channel, int watched, const ImageHelper::Work& work) {
  detach(channel, watched, work.image);
  sqfs_ll served{};
  bool readable = false;
  if (work.serves) {
    auto opened = openSquashfs(&served.fs, work.image, work.offset, work.size);
    if (opened && sqfs_ll_init(&served) != SQFS_OK) opened = refused("The inode table of the image cannot be read");
    readable = static_cast<bool>(opened);
    if (readable) enlargeCaches(&served.fs);
    if (!sendMessage(channel, opened ? "" : opened.fault().sentence())) return 1;
  }
  std::vector<Tree> trees;
  // The channel closes when the launcher becomes the payload, or ends.
  while (auto order = receiveMessage(channel)) {
    if (order->descriptors.empty()) return 1;
    if (order->text == "serve") {
      if (!readable || !trees.empty()) return 1;
      close(channel);
      close(watched);
      return serveMount(&served, order->descriptors[0].release());
    }
    Tree tree{std::move(order->descriptors[0]), {}, order->text.substr(order->text.find(' ') + 1)};
    if (order->descriptors.size() > 1) tree.userNamespace = std::move(order->descriptors[1]);
    trees.push_back(std::move(tree));
    if (!sendMessage(channel, "")) break;
  }
  return trees.empty() ? 0 : cleanUp(trees, watched);
}

}  // namespace

Outcome<ImageHelper> ImageHelper::start(const Work& work) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int there = channel->there.get();
  const Descriptor self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) return failed("watch the own process");
  SING_TRY(forkOrphan([&] {
    channel->here.reset();
    return runHelper(there, self.get(), work);
  }));
  return ImageHelper(std::move(channel->here), work.serves);
}

Status ImageHelper::awaitReady() {
  readyPending_ = false;
  auto answer = receiveMessage(channel_.get());
  if (!answer) return refused("The image server ended before it had read the image");
  return answer->text.empty() ? Status() : Status(refused(answer->text));
}

Status ImageHelper::serve(int fuse) { return sendMessage(channel_.get(), "serve", {fuse}); }

Status ImageHelper::registerTree(int parent, const std::string& name, int userNamespace) {
  // Another way of mounting failed before its answer was of interest.
  if (readyPending_) [[maybe_unused]] const auto ready = awaitReady();
  const std::string text = "remove " + name;
  if (userNamespace >= 0) SING_TRY(sendMessage(channel_.get(), text, {parent, userNamespace}));
  else SING_TRY(sendMessage(channel_.get(), text, {parent}));
  return receiveMessage(channel_.get()) ? Status() : Status(refused("The process that cleans up ended too early"));
}

}  // namespace sing
