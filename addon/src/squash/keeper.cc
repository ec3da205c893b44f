#include "keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "../core/capabilities.h"
#include "../core/channel.h"
#include "../core/loop.h"
#include "../core/mounting.h"
#include "../core/namespaces.h"
#include "background.h"
#include "confine.h"
#include "serving.h"

namespace sing {

namespace {

constexpr uint64_t capSysAdmin = uint64_t{1} << 21;
constexpr uint64_t keeperMemory = 256u << 20;
constexpr int64_t second = 1000;
/// A server that has not answered by then is taken for stopped.
constexpr int64_t longestSilence = 3 * second;
/// A start sends its request right after it has connected.
constexpr int64_t longestRequest = 5 * second;
/// Starts beyond these are served, but not waited for: their mounts stay all the same.
constexpr size_t mostStarts = 384;
constexpr size_t mostConnections = 384;
/// Whatever the image says, in every copy.
constexpr plan::MountFlags imageFlags{.readOnly = true, .nosuid = true, .nodev = true};

int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second + time.tv_nsec / 1'000'000;
}

int pollFor(pollfd* waiting, size_t count, int64_t milliseconds) {
  timespec limit{milliseconds / second, milliseconds % second * 1'000'000};
  return ppoll(waiting, count, milliseconds < 0 ? nullptr : &limit, nullptr);
}

bool isPeer(int connection, uid_t user) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == user;
}

/// The server's process: says whether it could read the image, waits for the device of the mount, and serves.
int runServer(const ImagePart& part, int line) {
  closeAllBut({part.image, line});
  ServedImage served;
  const auto opened = served.open(part);
  if (!sendMessage(line, opened ? "" : opened.fault().sentence()) || !opened) return 1;
  auto order = receiveMessage(line);
  if (!order || order->descriptors.size() != 1) return 1;
  served.serve(order->descriptors[0].release(), line);
}

/// What a keeper begins with: a server, for which it makes the mount, or a mount of the kernel and the process that made it.
struct Beginning {
  Descriptor server, mount, start;
};

class Keeper {
 public:
  Keeper(const KeeperWork& work, int listener, ino_t inode, SocketFolder folder, Beginning beginning)
      : work_(work), listener_(listener), inode_(inode), folder_(std::move(folder)), server_(std::move(beginning.server)), mount_(std::move(beginning.mount)) {
    if (beginning.start) starts_.push_back(std::move(beginning.start));
  }

  int run() {
    const auto mounted = makeMount();
    if (!mounted) return refuseAll(mounted.fault().sentence());
    lastUse_ = now();
    while (!isOver()) waitOnce();
    folder_.withdraw(work_.socketName, inode_);
    return 0;
  }

 private:
  struct Connection {
    Descriptor line;
    int64_t until;
  };

  Status makeMount() {
    plan::Namespaces own;
    own.user.emplace();
    own.user->uidMap = {{geteuid(), geteuid(), 1}};
    own.user->gidMap = {{getegid(), getegid(), 1}};
    std::optional<IdMapHelper> nobody;
    SING_TRY(enterNamespaces(own, nobody));
    SING_TRY(setPropagation(false));
    if (server_) SING_TRY(mountFuse());
    SING_TRY(enterOwnRoot());
    SING_TRY(awaitServer());
    SING_TRY(limitCapabilities(capSysAdmin));
    return confine(Confinement::keeper, {.sockets = folder_.folder(), .above = folder_.above()}, keeperMemory);
  }

  Status mountFuse() {
    // Opened in the user namespace that mounts: the kernel asks for that.
    const Descriptor fuse(open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!fuse) return failed("open /dev/fuse");
    auto mounted = newFuseMount(fuse.get(), work_.image.path, false, imageFlags);
    if (!mounted) return mounted.fault();
    mount_ = std::move(*mounted);
    // A server that is gone left its reason.
    [[maybe_unused]] const auto ordered = sendMessage(server_.get(), "serve", {fuse.get()});
    return {};
  }

  /// It has read the image meanwhile.
  Status awaitServer() {
    if (!server_) return {};
    auto ready = receiveMessage(server_.get());
    if (!ready) return refused("The image server ended before it had read the image");
    return ready->text.empty() ? Status() : Status(refused(ready->text));
  }

  /// An empty file system with the image in it becomes all that there is: nothing of the host is held by this process.
  Status enterOwnRoot() {
    const Descriptor place(open(work_.mountPoint.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!place) return failed("open " + work_.mountPoint);
    auto root = newFileSystem("tmpfs", "sing-image", {{"mode", "0700"}, {"size", "64k"}}, {.nosuid = true, .nodev = true, .noexec = true});
    if (!root) return root.fault();
    SING_TRY(attach(root->get(), place.get()));
    if (mkdirat(root->get(), "image", 0700) != 0) return failed("make the mount point of the image");
    const Descriptor target(openat(root->get(), "image", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target) return failed("open the mount point of the image");
    SING_TRY(attach(mount_.get(), target.get()));
    if (fchdir(root->get()) != 0) return failed("enter the own root");
    return changeRoot();
  }

  /// There is no mount to give: the starts that wait are told why.
  int refuseAll(const std::string& why) {
    folder_.withdraw(work_.socketName, inode_);
    for (int connection; (connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      const Descriptor line(connection);
      [[maybe_unused]] const auto told = sendMessage(line.get(), why);
    }
    return 1;
  }

  bool isOver() const {
    return ended_ || (starts_.empty() && connections_.empty() && now() >= idleEnd());
  }

  int64_t idleEnd() const { return lastUse_ + static_cast<int64_t>(work_.idleSeconds) * second; }

  int64_t patience() const {
    int64_t until = starts_.empty() && connections_.empty() ? idleEnd() : INT64_MAX;
    for (const auto& connection : connections_) until = std::min(until, connection.until);
    return until == INT64_MAX ? -1 : std::max<int64_t>(0, until - now());
  }

  void waitOnce() {
    std::vector<pollfd> waiting = {{server_.get(), POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& connection : connections_) waiting.push_back({connection.line.get(), POLLIN, 0});
    for (const auto& start : starts_) waiting.push_back({start.get(), POLLIN, 0});
    if (pollFor(waiting.data(), waiting.size(), patience()) < 0) return;
    // It says nothing unasked: this is its end. Where there is none, nothing comes.
    if (waiting[0].revents) {
      ended_ = true;
      return;
    }
    size_t index = 2;
    const int64_t time = now();
    std::erase_if(connections_, [&](const Connection& connection) {
      if (waiting[index++].revents == 0) return time >= connection.until;
      answer(connection.line.get());
      return true;
    });
    const size_t before = starts_.size();
    // Starts that were just added come after those that were waited for.
    std::erase_if(starts_, [&](const Descriptor&) { return index < waiting.size() && waiting[index++].revents != 0; });
    if (starts_.size() < before) lastUse_ = time;
    if (waiting[1].revents) acceptAll();
  }

  void acceptAll() {
    for (int connection; (connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      Descriptor line(connection);
      if (isPeer(line.get(), user_) && connections_.size() < mostConnections) connections_.push_back({std::move(line), now() + longestRequest});
    }
    // No descriptor is left for those who wait: they get another server.
    if (errno == EMFILE || errno == ENFILE) ended_ = true;
  }

  /// A request is the key, with a descriptor of the process that starts the container.
  void answer(int line) {
    auto request = receiveMessage(line);
    // Another start that only looked whether somebody is here.
    if (!request) return;
    if (request->text != work_.key || request->descriptors.size() != 1) {
      [[maybe_unused]] const auto told = sendMessage(line, "Expected a start of the same image by the same program, got another request");
      return;
    }
    if (!isServerAlive()) {
      // The start sees the end of this process, and makes a new one.
      ended_ = true;
      return;
    }
    auto copy = cloneMount(mount_.get(), false);
    [[maybe_unused]] const auto sent = copy ? sendMessage(line, "", {copy->get()}) : sendMessage(line, copy.fault().sentence());
    lastUse_ = now();
    if (starts_.size() < mostStarts) starts_.push_back(std::move(request->descriptors[0]));
  }

  bool isServerAlive() {
    if (!server_) return true;
    if (!sendMessage(server_.get(), "")) return false;
    pollfd waiting{server_.get(), POLLIN, 0};
    return pollFor(&waiting, 1, longestSilence) == 1 && receiveMessage(server_.get());
  }

  const KeeperWork& work_;
  const uid_t user_ = geteuid();
  int listener_;
  ino_t inode_;
  SocketFolder folder_;
  Descriptor server_, mount_;
  std::vector<Connection> connections_;
  std::vector<Descriptor> starts_;
  int64_t lastUse_ = 0;
  bool ended_ = false;
};

/// A mount for this process, and one for the keeper.
Outcome<std::vector<Descriptor>> mountByKernel(const plan::ImageFile& image) {
  const Descriptor limit(open("/proc/sys/user/max_user_namespaces", O_RDONLY | O_CLOEXEC));
  char first = 0;
  if (limit && read(limit.get(), &first, 1) == 1 && first == '0') return refused("Nobody can keep it: user namespaces are off (user.max_user_namespaces = 0)");
  return newLoopMounts(image, true, imageFlags, 2);
}

int runKeeper(const KeeperWork& work, int listener, ino_t inode, const SocketFolder& inherited, Beginning beginning) {
  const bool serves = !beginning.mount;
  leaveCaller({listener, serves ? work.image.handle : beginning.mount.get(), beginning.start.get(), inherited.folder(), inherited.above()});
  auto folder = inherited.again();
  if (!folder) return 1;
  close(inherited.folder());
  close(inherited.above());
  if (!serves) return Keeper(work, listener, inode, std::move(*folder), std::move(beginning)).run();
  auto channel = openChannel();
  if (!channel) return 1;
  // Before the namespaces: a server inside would keep the mount that it serves alive for ever.
  const auto server = forkChild([&] { return runServer(partOf(work.image), channel->there.get()); });
  if (!server) return 1;
  channel->there.reset();
  close(work.image.handle);
  return Keeper(work, listener, inode, std::move(*folder), {.server = std::move(channel->here)}).run();
}

}  // namespace

Outcome<Descriptor> startKeeper(const KeeperWork& work, PublishedSocket socket, const SocketFolder& folder) {
  Descriptor own;
  Beginning beginning;
  if (work.by == plan::SharedBy::loop) {
    auto mounts = mountByKernel(work.image);
    // Without its errno, by which the caller knows a socket that is gone.
    if (!mounts) return refused(mounts.fault().sentence());
    own = std::move(mounts->front());
    beginning.mount = std::move(mounts->back());
    beginning.start = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  }
  SING_TRY(forkOrphan([&] { return runKeeper(work, socket.listener.get(), socket.inode, folder, std::move(beginning)); }, backgroundName));
  return own;
}

}  // namespace sing
