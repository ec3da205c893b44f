// Unpacking a squashfs into a directory: for machines where FUSE is not open to users, and for builds.
#pragma once

#include <cstdint>

#include "../core/fault.h"

namespace sing {

struct ExtractOptions {
  uint64_t offset = 0, size = 0;
  /// Give files the owners that the image says, where this process may; otherwise they belong to the process.
  bool owners = false;
  /// Bytes of all files together; 0: what is allowed for any image.
  uint64_t most = 0;
};

/// Unpacks the image into the open, empty directory. The work is done by a child that can write nowhere else and start nothing.
/// Names that are no names, directories that come twice, and more than the limits allow are refused.
Status extractSquashfs(int image, int directory, const ExtractOptions& options);

}  // namespace sing
