// Answering the kernel's requests for an open squashfs: what the server of one start and the one that starts share have in common.
#pragma once

#include <cstdint>

#include "../core/fault.h"

extern "C" {
#include <squashfuse/ll.h>
}

namespace sing {

class ServedImage {
 public:
  /// Reads the superblock and the inode table of the squashfs at `offset` in the open file.
  Status open(int image, uint64_t offset, uint64_t size);
  /// Gives up what a server does not need, then answers on `fuse`, the device of a mount, until the kernel says that the mount is gone. Every
  /// message on `line` (or -1) is answered with one, meanwhile: a sign that this process is alive. Returns the exit status.
  int serve(int fuse, int line);

 private:
  sqfs_ll image_{};
};

}  // namespace sing
