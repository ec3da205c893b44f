#include "decompress.h"

#include <zstd.h>

extern "C" {
#include <squashfuse/squashfs_fs.h>
}

namespace sing {

namespace {

sqfs_err decompressZstd(void* in, size_t inSize, void* out, size_t* outSize) {
  // Lives as long as its thread: as long as the process.
  thread_local ZSTD_DCtx* const context = ZSTD_createDCtx();
  if (!context) return SQFS_ERR;
  const size_t got = ZSTD_decompressDCtx(context, out, *outSize, in, inSize);
  if (ZSTD_isError(got)) return SQFS_ERR;
  *outSize = got;
  return SQFS_OK;
}

}  // namespace

void useOwnDecompressor(sqfs* fs) {
  if (sqfs_compression(fs) == ZSTD_COMPRESSION) fs->decompressor = decompressZstd;
}

}  // namespace sing
