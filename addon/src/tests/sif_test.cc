// Hostile SIF headers, made by changing single fields of a small good one.
#include "../host/sif.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "check.h"

using namespace sing;
using host::primaryPartition;

namespace {

constexpr size_t tableOffset = 4096, descriptorBytes = 585, dataOffset = 32768, dataBytes = 4096;

template <typename T>
void put(std::string& bytes, size_t offset, T value) {
  memcpy(bytes.data() + offset, &value, sizeof value);
}

void putDescriptor(std::string& file, size_t slot, int32_t partitionKind) {
  const size_t at = tableOffset + slot * descriptorBytes;
  put<int32_t>(file, at, 0x4004);
  put<char>(file, at + 4, 1);
  put<uint32_t>(file, at + 5, static_cast<uint32_t>(slot + 1));
  put<int64_t>(file, at + 17, dataOffset);
  put<int64_t>(file, at + 25, dataBytes);
  put<int32_t>(file, at + 201, 1);
  put<int32_t>(file, at + 205, partitionKind);
  memcpy(file.data() + at + 209, "02", 3);
}

std::string goodSif() {
  std::string file(dataOffset + dataBytes, '\0');
  memcpy(file.data() + 32, "SIF_MAGIC", 10);
  memcpy(file.data() + 42, "01", 3);
  put<int64_t>(file, 88, 48);
  put<int64_t>(file, 96, tableOffset);
  put<int64_t>(file, 104, 48 * descriptorBytes);
  putDescriptor(file, 0, 2);
  memcpy(file.data() + dataOffset, "hsqs", 4);
  put<uint16_t>(file, dataOffset + 20, 1);
  return file;
}

Outcome<host::Partition> read(const std::string& bytes) {
  const tests::ScratchDirectory scratch;
  scratch.make("image", bytes);
  const Descriptor file(openat(scratch.descriptor(), "image", O_RDONLY));
  return primaryPartition(file.get(), bytes.size());
}

template <typename T>
bool refusesWith(size_t offset, T value) {
  std::string file = goodSif();
  put(file, offset, value);
  return !read(file);
}

}  // namespace

TEST("SIF: the root file system of a good file is found") {
  auto partition = read(goodSif());
  CHECK(partition);
  if (!partition) return;
  CHECK(partition->offset == dataOffset && partition->size == dataBytes);
  CHECK_EQUAL(partition->architecture, "amd64");
}

TEST("SIF: refuses tables that are negative, huge or outside the file, before anything is allocated") {
  for (const int64_t total : {int64_t{-1}, int64_t{4097}, int64_t{100'000'000}, INT64_MAX}) CHECK(refusesWith<int64_t>(88, total));
  for (const int64_t offset : {int64_t{-1}, int64_t{0}, int64_t{127}, int64_t{40'000'000}, INT64_MAX}) CHECK(refusesWith<int64_t>(96, offset));
  for (const int64_t size : {int64_t{-1}, int64_t{0}, int64_t{48 * 585 - 1}}) CHECK(refusesWith<int64_t>(104, size));
}

TEST("SIF: refuses a root file system outside the file or over the table") {
  const size_t at = tableOffset;
  for (const int64_t offset : {int64_t{-1}, int64_t{0}, int64_t{4096}, int64_t{1} << 40, INT64_MAX}) CHECK(refusesWith<int64_t>(at + 17, offset));
  for (const int64_t size : {int64_t{-1}, int64_t{0}, int64_t{2047}, int64_t{1} << 40, INT64_MAX}) CHECK(refusesWith<int64_t>(at + 25, size));
}

TEST("SIF: refuses no primary partition, and two") {
  CHECK(refusesWith<int32_t>(tableOffset + 205, 1));
  std::string file = goodSif();
  putDescriptor(file, 3, 2);
  CHECK(!read(file));
}

TEST("SIF: refuses another magic, another version, and a file cut off in the header") {
  CHECK(refusesWith<char>(32, 'X'));
  CHECK(refusesWith<char>(43, '9'));
  CHECK(!read(goodSif().substr(0, 100)));
  CHECK(!read(goodSif().substr(0, 5000)));
}

TEST("SIF: refuses a partition that is no squashfs, or one of an unknown compression") {
  CHECK(refusesWith<char>(dataOffset, 'x'));
  CHECK(refusesWith<uint16_t>(dataOffset + 20, 7));
}

TEST("SIF: an architecture code that is none is left open") {
  std::string file = goodSif();
  memcpy(file.data() + tableOffset + 209, "zz", 3);
  auto partition = read(file);
  CHECK(partition);
  if (partition) CHECK_EQUAL(partition->architecture, "");
}

TEST("SIF: overlay and data partitions are told with their numbers, and what is wrong with one of them") {
  std::string file = goodSif();
  putDescriptor(file, 1, 4);
  putDescriptor(file, 2, 3);
  putDescriptor(file, 3, 1);
  putDescriptor(file, 4, 4);
  put<int64_t>(file, tableOffset + 4 * descriptorBytes + 25, int64_t{1} << 40);
  const tests::ScratchDirectory scratch;
  scratch.make("image", file);
  const Descriptor opened(openat(scratch.descriptor(), "image", O_RDONLY));
  const auto others = host::otherPartitions(opened.get(), file.size());
  CHECK(others.size() == 3);
  if (others.size() != 3) return;
  CHECK(others[0].id == 2 && others[0].overlay && others[0].problem.empty() && others[0].partition.offset == dataOffset);
  CHECK(others[1].id == 3 && !others[1].overlay && others[1].problem.empty());
  CHECK(others[2].id == 5 && others[2].overlay && !others[2].problem.empty());
  CHECK(host::otherPartitions(opened.get(), 100).empty());
}

TEST("SIF: overlays of another group than the root file system's are left out, whatever its group mask; of one in no group they all count") {
  const auto overlays = [](uint32_t root, uint32_t overlay) {
    std::string file = goodSif();
    putDescriptor(file, 1, 4);
    put<uint32_t>(file, tableOffset + 9, root);
    put<uint32_t>(file, tableOffset + descriptorBytes + 9, overlay);
    const tests::ScratchDirectory scratch;
    scratch.make("image", file);
    const Descriptor opened(openat(scratch.descriptor(), "image", O_RDONLY));
    return host::otherPartitions(opened.get(), file.size()).size();
  };
  CHECK(overlays(0xf0000001, 0xf0000001) == 1 && overlays(0xf0000001, 1) == 1);
  CHECK(overlays(0xf0000001, 0xf0000002) == 0 && overlays(0xf0000001, 0) == 0);
  CHECK(overlays(0, 0xf0000002) == 1 && overlays(0xf0000000, 0xf0000002) == 1);
}
