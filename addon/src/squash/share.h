// A start's side of a shared image server.
#pragma once

#include "keeper.h"

namespace sing {

struct ShareRequest {
  ImagePart part;
  std::string source, mountPoint;
  /// Where the sockets are.
  std::string folder;
  uint64_t idleSeconds = 0;
  /// Milliseconds. A server that is being started reads the image's tables first.
  int patience = 5000;
};

/// A copy of the mount of the image, attached nowhere, from the server that the starts of this user share; started when there is none. A server
/// that does not answer in time loses its name, so that the next start makes a new one.
Outcome<Descriptor> shareImage(const ShareRequest& request);

}  // namespace sing
