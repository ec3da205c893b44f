// Where the folder of instances may be: what a link in the place of the configuration folder leads to.
#include <sys/stat.h>
#include <unistd.h>

#include "../core/instance_folder.h"
#include "check.h"

using sing::InstanceFolder;
using sing::tests::ScratchDirectory;

namespace {

struct Linked {
  ScratchDirectory scratch;
  std::string link = scratch.path() + "/config", target = scratch.path() + "/target";
  sing::plan::InstancePlace place{link, "host", "user"};

  Linked() {
    scratch.make("target/");
    scratch.make("config -> target");
    chmod(target.c_str(), 0755);
  }
  mode_t mode() const {
    struct stat status {};
    return stat(target.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
};

}  // namespace

TEST("instance: the configuration folder may be a link of its owner") {
  const Linked linked;
  CHECK(InstanceFolder::open(linked.place, geteuid(), true));
  CHECK(linked.mode() == 0700);
}

TEST("instance: a link of somebody else leads nowhere, and closes no folder to others") {
  const Linked linked;
  // Root can make a link that is not its own; anybody can ask for the folder of another.
  const uid_t owner = geteuid() == 0 ? 0 : geteuid() + 1;
  if (owner == 0) CHECK(lchown(linked.link.c_str(), 4711, 4711) == 0);
  for (const bool make : {false, true}) {
    auto opened = InstanceFolder::open(linked.place, owner, make);
    CHECK(!opened && opened.fault().sentence().find("Expected the link ") == 0);
  }
  CHECK(linked.mode() == 0755);
  CHECK(access((linked.target + "/instances").c_str(), F_OK) != 0);
}
