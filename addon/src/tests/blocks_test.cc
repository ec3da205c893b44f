// Blocks that several threads want.
#include <atomic>
#include <thread>

#include "../squash/blocks.h"
#include "../squash/reader.h"
#include "check.h"

using namespace sing;

namespace {

Block blockOf(size_t size, char content) {
  auto* bytes = new char[size];
  std::fill_n(bytes, size, content);
  return Block(new sqfs_block{size, bytes}, [](const sqfs_block* gone) {
    delete[] static_cast<char*>(gone->data);
    delete gone;
  });
}

char contentOf(const Block& block) { return *static_cast<const char*>(block->data); }

}  // namespace

TEST("blocks: threads that want the same one have it made once") {
  BlockCache cache(1000);
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const auto block = cache.get(static_cast<uint64_t>(round % 4), [&] {
          ++made;
          return blockOf(100, static_cast<char>('a' + round % 4));
        });
        if (!block || contentOf(block) != static_cast<char>('a' + round % 4)) made = 1000;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_EQUAL(std::to_string(made), "4");
}

TEST("blocks: the ones that were used last stay, and one that somebody holds lives on") {
  BlockCache cache(300);
  const auto load = [] { return blockOf(100, 'x'); };
  const Block held = cache.get(1, [] { return blockOf(100, 'h'); });
  for (const uint64_t position : {2, 3, 1, 4, 5}) cache.get(position, load);
  CHECK(cache.has(1) && cache.has(4) && cache.has(5));
  CHECK(!cache.has(2) && !cache.has(3));
  for (const uint64_t position : {6, 7, 8}) cache.get(position, load);
  CHECK(!cache.has(1));
  CHECK_EQUAL(std::string(1, contentOf(held)), "h");
  CHECK(cache.get(9, [] { return blockOf(5000, 'l'); }));
  CHECK(cache.has(9));
}

TEST("blocks: one that cannot be made is tried again") {
  BlockCache cache(300);
  CHECK(!cache.get(1, [] { return Block(); }));
  CHECK(cache.get(1, [] { return blockOf(1, 'x'); }));
}

TEST("order of reads: goes on where the last read of that file ended") {
  ReadOrder order;
  CHECK(!order.goesOn(7, 0, 10));
  CHECK(!order.goesOn(8, 10, 20));
  CHECK(order.goesOn(7, 10, 20));
  CHECK(!order.goesOn(7, 10, 20));
  for (sqfs_inode_id inode = 100; inode < 200; ++inode) CHECK(!order.goesOn(inode, 0, 1));
  CHECK(!order.goesOn(7, 20, 30));
}
