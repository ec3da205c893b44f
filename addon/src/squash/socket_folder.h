// The folder with the sockets of shared image servers: one per user, nobody else's business.
#pragma once

#include <sys/types.h>

#include <string>

#include "../core/descriptor.h"
#include "../core/fault.h"

namespace sing {

/// A socket with a name, listening.
struct PublishedSocket {
  Descriptor listener;
  ino_t inode = 0;
};

class SocketFolder {
 public:
  /// Opens the folder, and makes it when it is not there. It has to be a directory of mode 0700 that belongs to this user, and no link.
  static Outcome<SocketFolder> open(const std::string& path);

  /// Connects to a socket whose other end is this user, too. ENOENT: there is none. ECONNREFUSED: nobody listens any more. EAGAIN: too many wait.
  Outcome<Descriptor> connect(const std::string& name) const;

  /// Makes the socket and listens, in place of one where nobody does; other such sockets go away, too. EEXIST: somebody was faster.
  Outcome<PublishedSocket> publish(const std::string& name) const;

  /// Removes the socket if it still is this one, and the folder if it is empty then. Takes no other right than to do so.
  void withdraw(const std::string& name, ino_t inode) const;

  /// Which socket has the name now; 0: none.
  ino_t inodeOf(const std::string& name) const;

  /// The same folder with a lock that is not shared with the process that this one was forked from.
  Outcome<SocketFolder> again() const;

  int folder() const { return folder_.get(); }
  int above() const { return above_.get(); }

 private:
  SocketFolder(Descriptor folder, Descriptor above, std::string name)
      : folder_(std::move(folder)), above_(std::move(above)), name_(std::move(name)) {}
  std::string addressOf(const std::string& name) const;
  bool isDead(const std::string& name) const;
  void sweep(const std::string& but) const;

  Descriptor folder_, above_;
  std::string name_;
};

}  // namespace sing
