#include "arena.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace sing {

/// Blocks form a list, from the last to the first.
struct Block {
  Block* before;
  size_t bytes;
};
static_assert(sizeof(Block) == Arena::offset);

namespace {

// Far from where the kernel puts programs, stacks and mappings, on processors with 39 bits of addresses, too. In the middle of a huge page, of which only a third
// would be used: with this size none fits.
constexpr uintptr_t usualAddress = (uintptr_t{1} << 36) + (1u << 20);
// Memory that is never touched costs nothing.
constexpr size_t blockBytes = 2u << 20;
// Before each piece of memory stands how large it is.
constexpr size_t head = sizeof(size_t);

size_t& sizeBefore(void* memory) { return *reinterpret_cast<size_t*>(static_cast<char*>(memory) - head); }

/// With the head before the next piece it fills lines of 16 bytes, at whose beginning memory stands.
constexpr size_t rounded(size_t size) { return ((std::max<size_t>(size, 16) + head + 15) & ~size_t{15}) - head; }

/// The first one behind an address that has the head before it.
char* firstBehind(void* address) { return reinterpret_cast<char*>(((reinterpret_cast<uintptr_t>(address) + head + 15) & ~uintptr_t{15}) - head); }

Block* newBlock(void* address, size_t bytes, int flags) {
  void* memory = mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // A kernel that does not know the flag takes the address for a wish.
  if ((flags & MAP_FIXED_NOREPLACE) && memory != address) {
    munmap(memory, bytes);
    return nullptr;
  }
  return new (memory) Block{nullptr, bytes};
}

Arena* arenaOf(void* opaque) { return static_cast<Arena*>(opaque); }

}  // namespace

const JSMallocFunctions Arena::functions = {
    [](void* opaque, size_t count, size_t size) -> void* {
      size_t bytes = 0;
      if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
      void* memory = arenaOf(opaque)->take(bytes);
      return memory ? memset(memory, 0, bytes) : nullptr;
    },
    [](void* opaque, size_t size) { return arenaOf(opaque)->take(size); },
    [](void* opaque, void* memory) { arenaOf(opaque)->giveBack(memory); },
    [](void* opaque, void* memory, size_t size) { return arenaOf(opaque)->resize(memory, size); },
    [](const void* memory) { return sizeOf(memory); },
};

Arena* Arena::home() { return reinterpret_cast<Arena*>(usualAddress + sizeof(Block)); }

Arena* Arena::make(bool anywhere) {
  Block* block = newBlock(reinterpret_cast<void*>(usualAddress), blockBytes, MAP_FIXED_NOREPLACE);
  if (!block && anywhere) block = newBlock(nullptr, blockBytes, 0);
  if (!block) return nullptr;
  auto* arena = new (block + 1) Arena();
  arena->block_ = block;
  arena->fresh_ = {firstBehind(arena + 1), reinterpret_cast<char*>(block) + block->bytes};
  return arena;
}

void Arena::drop(Arena* arena) {
  for (Block* block = arena->block_; block;) {
    Block* before = block->before;
    munmap(block, block->bytes);
    block = before;
  }
}

size_t Arena::used() const { return block_->before ? 0 : static_cast<size_t>(fresh_.next - reinterpret_cast<const char*>(block_)); }

void Arena::prepare(size_t bytes) {
#ifndef MADV_POPULATE_WRITE
  constexpr int MADV_POPULATE_WRITE = 23;
#endif
  // Linux 5.14; before, pages come as they are touched.
  madvise(reinterpret_cast<char*>(this) - sizeof(Block), std::min(bytes, blockBytes), MADV_POPULATE_WRITE);
}

bool Arena::grow(size_t size) {
  Block* block = newBlock(nullptr, std::max(blockBytes, (size + 8192) & ~size_t{4095}), 0);
  if (!block) return false;
  block->before = block_;
  block_ = block;
  fresh_ = {firstBehind(block + 1), reinterpret_cast<char*>(block) + block->bytes};
  return true;
}

Arena::Free*& Arena::listOf(size_t size) {
  // Sizes in the list of a power of two are that power at least.
  return size <= largestSmall ? small_[size / smallest] : large_[std::bit_width(size) - 1];
}

void* Arena::take(size_t wanted) {
  if (wanted > SIZE_MAX / 2) return nullptr;
  const size_t size = rounded(wanted);
  Free*& list = size <= largestSmall ? small_[size / smallest] : large_[std::min<size_t>(std::bit_width(size - 1), largeLists - 1)];
  if (Free* found = list) {
    list = found->next;
    found->next = nullptr;
    return found;
  }
  if (size <= largestSmall) {
    if (void* memory = scrap_.piece(size)) return memory;
  }
  if (void* memory = fresh_.piece(size)) return memory;
  return grow(size + head) ? fresh_.piece(size) : nullptr;
}

void* Arena::Range::piece(size_t size) {
  if (size + head > static_cast<size_t>(end - next)) return nullptr;
  void* memory = next + head;
  sizeBefore(memory) = size;
  next += head + size;
  return memory;
}

void Arena::giveBack(void* memory) {
  if (!memory) return;
  const size_t size = sizeBefore(memory);
  if (clears_) memset(memory, 0, size);
  if (size > largestSmall && size > static_cast<size_t>(scrap_.end - scrap_.next)) {
    scrap_ = {static_cast<char*>(memory) - head, static_cast<char*>(memory) + size};
    return;
  }
  Free*& list = listOf(size);
  list = new (memory) Free{list};
}

void* Arena::resize(void* memory, size_t wanted) {
  if (!memory) return take(wanted);
  if (wanted > SIZE_MAX / 2) return nullptr;
  const size_t before = sizeBefore(memory), size = rounded(wanted);
  if (size <= before) return memory;
  // The last one grows where it is.
  if (static_cast<char*>(memory) + before == fresh_.next && size - before <= static_cast<size_t>(fresh_.end - fresh_.next)) {
    fresh_.next += size - before;
    sizeBefore(memory) = size;
    return memory;
  }
  void* moved = take(wanted);
  if (!moved) return nullptr;
  memcpy(moved, memory, before);
  giveBack(memory);
  return moved;
}

size_t Arena::sizeOf(const void* memory) { return memory ? sizeBefore(const_cast<void*>(memory)) : 0; }

}  // namespace sing
