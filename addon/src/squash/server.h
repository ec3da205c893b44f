// The FUSE server of one start: serves a squashfs from an open descriptor until its mount is gone.
#pragma once

#include <cstdint>

#include "../core/channel.h"

namespace sing {

/// Talks to a server process that was forked before the new namespaces: one that is forked inside would keep the namespace,
/// and with it the mount that it serves, alive for ever.
class ImageServer {
 public:
  /// Forks the server. It is nobody's child, holds no descriptor of the caller but the image, and ends with this process
  /// as long as nothing is mounted, afterwards with the mount.
  static Outcome<ImageServer> start(int image, uint64_t offset, uint64_t size);
  /// Waits until the server has read the image's superblock; what is wrong with it is the fault.
  Status awaitReady();
  /// Hands over the open /dev/fuse that belongs to the mount.
  Status serve(int fuse);

 private:
  explicit ImageServer(Descriptor channel) : channel_(std::move(channel)) {}
  Descriptor channel_;
};

}  // namespace sing
