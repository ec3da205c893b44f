#include "state.h"

#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include <vector>

// Place for what is kept, filled by the build (state.S, tools/state.mjs).
extern "C" const unsigned char sing_planner_state[];
extern "C" const unsigned char sing_planner_state_end[];
// The program as it lies in memory.
extern "C" const char __ehdr_start[];
extern "C" const char _end[];

namespace sing {

namespace {

using Word = uint64_t;

struct Header {
  /// Of the memory, from the beginning of the block; 0 when nothing is kept.
  uint32_t bytes;
  /// Words of it that point into the program, and hold how far behind its beginning.
  uint32_t pointers;
  JSRuntime* runtime;
  JSContext* context;
};

// What a plan takes on top, about; more is given page by page.
constexpr size_t usualPlan = 160u << 10;

Word programStart() { return reinterpret_cast<Word>(__ehdr_start); }

/// What the compiler puts behind the variables of a function, and what a value that was never set may have found there.
Word stackGuard() {
  Word guard = 0;
  memcpy(&guard, reinterpret_cast<const void*>(getauxval(AT_RANDOM)), sizeof guard);
  return guard & ~Word{0xff};
}

char* blockOf(Arena* arena) { return reinterpret_cast<char*>(arena) - Arena::offset; }

}  // namespace

Engine keptEngine() {
  Header header;
  memcpy(&header, sing_planner_state, sizeof header);
  if (header.bytes == 0) return {};
  Arena* arena = Arena::make(false);
  if (!arena) return {};
  arena->prepare(header.bytes + usualPlan);
  const unsigned char* from = sing_planner_state + sizeof header;
  char* memory = blockOf(arena);
  memcpy(memory, from, header.bytes);
  const auto* places = reinterpret_cast<const uint32_t*>(from + header.bytes);
  for (uint32_t i = 0; i < header.pointers; ++i) *reinterpret_cast<Word*>(memory + places[i]) += programStart();
  arena->clear(false);
  return {arena, header.runtime, header.context};
}

Outcome<std::string> engineToKeep(const Engine& engine, uint64_t madeAfter) {
  const size_t bytes = engine.arena->used();
  if (engine.arena != Arena::home() || bytes == 0) return refused("Expected the engine in one block at its usual address, got it elsewhere");
  std::vector<Word> words((bytes + sizeof(Word) - 1) / sizeof(Word));
  memcpy(words.data(), blockOf(engine.arena), bytes);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t madeBefore = static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
  const auto stack = reinterpret_cast<Word>(__builtin_frame_address(0));
  constexpr Word nearby = 4u << 20;
  std::vector<uint32_t> places;
  for (size_t i = 0; i < words.size(); ++i) {
    Word& word = words[i];
    if (word >= programStart() && word < reinterpret_cast<Word>(_end)) {
      word -= programStart();
      places.push_back(static_cast<uint32_t>(i * sizeof(Word)));
    } else if ((word > stack - nearby && word < stack + nearby) || word == stackGuard()) {
      // The limits of the stack, which are set anew, and what is left over from it.
      word = 0;
    } else if (word >= madeAfter && word <= madeBefore) {
      // The time, with which Math.random begins. A planner has no use for it.
      word = 1;
    }
  }
  const Header header{static_cast<uint32_t>(words.size() * sizeof(Word)), static_cast<uint32_t>(places.size()), engine.runtime, engine.context};
  const auto append = [](std::string& out, const void* from, size_t count) { out.append(static_cast<const char*>(from), count); };
  std::string out;
  append(out, &header, sizeof header);
  append(out, words.data(), words.size() * sizeof(Word));
  append(out, places.data(), places.size() * sizeof(uint32_t));
  const auto room = static_cast<size_t>(sing_planner_state_end - sing_planner_state);
  if (out.size() > room) return refused("Expected at most " + std::to_string(room) + " bytes of an engine to keep, got " + std::to_string(out.size()));
  return out;
}

}  // namespace sing
