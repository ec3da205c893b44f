// Reading files of an image in one of several threads.
#pragma once

#include <sys/uio.h>

#include <array>
#include <vector>

#include "blocks.h"
#include "shared_key.h"

namespace sing {

/// Pieces of a file, in order, and what keeps them in memory.
struct FilePieces {
  std::vector<iovec> pieces;
  std::vector<Block> blocks;
};

/// Where the files that were read last would go on.
class ReadOrder {
 public:
  /// Whether this read begins where one ended; notes where it ends.
  bool goesOn(sqfs_inode_id inode, uint64_t start, uint64_t end);

 private:
  struct Place {
    sqfs_inode_id inode;
    uint64_t end;
  };
  std::mutex mutex_;
  std::array<Place, 32> places_{};
  size_t next_ = 0;
};

/// One per thread: tables and caches of the library are its own, decompressed blocks are everybody's.
class FileReader {
 public:
  FileReader(const ImagePart& part, BlockCache& blocks, ReadOrder& order) : part_(part), blocks_(blocks), order_(order) {}

  /// The bytes of a regular file from `start`, at most `size`; less at its end. False: the image is damaged there, or this is no regular file.
  bool read(sqfs_inode_id inode, uint64_t start, size_t size, FilePieces& out);

  /// To be called after the answer: when the file is read in order, one of the blocks that will be asked for next is made.
  void readAhead(sqfs_inode_id inode, uint64_t start, size_t size);

 private:
  bool readable();
  Block load(uint64_t position, uint32_t header);
  bool addFragment(const sqfs_inode& inode, uint64_t skip, size_t size, FilePieces& out);
  bool addPiece(Block block, size_t offset, size_t length, FilePieces& out);

  ImagePart part_;
  BlockCache& blocks_;
  ReadOrder& order_;
  sqfs fs_{};
  bool opened_ = false, broken_ = false;
};

}  // namespace sing
