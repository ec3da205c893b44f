// The memory of the script engine: one after the other from a block at an address that is always the same, so that an engine can be kept (state.h).
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
#include "quickjs.h"
}

namespace sing {

/// Gives memory to one engine, of one thread. It stands at the beginning of its own first block. What is given back is given out again to who wants as much.
class Arena {
 public:
  /// A new one, or nullptr without memory. `anywhere`: where the usual address is taken, another one does.
  static Arena* make(bool anywhere);
  /// Whether what is given back is cleared, so that nothing of it is in what is kept.
  void clear(bool wanted) { clears_ = wanted; }
  /// The usual address.
  static Arena* home();
  /// Takes all memory away from the engine, which is gone with it.
  static void drop(Arena* arena);

  static const JSMallocFunctions functions;
  /// How far behind the beginning of its block it stands.
  static constexpr size_t offset = 16;

  /// Bytes from the beginning of the first block to the last one that was given out; 0 when one block was not enough.
  size_t used() const;
  /// Has the kernel bring so many bytes of the first block at once, not page by page as they are touched.
  void prepare(size_t bytes);

  void* take(size_t size);
  void* resize(void* memory, size_t size);
  void giveBack(void* memory);
  static size_t sizeOf(const void* memory);

 private:
  static constexpr size_t smallest = 16, largestSmall = 1024, smallLists = largestSmall / smallest + 1, largeLists = 40;

  struct Free {
    Free* next;
  };

  Free*& listOf(size_t size);
  bool grow(size_t size);

  /// Memory from one place to another.
  struct Range {
    char* next = nullptr;
    char* end = nullptr;
    void* piece(size_t size);
  };

  bool clears_ = false;
  /// What nobody has had.
  Range fresh_;
  /// A large piece that was given back, for small ones.
  Range scrap_;
  /// The block that is given out from. The first has the arena itself in it.
  struct Block* block_;
  Free* small_[smallLists];
  Free* large_[largeLists];
};

}  // namespace sing
