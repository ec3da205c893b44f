#include "helper.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "../core/tree.h"
#include "background.h"
#include "leftovers.h"
#include "serving.h"

namespace sing {

namespace {

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
    removeLeftovers(tree.parent.get());
  }
  return status;
}

/// `launch` is the process that `watched` is a descriptor of.
int runHelper(int channel, int watched, pid_t launch, const ImageHelper::Work& work) {
  leaveCaller({channel, watched, work.image});
  // The payload may see it, and must not find the root of the host in it.
  if (work.inside) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (work.inside && unshare(CLONE_NEWNS) != 0) return 1;
  ServedImage served;
  bool readable = false;
  if (work.serves) {
    const auto opened = served.open({work.image, work.offset, work.size});
    readable = static_cast<bool>(opened);
    if (!sendMessage(channel, opened ? "" : opened.fault().sentence())) return 1;
  }
  std::vector<Tree> trees;
  std::vector<Descriptor> held;
  // The channel closes when the launcher becomes the payload, or ends.
  while (auto order = receiveMessage(channel)) {
    if (order->descriptors.empty()) return 1;
    if (order->text == "serve") {
      if (!readable || !trees.empty()) return 1;
      close(channel);
      close(watched);
      served.serve(order->descriptors[0].release(), -1);
    }
    if (order->text == "hold") {
      held.push_back(std::move(order->descriptors[0]));
      if (!sendMessage(channel, "")) break;
      continue;
    }
    Tree tree{std::move(order->descriptors[0]), {}, nameOfRun(launch)};
    if (tree.name.empty()) return 1;
    if (order->descriptors.size() > 1) tree.userNamespace = std::move(order->descriptors[1]);
    trees.push_back(std::move(tree));
    if (!sendMessage(channel, trees.back().name)) break;
  }
  return trees.empty() && held.empty() ? 0 : cleanUp(trees, watched);
}

}  // namespace

Outcome<ImageHelper> ImageHelper::start(const Work& work) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int there = channel->there.get();
  const pid_t launch = getpid();
  const Descriptor self(static_cast<int>(syscall(SYS_pidfd_open, launch, 0)));
  if (!self) return failed("watch the own process");
  SING_TRY(forkOrphan(
      [&] {
        channel->here.reset();
        return runHelper(there, self.get(), launch, work);
      },
      backgroundName));
  return ImageHelper(std::move(channel->here), work.serves);
}

void ImageHelper::takeReady() {
  if (!std::exchange(readyPending_, false)) return;
  auto answer = receiveMessage(channel_.get());
  if (!answer) ready_ = refused("The image server ended before it had read the image");
  else if (!answer->text.empty()) ready_ = refused(answer->text);
}

Status ImageHelper::awaitReady() {
  takeReady();
  if (ordered_) return refused("The image server has another task already, of a way of mounting that was tried before");
  return ready_;
}

Status ImageHelper::serve(int fuse) { return sendMessage(channel_.get(), "serve", {fuse}); }

Outcome<std::string> ImageHelper::registerTree(int parent, int userNamespace) {
  auto name = userNamespace >= 0 ? order("remove", {parent, userNamespace}) : order("remove", {parent});
  // That process may have read the image.
  if (name && (name->empty() || name->find('/') != std::string::npos || name->front() == '.')) return refused("The process that cleans up gave no name");
  return name;
}

Status ImageHelper::hold(int descriptor) {
  SING_TRY(order("hold", {descriptor}));
  return {};
}

Outcome<std::string> ImageHelper::order(const std::string& text, std::initializer_list<int> descriptors) {
  // Another way of mounting failed before its answer was of interest.
  takeReady();
  ordered_ = true;
  SING_TRY(sendMessage(channel_.get(), text, descriptors));
  auto answer = receiveMessage(channel_.get());
  if (!answer) return refused("The process that cleans up ended too early");
  return std::move(answer->text);
}

}  // namespace sing
