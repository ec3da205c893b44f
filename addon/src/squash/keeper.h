// The processes behind a shared mount of an image.
#pragma once

#include "shared_key.h"
#include "socket_folder.h"

namespace sing {

struct KeeperWork {
  plan::ImageFile image;
  plan::SharedBy by = plan::SharedBy::fuse;
  std::string key;
  /// A directory that the keeper's own mounts may cover.
  std::string mountPoint;
  uint64_t idleSeconds = 0;
  std::string socketName;
};

/// Forks, as nobody's children, a keeper, which has the mount in namespaces of its own and gives a copy to every start of this user that connects and has
/// the same key; and for FUSE a server that answers the kernel's requests and parses the image, what the keeper never does. The keeper ends when no start
/// has been alive for the idle time, and takes its socket away; the server, and a loop device, when no copy of the mount is left.
/// What the kernel mounts is mounted by the caller, with the rights of root on the host, and is the result, so that it need not wait for the keeper; else none.
Outcome<Descriptor> startKeeper(const KeeperWork& work, PublishedSocket socket, const SocketFolder& folder);

}  // namespace sing
