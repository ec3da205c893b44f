#include "socket_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <vector>

namespace sing {

namespace {

constexpr size_t mostSockets = 256;

/// What is made here has exactly its mode, whatever the caller's umask.
class ExactModes {
 public:
  ExactModes() : before_(umask(077)) {}
  ~ExactModes() { umask(before_); }

 private:
  mode_t before_;
};

/// Held while a socket is made or removed: microseconds. Who holds it longer is stopped, and nobody waits for that.
class FolderLock {
 public:
  explicit FolderLock(int folder) : folder_(folder) {
    for (int tries = 0; tries < 500 && !held_; ++tries) {
      held_ = flock(folder, LOCK_EX | LOCK_NB) == 0;
      if (held_ || errno != EWOULDBLOCK) return;
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }
  ~FolderLock() {
    if (held_) flock(folder_, LOCK_UN);
  }
  explicit operator bool() const { return held_; }

 private:
  int folder_;
  bool held_ = false;
};

std::string modeText(mode_t mode) {
  char text[8];
  snprintf(text, sizeof text, "%04o", mode & 07777);
  return text;
}

Status checkFolder(int folder, const std::string& path) {
  struct stat status {};
  if (fstat(folder, &status) != 0) return failed("look at " + path);
  if (status.st_uid == geteuid() && (status.st_mode & 07777) == 0700) return {};
  return refused("Expected the folder " + path + " to be of mode 0700 and user " + std::to_string(geteuid()) + ", got mode " +
                 modeText(status.st_mode) + " and user " + std::to_string(status.st_uid));
}

Outcome<Descriptor> newSocket() {
  Descriptor made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return failed("make a socket");
  return made;
}

sockaddr_un addressFrom(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

Status checkPeer(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return failed("ask who listens");
  if (peer.uid == geteuid()) return {};
  return refused("Expected an image server of user " + std::to_string(geteuid()) + ", got one of user " + std::to_string(peer.uid));
}

}  // namespace

Outcome<SocketFolder> SocketFolder::open(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash), name = path.substr(slash + 1);
  Descriptor above(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!above) return failed("open " + parent);
  {
    const ExactModes modes;
    if (mkdirat(above.get(), name.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder " + path);
  }
  Descriptor folder(openat(above.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return failed("open " + path);
  SING_TRY(checkFolder(folder.get(), path));
  return SocketFolder(std::move(folder), std::move(above), name);
}

Outcome<SocketFolder> SocketFolder::again() const {
  Descriptor folder(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), above(fcntl(above_.get(), F_DUPFD_CLOEXEC, 3));
  if (!folder || !above) return failed("open the folder of the socket again");
  return SocketFolder(std::move(folder), std::move(above), name_);
}

std::string SocketFolder::addressOf(const std::string& name) const {
  // By descriptor: what was checked is what is used, and the length of the folder's path does not matter.
  return "/proc/self/fd/" + std::to_string(folder_.get()) + "/" + name;
}

Outcome<Descriptor> SocketFolder::connect(const std::string& name) const {
  auto connection = newSocket();
  if (!connection) return connection;
  const sockaddr_un address = addressFrom(addressOf(name));
  if (::connect(connection->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("connect to the image server");
  SING_TRY(checkPeer(connection->get()));
  return connection;
}

Outcome<PublishedSocket> SocketFolder::publish(const std::string& name) const {
  const FolderLock lock(folder_.get());
  if (!lock) return Fault{"lock the folder of the image servers", EWOULDBLOCK};
  auto present = connect(name);
  if (present || (present.fault().error != ENOENT && present.fault().error != ECONNREFUSED)) {
    return present ? Fault{"make the socket of an image server", EEXIST} : present.fault();
  }
  if (present.fault().error == ECONNREFUSED && unlinkat(folder_.get(), name.c_str(), 0) != 0) return failed("remove a socket where nobody listens");
  sweep(name);
  auto listener = newSocket();
  if (!listener) return listener.fault();
  const sockaddr_un address = addressFrom(addressOf(name));
  const ExactModes modes;
  if (bind(listener->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("make the socket of an image server");
  if (listen(listener->get(), 4096) != 0) return failed("listen as an image server");
  return PublishedSocket{std::move(*listener), inodeOf(name)};
}

void SocketFolder::withdraw(const std::string& name, ino_t inode) const {
  const FolderLock lock(folder_.get());
  // Also without the lock, which somebody who was stopped may hold: at worst a server that came just now is not found by others.
  if (inode != 0 && inodeOf(name) == inode) unlinkat(folder_.get(), name.c_str(), 0);
  unlinkat(above_.get(), name_.c_str(), AT_REMOVEDIR);
}

ino_t SocketFolder::inodeOf(const std::string& name) const {
  struct stat status {};
  return fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/// Asked with another type of socket: where somebody listens that is refused before anybody wakes up.
bool SocketFolder::isDead(const std::string& name) const {
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = addressFrom(addressOf(name));
  return probe && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
}

/// Whoever was killed could not take its socket away.
void SocketFolder::sweep(const std::string& but) const {
  DIR* stream = fdopendir(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return;
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_type == DT_SOCK && names.size() < mostSockets && entry->d_name != but) names.emplace_back(entry->d_name);
  }
  closedir(stream);
  for (const auto& name : names) {
    if (isDead(name)) unlinkat(folder_.get(), name.c_str(), 0);
  }
}

}  // namespace sing
