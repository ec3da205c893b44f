#include "share.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>

#include "../core/channel.h"
#include "../core/loop.h"

namespace sing {

namespace {

/// How often a server may end just when it is asked.
constexpr int attempts = 3;

bool isGone(const Fault& fault) { return fault.error == ENOENT || fault.error == ECONNREFUSED; }

/// Where a mount is to be asked for, or the mount, when there was nobody to ask.
struct Reached {
  Descriptor connection, mount;
};

/// Connects, and starts a keeper when nobody listens.
Outcome<Reached> reachKeeper(const SocketFolder& folder, const KeeperWork& work) {
  auto connection = folder.connect(work.socketName);
  if (connection) return Reached{std::move(*connection), {}};
  if (!isGone(connection.fault())) return connection.fault();
  auto published = folder.publish(work.socketName);
  if (!published && published.fault().error != EEXIST) return published.fault();
  Reached reached;
  if (!published || work.by == plan::SharedBy::fuse) {
    // In the queue before anybody could end: a server that cannot serve says so to those who wait.
    connection = folder.connect(work.socketName);
    if (!connection) return connection.fault();
    reached.connection = std::move(*connection);
  }
  if (!published) return reached;
  const ino_t inode = published->inode;
  auto mount = startKeeper(work, std::move(*published), folder);
  if (!mount) {
    folder.withdraw(work.socketName, inode);
    return mount.fault();
  }
  reached.mount = std::move(*mount);
  return reached;
}

/// Nothing: the server ended before it answered.
Outcome<std::optional<Descriptor>> ask(int connection, const std::string& key, int patience) {
  const Descriptor self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) return failed("watch the own process");
  // Where that fails it ended, and may have said why.
  [[maybe_unused]] const auto sent = sendMessage(connection, key, {self.get()});
  pollfd waiting{connection, POLLIN, 0};
  int ready = 0;
  while ((ready = poll(&waiting, 1, patience)) < 0 && errno == EINTR) {
  }
  if (ready <= 0) return Fault{"wait for the image server", ETIMEDOUT};
  auto answer = receiveMessage(connection);
  if (!answer) return std::optional<Descriptor>();
  if (!answer->text.empty()) return refused(answer->text);
  if (answer->descriptors.size() != 1) return refused("Expected a mount from the image server, got something else");
  return std::optional(std::move(answer->descriptors[0]));
}

Outcome<Descriptor> checked(const ShareRequest& request, Descriptor mount) {
  if (request.by == plan::SharedBy::loop) SING_TRY(checkLoopMount(mount.get(), request.image));
  return mount;
}

}  // namespace

Outcome<Descriptor> shareImage(const ShareRequest& request) {
  auto key = sharedKey(partOf(request.image), request.by, request.idleSeconds);
  if (!key) return key.fault();
  const KeeperWork work{request.image, request.by, *key, request.mountPoint, request.idleSeconds, nameOfKey(*key)};
  Fault last = refused("The image server ended as often as it was asked");
  for (int attempt = 0; attempt < attempts; ++attempt) {
    // Anew each time: a server that ends takes the folder away when it is the last one.
    auto folder = SocketFolder::open(request.folder);
    if (!folder) return folder.fault();
    auto reached = reachKeeper(*folder, work);
    if (!reached) {
      last = reached.fault();
      if (isGone(last)) continue;
      return last;
    }
    if (reached->mount) return std::move(reached->mount);
    const ino_t inode = folder->inodeOf(work.socketName);
    auto answer = ask(reached->connection.get(), *key, request.patience);
    if (!answer) {
      if (answer.fault().error == ETIMEDOUT) folder->withdraw(work.socketName, inode);
      return answer.fault();
    }
    if (*answer) return checked(request, std::move(**answer));
  }
  return last;
}

}  // namespace sing
