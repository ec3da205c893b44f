// Answering the kernel's requests for an open squashfs: what the server of one start and the one that starts share have in common.
#pragma once

#include <mutex>

#include "../core/fault.h"
#include "shared_key.h"

extern "C" {
#include <squashfuse/ll.h>
}

namespace sing {

class ServedImage {
 public:
  /// Reads the superblock and the inode table of the squashfs.
  Status open(const ImagePart& part);
  /// Gives up what a server does not need, then answers on `fuse`, the device of a mount, until the kernel says that the mount is gone. Every
  /// message on `line` (or -1) is answered with one, meanwhile: a sign that this process is alive. Ends the process with it.
  [[noreturn]] void serve(int fuse, int line);

 private:
  ImagePart part_;
  sqfs_ll image_{};
  std::mutex library_;
};

}  // namespace sing
