// The two processes behind a shared mount of an image.
#pragma once

#include "shared_key.h"
#include "socket_folder.h"

namespace sing {

struct KeeperWork {
  ImagePart part;
  std::string key;
  /// What lists of mounts show as its source, and a directory that the keeper's own mounts may cover.
  std::string source, mountPoint;
  uint64_t idleSeconds = 0;
  std::string socketName;
};

/// Forks, as nobody's children, a server that answers the kernel's requests and parses the image, and a keeper that never does: it has the mount
/// in namespaces of its own and gives a copy to every start of this user that connects and has the same key. The keeper ends when no start has
/// been alive for the idle time, and takes its socket away; the server ends when the kernel says that no copy of the mount is left.
Status startKeeper(const KeeperWork& work, PublishedSocket socket, const SocketFolder& folder);

}  // namespace sing
