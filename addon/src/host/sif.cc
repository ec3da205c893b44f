#include "sif.h"

#include <unistd.h>

#include <cstring>

#include "../core/ext3.h"

namespace sing::host {

namespace {

// SIF is little-endian, as are the machines that this is built for; fields are copied because they are not aligned.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constexpr size_t headerBytes = 128;
constexpr size_t descriptorBytes = 585;
constexpr int64_t maxDescriptors = 4096;
constexpr size_t fileSystemHead = 2048;
constexpr int32_t partitionType = 0x4004;
constexpr int32_t primarySystem = 2, dataPartition = 3, overlayPartition = 4;
constexpr size_t mostPartitions = 64;

template <typename T>
T fieldAt(const std::string& bytes, size_t offset) {
  T value{};
  memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// The number of the group that an object is in, 0 for none.
uint32_t groupOf(const std::string& descriptor) { return fieldAt<uint32_t>(descriptor, 9) & 0x0fffffff; }

std::string architectureName(const std::string& code) {
  static constexpr const char* names[] = {"",       "386",   "amd64",    "arm",    "arm64",    "ppc64",   "ppc64le",
                                          "mips",   "mipsle", "mips64",  "mips64le", "s390x",  "riscv64", "loong64"};
  if (code.size() != 3 || code[2] != '\0' || code[0] < '0' || code[0] > '9' || code[1] < '0' || code[1] > '9') return "";
  const size_t index = static_cast<size_t>(code[0] - '0') * 10 + static_cast<size_t>(code[1] - '0');
  return index < std::size(names) ? names[index] : "";
}

struct Table {
  uint64_t offset = 0, count = 0, end = 0;
};

Outcome<Table> checkHeader(const std::string& header, uint64_t fileSize) {
  if (header.compare(32, 10, std::string("SIF_MAGIC\0", 10)) != 0) return refused("Expected the SIF magic at byte 32, got other bytes");
  if (header.compare(42, 3, std::string("01\0", 3)) != 0) return refused("Expected SIF version 01, got another version");
  const auto total = fieldAt<int64_t>(header, 88), offset = fieldAt<int64_t>(header, 96), size = fieldAt<int64_t>(header, 104);
  if (total < 0 || total > maxDescriptors) {
    return refused("Expected at most " + std::to_string(maxDescriptors) + " SIF descriptors, got " + std::to_string(total));
  }
  const auto bytes = static_cast<uint64_t>(total) * descriptorBytes;
  if (offset < static_cast<int64_t>(headerBytes) || static_cast<uint64_t>(offset) > fileSize || bytes > fileSize - static_cast<uint64_t>(offset)) {
    return refused("The SIF descriptor table lies outside the file");
  }
  if (size < 0 || static_cast<uint64_t>(size) < bytes) {
    return refused("The SIF descriptor table is larger than its size in the header");
  }
  return Table{static_cast<uint64_t>(offset), static_cast<uint64_t>(total), static_cast<uint64_t>(offset) + bytes};
}

Outcome<Partition> checkPartition(int file, const std::string& descriptor, const Table& table, uint64_t fileSize) {
  const auto offset = fieldAt<int64_t>(descriptor, 17), size = fieldAt<int64_t>(descriptor, 25);
  if (offset < 0 || size < 0 || static_cast<uint64_t>(offset) > fileSize || static_cast<uint64_t>(size) > fileSize - static_cast<uint64_t>(offset)) {
    return refused("The root file system lies outside the SIF file (is it cut off?)");
  }
  if (static_cast<uint64_t>(offset) < table.end) return refused("The root file system lies over the SIF descriptor table");
  if (static_cast<uint64_t>(size) < fileSystemHead) return refused("The root file system of the SIF file is too short to be one");
  Partition out;
  out.offset = static_cast<uint64_t>(offset);
  out.size = static_cast<uint64_t>(size);
  out.architecture = architectureName(descriptor.substr(201 + 8, 3));
  auto head = readAt(file, out.offset, fileSystemHead);
  if (!head) return head.fault();
  std::optional<std::string> problem;
  switch (fieldAt<int32_t>(descriptor, 201)) {
    case 1:
      out.fileSystem = PartitionFileSystem::squashfs;
      problem = squashfsProblem(*head);
      break;
    case 2:
      out.fileSystem = PartitionFileSystem::ext3;
      problem = ext3Problem(*head, out.size);
      break;
    case 5:
    case 6: out.fileSystem = PartitionFileSystem::encrypted; break;
    default: out.fileSystem = PartitionFileSystem::other;
  }
  if (problem) return refused(*problem);
  return out;
}

struct Partitions {
  Table place;
  /// Of the partitions only, one text of `descriptorBytes` each.
  std::vector<std::string> descriptors;
};

Outcome<Partitions> readTable(int file, uint64_t fileSize) {
  if (fileSize < headerBytes) return refused("The SIF file is cut off in its header");
  auto header = readAt(file, 0, headerBytes);
  if (!header) return header.fault();
  auto table = checkHeader(*header, fileSize);
  if (!table) return table.fault();
  auto bytes = readAt(file, table->offset, table->count * descriptorBytes);
  if (!bytes) return bytes.fault();
  Partitions out{*table, {}};
  for (uint64_t slot = 0; slot < table->count; ++slot) {
    std::string descriptor = bytes->substr(slot * descriptorBytes, descriptorBytes);
    if (descriptor[4] != 0 && fieldAt<int32_t>(descriptor, 0) == partitionType) out.descriptors.push_back(std::move(descriptor));
  }
  return out;
}

}  // namespace

Outcome<std::string> readAt(int file, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  for (size_t used = 0; used < size;) {
    const auto got = pread(file, bytes.data() + used, size - used, static_cast<off_t>(offset + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read the image");
    if (got == 0) return refused("The image is cut off: expected " + std::to_string(size) + " bytes at " + std::to_string(offset));
    used += static_cast<size_t>(got);
  }
  return bytes;
}

bool looksLikeSif(const std::string& head) { return head.find("SIF_MAGIC") != std::string::npos; }

std::optional<std::string> squashfsProblem(const std::string& head) {
  if (head.size() < 96 || head.compare(0, 4, "hsqs") != 0) return "Expected a squashfs as root file system, got something else";
  const auto compression = fieldAt<uint16_t>(head, 20);
  if (compression < 1 || compression > 6) return "Expected squashfs compression 1 to 6, got " + std::to_string(compression);
  return std::nullopt;
}

Outcome<Partition> primaryPartition(int file, uint64_t fileSize) {
  auto table = readTable(file, fileSize);
  if (!table) return table.fault();
  std::optional<std::string> primary;
  for (const auto& descriptor : table->descriptors) {
    if (fieldAt<int32_t>(descriptor, 201 + 4) != primarySystem) continue;
    if (primary) return refused("No root file system found: the SIF file has two primary partitions");
    primary = descriptor;
  }
  if (!primary) return refused("No root file system found: the SIF file has no primary partition");
  return checkPartition(file, *primary, table->place, fileSize);
}

std::vector<NumberedPartition> otherPartitions(int file, uint64_t fileSize) {
  std::vector<NumberedPartition> found;
  auto table = readTable(file, fileSize);
  if (!table) return found;
  uint32_t group = 0;
  for (const auto& descriptor : table->descriptors) {
    if (fieldAt<int32_t>(descriptor, 201 + 4) == primarySystem) group = groupOf(descriptor);
  }
  for (const auto& descriptor : table->descriptors) {
    const auto kind = fieldAt<int32_t>(descriptor, 201 + 4);
    if ((kind != overlayPartition && kind != dataPartition) || found.size() == mostPartitions) continue;
    if (kind == overlayPartition && group != 0 && groupOf(descriptor) != group) continue;
    NumberedPartition one{fieldAt<uint32_t>(descriptor, 5), kind == overlayPartition, {}, {}};
    auto checked = checkPartition(file, descriptor, table->place, fileSize);
    if (checked) one.partition = *checked;
    else one.problem = checked.fault().sentence();
    found.push_back(std::move(one));
  }
  return found;
}

}  // namespace sing::host
