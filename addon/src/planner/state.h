// An engine that has read and evaluated the planner's bundle, as the build left it in the program: no start does that again.
#pragma once

#include <string>

#include "../core/fault.h"
#include "arena.h"

namespace sing {

/// An engine and its memory.
struct Engine {
  Arena* arena = nullptr;
  JSRuntime* runtime = nullptr;
  JSContext* context = nullptr;
};

/// The engine in the program's own read-only data, copied to where it was when it was kept. None when the program has no such data, or the place is taken.
Engine keptEngine();

/// What the build puts into the program: the memory of an engine in which nothing has been asked yet, and where pointers into the program are in it.
Outcome<std::string> engineToKeep(const Engine& engine, uint64_t madeAfter);

}  // namespace sing
