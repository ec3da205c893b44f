// Reading files of an image in one of several threads.
#pragma once

#include <sys/uio.h>

#include <vector>

#include "blocks.h"
#include "shared_key.h"

namespace sing {

/// Pieces of a file, in order, and what keeps them in memory.
struct FilePieces {
  std::vector<iovec> pieces;
  std::vector<Block> blocks;
};

/// One per thread: tables and caches of the library are its own, decompressed blocks are everybody's.
class FileReader {
 public:
  FileReader(const ImagePart& part, BlockCache& blocks) : part_(part), blocks_(blocks) {}

  /// The bytes of a regular file from `start`, at most `size`; less at its end. False: the image is damaged there, or this is no regular file.
  bool read(sqfs_inode_id inode, uint64_t start, size_t size, FilePieces& out);

 private:
  bool readable();
  Block load(uint64_t position, uint32_t header);
  bool addFragment(const sqfs_inode& inode, uint64_t skip, size_t size, FilePieces& out);
  bool addPiece(Block block, size_t offset, size_t length, FilePieces& out);

  ImagePart part_;
  BlockCache& blocks_;
  sqfs fs_{};
  bool opened_ = false, broken_ = false;
};

}  // namespace sing
