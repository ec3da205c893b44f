// Hostile superblocks, made by changing single fields of a small good one; locks of several users of one image.
#include "../core/ext3.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "../core/locks.h"
#include "../programs/program.h"
#include "check.h"

using namespace sing;

namespace {

constexpr uint64_t size = 1 << 20;

template <typename T>
void put(std::string& bytes, size_t offset, T value) {
  memcpy(bytes.data() + 1024 + offset, &value, sizeof value);
}

std::string goodHead() {
  std::string head(ext3Head, '\0');
  put<uint16_t>(head, 56, 0xEF53);
  put<uint32_t>(head, 4, 256);    // blocks
  put<uint32_t>(head, 24, 2);     // of 4 KiB
  put<uint32_t>(head, 92, 0x3c);  // has_journal and more
  put<uint32_t>(head, 96, 0x2);
  put<uint32_t>(head, 100, 0x3);
  return head;
}

template <typename T>
bool refusesWith(size_t offset, T value) {
  std::string head = goodHead();
  put(head, offset, value);
  return ext3Problem(head, size).has_value();
}

}  // namespace

TEST("ext3: a good one is taken, and what is no ext3 is not") {
  CHECK(!ext3Problem(goodHead(), size));
  CHECK(refusesWith<uint16_t>(56, 0xEF54));
  CHECK(ext3Problem(goodHead().substr(0, 1500), size).has_value());
  CHECK(ext3Problem("", size).has_value());
}

TEST("ext3: refuses one without journal, and features that ext3 does not have") {
  CHECK(refusesWith<uint32_t>(92, 0x38));
  for (const uint32_t feature : {0x1u, 0x8u, 0x40u, 0x80u, 0x200u, 0x10000u, 0x80000000u}) CHECK(refusesWith<uint32_t>(96, 0x2 | feature));
  for (const uint32_t feature : {0x8u, 0x10u, 0x400u, 0x80000000u}) CHECK(refusesWith<uint32_t>(100, 0x3 | feature));
}

TEST("ext3: refuses blocks of an impossible size, and more of them than there is place for") {
  CHECK(refusesWith<uint32_t>(24, 7));
  CHECK(refusesWith<uint32_t>(24, 0xffffffff));
  CHECK(refusesWith<uint32_t>(4, 257));
  CHECK(refusesWith<uint32_t>(4, 0xffffffff));
}

TEST("ext3: an image that became shorter is refused") {
  const tests::ScratchDirectory scratch;
  std::string bytes = goodHead();
  bytes.resize(size);
  scratch.make("image", bytes);
  const Descriptor file(openat(scratch.descriptor(), "image", O_RDWR));
  CHECK(checkExt3(file.get(), 0, size));
  CHECK(!checkExt3(file.get(), 4096, size));
  CHECK(ftruncate(file.get(), size - 1) == 0);
  CHECK(!checkExt3(file.get(), 0, size));
}

TEST("ext3: several may read, one alone may write, and other parts of the file are free") {
  const tests::ScratchDirectory scratch;
  scratch.make("image", std::string(3 * 4096, 'x'));
  const auto opened = [&] { return Descriptor(openat(scratch.descriptor(), "image", O_RDWR)); };
  const Descriptor one = opened(), other = opened();
  CHECK(lockImage(one.get(), 0, 4096, false, "/i"));
  CHECK(lockImage(other.get(), 0, 4096, false, "/i"));
  CHECK(lockImage(one.get(), 8192, 4096, true, "/i"));
  const auto refusal = lockImage(other.get(), 8192, 4096, false, "/i");
  CHECK(!refusal);
  if (!refusal) CHECK_EQUAL(refusal.fault().sentence(), "can't open /i for reading, currently in use for writing by another process");
  CHECK(!lockImage(other.get(), 0, 4096, true, "/i"));
}

TEST("programs: one that somebody else could have written is not started") {
  const tests::ScratchDirectory scratch;
  scratch.make("program", "#!/bin/sh\n");
  const Descriptor file(openat(scratch.descriptor(), "program", O_RDWR));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  CHECK(fchmod(file.get(), 0777) == 0);
  CHECK(!openProgram(path));
  if (geteuid() == 0) {
    CHECK(fchmod(file.get(), 0755) == 0);
    CHECK(openProgram(path));
    CHECK(fchown(file.get(), 1000, 1000) == 0);
    CHECK(!openProgram(path));
  }
  CHECK(!openProgram("/usr/bin"));
  CHECK(!openProgram("/usr/bin/there-is-no-such-program"));
}
