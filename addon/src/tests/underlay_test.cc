// What an underlay makes of an image, in a mount namespace of each test's own.
#include "../core/underlay.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "../core/files.h"
#include "../core/layers.h"
#include "../core/limits.h"
#include "../core/mounting.h"
#include "../core/process.h"
#include "../core/targets.h"
#include "check.h"

using namespace sing;
using tests::readWhole;

namespace {

/// Below its path: `image`, `layer` on a file system of its own, and `at`, where the image is shown.
class Stage {
 public:
  explicit Stage(const tests::ScratchDirectory& scratch) : scratch_(scratch) {
    for (const char* name : {"image/", "layer/", "at/"}) scratch_.make(name);
    auto memory = newFileSystem("tmpfs", "none", {}, {});
    CHECK(memory && attach(memory->get(), open("layer").get()));
  }

  void image(const std::string& entry, const std::string& content = "") const { scratch_.make("image/" + entry, content); }
  std::string path(const std::string& below) const { return scratch_.path() + "/" + below; }

  void wants(const std::string& target, bool directory = true) const { prepareTarget(open("image").get(), open("layer").get(), target, directory); }

  Outcome<size_t> fill(size_t entries = limits::underlayEntries) const {
    auto shown = cloneMount(open("image").get(), false);
    if (!shown) return shown.fault();
    SING_TRY(addFlags(shown->get(), {.readOnly = true, .nosuid = true, .nodev = true}, false, true));
    SING_TRY(attach(shown->get(), open("at").get()));
    return fillUnderlay(open("layer").get(), shown->get(), entries);
  }

  void fills(size_t binds) const {
    auto filled = fill();
    if (!filled) return tests::fail(__FILE__, __LINE__, filled.fault().sentence());
    CHECK_EQUAL(std::to_string(*filled), std::to_string(binds));
  }

  /// What somebody in the container sees of a directory, and of what kind it is.
  std::string list(const std::string& below) const {
    std::vector<std::string> found;
    DIR* stream = opendir(path(below).c_str());
    if (!stream) return "none";
    while (const dirent* entry = readdir(stream)) {
      const std::string name = entry->d_name;
      struct stat status {};
      if (name == "." || name == ".." || fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      found.push_back(name + (S_ISDIR(status.st_mode) ? "/" : S_ISLNK(status.st_mode) ? "@" : S_ISSOCK(status.st_mode) ? "=" : ""));
    }
    closedir(stream);
    std::ranges::sort(found);
    std::string text;
    for (const auto& name : found) text += name + " ";
    return text;
  }

 private:
  /// By its path: the scratch directory's own descriptor is of the mount namespace before.
  Descriptor open(const char* name) const { return Descriptor(::open(path(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

  const tests::ScratchDirectory& scratch_;
};

bool writeMap(const char* file, unsigned id) {
  const Descriptor map(open(file, O_WRONLY | O_CLOEXEC));
  return map && writeAll(map.get(), "0 " + std::to_string(id) + " 1");
}

/// Whether this process may mount from here on, without anybody seeing it.
bool separate() {
  const unsigned uid = geteuid(), gid = getegid();
  if (uid == 0) return unshare(CLONE_NEWNS) == 0 && setPropagation(false);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  const Descriptor groups(open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC));
  return writeAll(groups.get(), "deny") && writeMap("/proc/self/uid_map", uid) && writeMap("/proc/self/gid_map", gid);
}

/// A test that mounts.
void staged(const std::function<void(const Stage&)>& body) {
  const tests::ScratchDirectory scratch;
  fflush(stdout);
  auto child = forkChild([&] {
    const int before = tests::failures();
    if (!separate()) return 2;
    body(Stage(scratch));
    fflush(stdout);
    return tests::failures() == before ? 0 : 1;
  });
  CHECK(child);
  const int status = child ? waitFor(*child) : -1;
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

TEST("underlay: file systems that cannot lie below an overlay are known") {
  for (const uint32_t magic : {0x0BD00BD0u, 0x47504653u, 0xAAD7AAEAu, 0xF15Fu}) CHECK(unfitFileSystem(magic));
  for (const uint32_t magic : {0x6969u, 0x65735546u, 0xEF53u, 0x58465342u, 0u}) CHECK(!unfitFileSystem(magic));
  CHECK(!unfitAsLayer(AT_FDCWD));
}

TEST("underlay: nothing is covered when nothing is missing") {
  staged([](const Stage& stage) {
    stage.image("home/");
    stage.image("etc/hosts", "image");
    stage.wants("/home");
    stage.wants("/etc/hosts", false);
    stage.fills(0);
    CHECK_EQUAL(stage.list("at"), "etc/ home/ ");
  });
}

TEST("underlay: only the directory that lacks something is covered, and shows everything else of it") {
  staged([](const Stage& stage) {
    stage.image("usr/lib/a/file", "content");
    stage.image("usr/lib/a/sub/deep", "deep");
    stage.image("usr/lib/a/link -> ../../../etc");
    stage.image("usr/lib/a/new\nline", "1");
    stage.image("usr/lib/a/\xff\x1b[31m", "2");
    stage.image("usr/bin/");
    stage.image("etc/");
    stage.wants("/usr/lib/a/made/twice");
    stage.wants("/usr/lib/a/made/twice/file", false);
    stage.fills(4);
    CHECK_EQUAL(stage.list("at"), "etc/ usr/ ");
    CHECK_EQUAL(stage.list("at/usr/lib/a"), "file link@ made/ new\nline sub/ \xff\x1b[31m ");
    CHECK_EQUAL(stage.list("at/usr/lib/a/made/twice"), "file ");
    CHECK_EQUAL(readWhole(stage.path("at/usr/lib/a/file")), "content");
    CHECK_EQUAL(readWhole(stage.path("at/usr/lib/a/sub/deep")), "deep");
    CHECK_EQUAL(readWhole(stage.path("at/usr/lib/a/new\nline")), "1");
    CHECK_EQUAL(stage.list("image/usr/lib/a"), "file link@ new\nline sub/ \xff\x1b[31m ");
  });
}

TEST("underlay: covers within covers, and what lies between them") {
  staged([](const Stage& stage) {
    stage.image("a/between/b/file", "b");
    stage.image("a/between/file", "between");
    stage.image("a/file", "a");
    stage.wants("/a/between/b/made", false);
    stage.wants("/a/made");
    stage.wants("/made");
    stage.fills(4);  // a; between, file; file
    CHECK_EQUAL(stage.list("at"), "a/ made/ ");
    CHECK_EQUAL(stage.list("at/a"), "between/ file made/ ");
    CHECK_EQUAL(stage.list("at/a/between"), "b/ file ");
    CHECK_EQUAL(stage.list("at/a/between/b"), "file made ");
    CHECK_EQUAL(readWhole(stage.path("at/a/between/b/file")), "b");
  });
}

TEST("underlay: nothing of it can be written") {
  staged([](const Stage& stage) {
    stage.image("etc/file", "image");
    stage.wants("/etc/made", false);
    stage.fills(1);
    for (const char* name : {"at/etc/file", "at/etc/made", "at/etc/more", "at/more"}) {
      CHECK(open(stage.path(name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0 && errno == EROFS);
    }
    CHECK_EQUAL(stage.list("image/etc"), "file ");
  });
}

TEST("underlay: links of the image are followed inside it, and lead nowhere else") {
  staged([](const Stage& stage) {
    stage.image("out -> ../../../../tmp");
    stage.image("run/");
    stage.image("var/run -> /run");
    stage.image("loop -> loop");
    stage.wants("/out/of");
    stage.wants("/var/run/socket", false);
    stage.wants("/loop/below");
    stage.fills(2);  // run, var
    CHECK_EQUAL(stage.list("at"), "loop@ out@ run/ tmp/ var/ ");
    CHECK_EQUAL(stage.list("at/tmp"), "of/ ");
    CHECK_EQUAL(stage.list("at/run"), "socket ");
    CHECK_EQUAL(stage.list("at/var"), "run@ ");
  });
}

TEST("underlay: a target below a file or a socket is left alone; sockets are shown") {
  staged([](const Stage& stage) {
    stage.image("file", "content");
    const Descriptor listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stage.path("image/socket").copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK(bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    stage.wants("/file/below");
    stage.wants("/socket/below", false);
    stage.wants("/made");
    stage.fills(2);
    CHECK_EQUAL(stage.list("at"), "file made/ socket= ");
  });
}

TEST("underlay: where the image became something else meanwhile, the mount point stays, and the image as it is") {
  staged([](const Stage& stage) {
    stage.image("a/file", "a");
    stage.image("b/file", "b");
    stage.wants("/a/made");
    stage.wants("/b/made");
    CHECK(rename(stage.path("image/a").c_str(), stage.path("image/c").c_str()) == 0);
    stage.image("a -> /etc");
    CHECK(unlink(stage.path("image/b/file").c_str()) == 0 && rmdir(stage.path("image/b").c_str()) == 0);
    stage.image("b", "file");
    stage.fills(1);
    CHECK_EQUAL(stage.list("at"), "a/ b/ c/ ");
    CHECK_EQUAL(stage.list("at/a"), "made/ ");
    CHECK_EQUAL(readWhole(stage.path("image/b")), "file");
  });
}

TEST("underlay: directories with too many entries are a fault, also together") {
  staged([](const Stage& stage) {
    for (const char* directory : {"a/", "b/"}) {
      for (int number = 0; number < 30; ++number) stage.image(directory + std::to_string(number));
    }
    stage.wants("/a/made");
    stage.wants("/b/made");
    auto filled = stage.fill(59);
    CHECK(!filled);
    if (!filled) CHECK(filled.fault().sentence().find("more than 20000 entries") != std::string::npos);
    CHECK(umount2(stage.path("at").c_str(), MNT_DETACH) == 0);
    CHECK(!stage.fill(20));
  });
}

TEST("underlay: mount points that lie too deep are a fault") {
  staged([](const Stage& stage) {
    std::string deep;
    for (size_t level = 0; level <= limits::underlayDepth; ++level) {
      deep += "d/";
      stage.image(deep);
    }
    stage.wants("/" + deep + "made");
    auto filled = stage.fill();
    CHECK(!filled);
    if (!filled) CHECK(filled.fault().sentence().find("deep in the image") != std::string::npos);
  });
}
