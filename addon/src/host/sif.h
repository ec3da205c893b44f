// As much of SIF as a start needs: is it one, and where is its root file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../core/fault.h"

namespace sing::host {

enum class PartitionFileSystem { squashfs, ext3, encrypted, other };

struct Partition {
  PartitionFileSystem fileSystem = PartitionFileSystem::other;
  uint64_t offset = 0, size = 0;
  /// GOARCH name; empty when the image does not say.
  std::string architecture;
};

/// The one primary system partition of an open SIF file of `fileSize` bytes. Everything read is checked against the file
/// before it is used; a fault is a sentence about the image.
Outcome<Partition> primaryPartition(int file, uint64_t fileSize);

/// A partition that is laid over a root file system, or data for binds.
struct NumberedPartition {
  /// Number of the object in the SIF file.
  uint32_t id = 0;
  bool overlay = false;
  Partition partition;
  /// Why it cannot be used; empty when it can.
  std::string problem;
};

/// The overlay and data partitions of an open SIF file, in the order of its table, at most 64; none of a file that is broken as a whole. Overlays of another
/// group than the root file system's are none (SIF contract §5.3): a signature of its group says nothing about them.
std::vector<NumberedPartition> otherPartitions(int file, uint64_t fileSize);

/// True when the text begins like a SIF file (its magic is somewhere in the first 2048 bytes).
bool looksLikeSif(const std::string& head);

/// What is wrong with the squashfs that begins with `head` (its first 2048 bytes), or nothing.
std::optional<std::string> squashfsProblem(const std::string& head);

/// Reads exactly `size` bytes at `offset`.
Outcome<std::string> readAt(int file, uint64_t offset, size_t size);

}  // namespace sing::host
