#include "ext3.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sing {

namespace {

constexpr size_t superblock = 1024;

// What ext3 is. Anything else is newer, and parsed by code that nobody has to trust for an ext3.
constexpr uint32_t journal = 0x4;                              // has_journal
constexpr uint32_t knownIncompatible = 0x2 | 0x4 | 0x10;       // filetype, recover, meta_bg
constexpr uint32_t knownReadOnlyCompatible = 0x1 | 0x2 | 0x4;  // sparse_super, large_file, btree_dir
constexpr uint32_t largestBlock = 6;                           // 64 KiB

template <typename T>
T field(const std::string& head, size_t offset) {
  T value{};
  memcpy(&value, head.data() + superblock + offset, sizeof value);
  return value;
}

}  // namespace

bool looksLikeExt(const std::string& head) { return head.size() >= ext3Head && field<uint16_t>(head, 56) == 0xEF53; }

std::optional<std::string> ext3Problem(const std::string& head, uint64_t size) {
  if (!looksLikeExt(head)) return "Expected an ext3 in the image, got something else";
  const auto compatible = field<uint32_t>(head, 92), incompatible = field<uint32_t>(head, 96), readOnly = field<uint32_t>(head, 100);
  if (!(compatible & journal)) return "Expected an ext3 with a journal, got one without";
  if (incompatible & ~knownIncompatible || readOnly & ~knownReadOnlyCompatible) return "The ext3 of the image has features that ext3 does not know";
  const auto blockShift = field<uint32_t>(head, 24), blocks = field<uint32_t>(head, 4);
  if (blockShift > largestBlock) return "The ext3 of the image has blocks of an impossible size";
  if (uint64_t{blocks} << (10 + blockShift) > size) return "The ext3 of the image is larger than its place in the file (is it cut off?)";
  return std::nullopt;
}

Status checkExt3(int image, uint64_t offset, uint64_t size) {
  std::string head(ext3Head, '\0');
  if (pread(image, head.data(), head.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(head.size())) return refused("The ext3 of the image is cut off");
  struct stat status {};
  if (fstat(image, &status) != 0) return failed("look at the image");
  // The file may have become shorter since it was described.
  if (offset > static_cast<uint64_t>(status.st_size) || size > static_cast<uint64_t>(status.st_size) - offset) return refused("The ext3 of the image is cut off");
  if (auto problem = ext3Problem(head, size)) return refused(*problem);
  return {};
}

}  // namespace sing
