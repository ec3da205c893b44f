// What touches files: walks that must not leave their root, prepared targets, account files, removal.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/accounts.h"
#include "../core/channel.h"
#include "../core/descriptor.h"
#include "../core/targets.h"
#include "../core/tree.h"
#include "../core/walk.h"
#include "check.h"

using namespace sing;
using tests::readWhole;
using tests::ScratchDirectory;

namespace {

std::string modeOf(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return "missing";
  char text[16];
  snprintf(text, sizeof text, "%c%04o", S_ISDIR(status.st_mode) ? 'd' : S_ISREG(status.st_mode) ? 'f' : '?', status.st_mode & 07777);
  return text;
}

}  // namespace

TEST("container paths: links and .. stay inside the root") {
  const ScratchDirectory scratch;
  scratch.make("secret", "outside");
  scratch.make("root/inside", "inside");
  scratch.make("root/up -> ../../../secret");
  scratch.make("root/absolute -> /secret");
  scratch.make("root/fine -> /inside");
  const Descriptor root(openat(scratch.descriptor(), "root", O_PATH | O_DIRECTORY));
  for (const char* path : {"/up", "/absolute", "/../secret", "/../../../../secret", "/x"}) CHECK(!openInContainer(root.get(), path, O_PATH));
  auto fine = openInContainer(root.get(), "/fine", O_PATH);
  CHECK(fine);
  if (fine) CHECK_EQUAL(*containerPath(root.get(), fine->get()), "/inside");
}

TEST("container paths: magic links of /proc lead nowhere") {
  const Descriptor root(open("/", O_PATH | O_DIRECTORY));
  CHECK(!openInContainer(root.get(), "/proc/self/exe", O_PATH));
  CHECK(!openInContainer(root.get(), "/proc/self/root/etc", O_PATH));
}

TEST("session paths: no link is followed, not even to a parent") {
  const ScratchDirectory scratch;
  scratch.make("target/");
  scratch.make("link -> target");
  CHECK(!openInSession(scratch.descriptor(), "link", O_PATH | O_DIRECTORY));
  CHECK(!makeSessionDirectory(scratch.descriptor(), "link/below", 0755));
  CHECK_EQUAL(modeOf(scratch.path() + "/target/below"), "missing");
}

TEST("session directories: the mode is exact, parents are 0755") {
  const ScratchDirectory scratch;
  umask(077);
  CHECK(makeSessionDirectory(scratch.descriptor(), "a/b", 01777));
  umask(022);
  CHECK_EQUAL(modeOf(scratch.path() + "/a/b"), "d1777");
}

TEST("prepared targets: made in the layer, with the image's modes on the way, through the image's links") {
  const ScratchDirectory scratch;
  scratch.make("layer/");
  scratch.make("rootfs/home/");
  scratch.make("rootfs/var/");
  scratch.make("rootfs/var/run -> ../run");
  scratch.make("rootfs/run/");
  chmod((scratch.path() + "/rootfs/home").c_str(), 0711);
  const Descriptor rootfs(openat(scratch.descriptor(), "rootfs", O_PATH | O_DIRECTORY)), layer(openat(scratch.descriptor(), "layer", O_PATH | O_DIRECTORY));
  prepareTarget(rootfs.get(), layer.get(), "/home/user", true);
  prepareTarget(rootfs.get(), layer.get(), "/var/run/socket", false);
  prepareTarget(rootfs.get(), layer.get(), "/new/deep/dir", true);
  prepareTarget(rootfs.get(), layer.get(), "/../../out", true);
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/home"), "d0711");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/home/user"), "d0755");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/run/socket"), "f0644");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/var"), "missing");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/new/deep/dir"), "d0755");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/out"), "d0755");
  CHECK_EQUAL(modeOf(scratch.path() + "/out"), "missing");
  CHECK_EQUAL(modeOf(scratch.path() + "/rootfs/home/user"), "missing");
}

TEST("prepared targets: what ends at the wrong type or in a loop of links is left alone") {
  const ScratchDirectory scratch;
  scratch.make("layer/");
  scratch.make("rootfs/file", "text");
  scratch.make("rootfs/loop -> loop");
  scratch.make("rootfs/out -> /../../../tmp");
  const Descriptor rootfs(openat(scratch.descriptor(), "rootfs", O_PATH | O_DIRECTORY)), layer(openat(scratch.descriptor(), "layer", O_PATH | O_DIRECTORY));
  prepareTarget(rootfs.get(), layer.get(), "/file/below", true);
  prepareTarget(rootfs.get(), layer.get(), "/loop/below", true);
  prepareTarget(rootfs.get(), layer.get(), "/out/below", true);
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/file"), "missing");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/loop"), "missing");
  CHECK_EQUAL(modeOf(scratch.path() + "/layer/tmp/below"), "d0755");
  CHECK_EQUAL(modeOf("/tmp/below"), "missing");
}

TEST("passwd: the user's line replaces the one with his id and keeps its shell") {
  const plan::AccountLine user{"alice", "A", "/home/alice", "/bin/zsh", 1000, 1000};
  CHECK_EQUAL(*passwdWith("root:x:0:0::/root:/bin/sh\nbob:x:1000:5:B:/home/bob:/bin/bash\n", user),
              "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000:A:/home/alice:/bin/bash\n");
  CHECK_EQUAL(*passwdWith("bob:x:1000:5:B:/home/bob:", user), "alice:x:1000:1000:A:/home/alice:/bin/zsh\n");
}

TEST("passwd: without such a line the user's comes last, after a newline that was missing") {
  const plan::AccountLine user{"alice", "", "/home/alice", "/bin/sh", 1000, 1000};
  CHECK_EQUAL(*passwdWith("root:x:0:0::/root:/bin/sh", user), "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n");
  CHECK_EQUAL(*passwdWith("", user), "alice:x:1000:1000::/home/alice:/bin/sh\n");
  CHECK_EQUAL(*passwdWith("# note\n+::::::\n\n", user), "# note\n+::::::\n\nalice:x:1000:1000::/home/alice:/bin/sh\n");
}

TEST("passwd and group: a line with too few fields means that nothing is written") {
  CHECK(!passwdWith("root:x:0:0\n", {}));
  CHECK(!groupWith("root\n", {}));
}

TEST("group: only the ids that no line has are added") {
  plan::StagedGroup staged{"group", "alice", {{"users", 100}, {"root", 0}}};
  CHECK_EQUAL(*groupWith("wheel:x:0:\n", staged), "wheel:x:0:\nusers:x:100:alice\n");
}

TEST("removal: takes directories that nobody may write, and never what a link points to") {
  const ScratchDirectory scratch;
  scratch.make("keep/file", "kept");
  scratch.make("gone/closed/file", "x");
  scratch.make("gone/link -> ../keep");
  chmod((scratch.path() + "/gone/closed").c_str(), 0500);
  CHECK(removeTree(scratch.descriptor(), "gone"));
  CHECK_EQUAL(modeOf(scratch.path() + "/gone"), "missing");
  CHECK_EQUAL(readWhole(scratch.path() + "/keep/file"), "kept");
}

TEST("removal: several remove the same") {
  const ScratchDirectory scratch;
  for (int round = 0; round < 20; ++round) {
    for (int number = 0; number < 60; ++number) scratch.make("tree/" + std::to_string(number) + "/below/file");
    auto other = forkChild([&] { return removeTree(scratch.descriptor(), "tree") ? 0 : 1; });
    CHECK(removeTree(scratch.descriptor(), "tree"));
    CHECK(other && waitFor(*other) == 0);
    CHECK_EQUAL(modeOf(scratch.path() + "/tree"), "missing");
  }
}
