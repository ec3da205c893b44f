// Reading and writing whole small files.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "fault.h"

namespace sing {

/// The content of an open regular file. EINVAL: it is none. EFBIG: more than `limit` bytes.
Outcome<std::string> readRegular(int descriptor, size_t limit);

/// Reads until end of file from whatever the descriptor is. EFBIG: more than `limit` bytes.
Outcome<std::string> readToEnd(int descriptor, size_t limit);

/// Writes everything.
Status writeAll(int descriptor, std::string_view content);

/// Writes `content` in one piece into an existing file (of /proc for example).
Status writeExisting(int directory, const std::string& path, std::string_view content);

/// Makes a new file in the session.
Status writeSessionFile(int session, const std::string& path, std::string_view content, mode_t mode);

}  // namespace sing
