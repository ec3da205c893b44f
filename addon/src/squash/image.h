// An open squashfs image.
#pragma once

extern "C" {
#include <squashfuse/squashfuse.h>
}

#include <cstdint>

#include "../core/fault.h"

namespace sing {

/// Reads the superblock of the squashfs at `offset` in the open file and checks that it fits into `size` bytes.
Status openSquashfs(sqfs* fs, int image, uint64_t offset, uint64_t size);

}  // namespace sing
