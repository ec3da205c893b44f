// What an ext3 image must look like before anything parses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fault.h"

namespace sing {

/// Bytes at the beginning of a file system that `ext3Problem` wants to see.
inline constexpr size_t ext3Head = 2048;

/// Whether the magic number of the ext family is where it has to be.
bool looksLikeExt(const std::string& head);

/// What is wrong with the ext3 that begins with `head` and may have `size` bytes, or nothing: no journal, features that ext3 does not have
/// (runtime contract §1.7), blocks beyond its place.
std::optional<std::string> ext3Problem(const std::string& head, uint64_t size);

/// The same for an open image, from the bytes that are there now.
Status checkExt3(int image, uint64_t offset, uint64_t size);

}  // namespace sing
