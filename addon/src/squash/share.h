// A start's side of a mount that starts share.
#pragma once

#include "keeper.h"

namespace sing {

struct ShareRequest {
  /// Its path is what lists of mounts show.
  plan::ImageFile image;
  plan::SharedBy by = plan::SharedBy::fuse;
  std::string mountPoint;
  /// Where the sockets are.
  std::string folder;
  uint64_t idleSeconds = 0;
  /// Milliseconds. A server that is being started reads the image's tables first.
  int patience = 5000;
};

/// A copy of the mount of the image, attached nowhere, from the keeper that the starts of this user share; started when there is none. One that
/// does not answer in time loses its name, so that the next start makes a new one. What the kernel can say about the mount is not believed but asked.
Outcome<Descriptor> shareImage(const ShareRequest& request);

}  // namespace sing
