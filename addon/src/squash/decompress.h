// Decompression without setting up everything for each block.
#pragma once

extern "C" {
#include <squashfuse/squashfuse.h>
}

namespace sing {

/// Puts a decompressor that keeps its state from block to block, one per thread, in the place of the library's, where there is one.
void useOwnDecompressor(sqfs* fs);

}  // namespace sing
