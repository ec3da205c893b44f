// Decompressed blocks of an image that is read by several threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

extern "C" {
#include <squashfuse/squashfuse.h>
}

namespace sing {

/// The content of one block; freed by the library's own function.
using Block = std::shared_ptr<const sqfs_block>;

/// Keeps the blocks that were used last. Two threads that want the same block at the same time have it decompressed once.
class BlockCache {
 public:
  explicit BlockCache(size_t bytes) : room_(bytes) {}

  /// The block at this place in the image; `load` makes it when it is not here. Null: that failed.
  Block get(uint64_t position, const std::function<Block()>& load);

  /// Whether the block is here, or is being made.
  bool has(uint64_t position);

 private:
  struct Entry {
    uint64_t position;
    Block block;
    bool loading = true;
  };
  void makeRoom();

  std::mutex mutex_;
  std::condition_variable loaded_;
  /// Last used first.
  std::list<Entry> entries_;
  std::unordered_map<uint64_t, std::list<Entry>::iterator> places_;
  size_t room_, used_ = 0;
};

}  // namespace sing
