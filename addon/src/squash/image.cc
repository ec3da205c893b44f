#include "image.h"

namespace sing {

Status openSquashfs(sqfs* fs, int image, uint64_t offset, uint64_t size) {
  switch (sqfs_init(fs, image, offset)) {
    case SQFS_OK: break;
    case SQFS_BADFORMAT: return refused("Expected a squashfs in the image, got something else");
    case SQFS_BADVERSION: return refused("Expected squashfs version 4 in the image, got another one");
    case SQFS_BADCOMP: return refused("Expected a squashfs compressed by gzip, xz, lzo, lz4 or zstd, got another kind");
    case SQFS_UNSUP: return refused("The squashfs of the image uses a feature that is not supported");
    default: return refused("The squashfs of the image is damaged: its tables cannot be read");
  }
  if (fs->sb.bytes_used > size) {
    sqfs_destroy(fs);
    return refused("The squashfs of the image is cut off: expected " + std::to_string(fs->sb.bytes_used) + " bytes, got " +
                   std::to_string(size));
  }
  return {};
}

}  // namespace sing
