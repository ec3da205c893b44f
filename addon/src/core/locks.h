// Who may use an image or the directory of a layer at the same time.
#pragma once

#include <cstdint>
#include <string>

#include "fault.h"

namespace sing {

/// Locks the bytes of a file system in an open image file for as long as the descriptor, or a copy of it, is open anywhere: shared, or for one writer
/// alone. Waits a moment for a start that is just ending. `path` is for the message.
Status lockImage(int image, uint64_t offset, uint64_t size, bool writable, const std::string& path);

/// Locks an open directory for one writer alone, in the same way.
Status lockDirectory(int directory, const std::string& path);

/// A shared lock of a whole file, for which it waits at most so many seconds. False: errno says why not, EAGAIN when somebody else still has it.
bool lockWithin(int file, int seconds);

}  // namespace sing
