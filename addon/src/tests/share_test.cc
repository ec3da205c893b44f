// Sharing an image server: the folder of the sockets, keys, and servers that are none. Real servers: test/native/shared-server.spec.ts.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/channel.h"
#include "../squash/share.h"
#include "check.h"

using namespace sing;
using tests::ScratchDirectory;

namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

ImagePart openPart(const ScratchDirectory& scratch) { return {open((scratch.path() + "/image").c_str(), O_RDONLY | O_CLOEXEC), 0, 4}; }

/// Milliseconds: longer than any machine takes to answer. One who never does is not waited for that long.
constexpr int patience = 30'000, littlePatience = 200;

ShareRequest requestFor(const ScratchDirectory& scratch, const ImagePart& part, plan::SharedBy by = plan::SharedBy::fuse) {
  return {.image = {.handle = part.image, .path = "image", .fileSystem = plan::FileSystem::squashfs, .offset = part.offset, .size = part.size}, .by = by, .mountPoint = "/mnt", .folder = scratch.path() + "/sockets", .idleSeconds = 1, .patience = patience};
}

/// A process that listens as the server of this request, and does `work` with every connection, until it is destroyed.
class FakeServer {
 public:
  FakeServer(const ShareRequest& request, const std::function<void(int)>& work, uid_t user = geteuid()) {
    auto folder = SocketFolder::open(request.folder);
    auto socket = folder->publish(nameOfKey(*sharedKey(partOf(request.image), request.by, request.idleSeconds)));
    auto ready = openChannel();
    child_ = *forkChild([&]() -> int {
      // Who listens last is who the kernel tells to those who connect.
      if (user != geteuid() && (setresuid(user, user, user) != 0 || listen(socket->listener.get(), 8) != 0)) return 1;
      if (!sendMessage(ready->there.get(), "")) return 1;
      fcntl(socket->listener.get(), F_SETFL, 0);
      std::vector<int> open;
      while (true) {
        open.push_back(accept(socket->listener.get(), nullptr, nullptr));
        work(open.back());
      }
    });
    [[maybe_unused]] const auto begun = receiveMessage(ready->here.get());
  }
  ~FakeServer() {
    kill(child_, SIGKILL);
    waitFor(child_);
  }

 private:
  pid_t child_;
};

std::string answerOf(const ScratchDirectory& scratch, const std::function<void(int)>& work, plan::SharedBy by = plan::SharedBy::fuse, int waits = patience) {
  const auto part = openPart(scratch);
  auto request = requestFor(scratch, part, by);
  request.patience = waits;
  const FakeServer server(request, work);
  const auto shared = shareImage(request);
  close(part.image);
  return shared ? "a mount" : shared.fault().sentence();
}

}  // namespace

TEST("socket folder: is made for its user alone, whatever the umask") {
  const ScratchDirectory scratch;
  umask(0);
  CHECK(SocketFolder::open(scratch.path() + "/one"));
  umask(0777);
  CHECK(SocketFolder::open(scratch.path() + "/two"));
  umask(022);
  for (const char* name : {"/one", "/two"}) {
    struct stat status {};
    CHECK(stat((scratch.path() + name).c_str(), &status) == 0);
    CHECK_EQUAL(std::to_string(status.st_mode & 07777), std::to_string(0700));
  }
}

TEST("socket folder: a link, a file, another mode and another user's are refused") {
  const ScratchDirectory scratch;
  scratch.make("fine/");
  scratch.make("file", "text");
  scratch.make("link -> fine");
  scratch.make("open/");
  scratch.make("sticky/");
  chmod((scratch.path() + "/fine").c_str(), 0700);
  chmod((scratch.path() + "/open").c_str(), 0710);
  chmod((scratch.path() + "/sticky").c_str(), 01700);
  CHECK(SocketFolder::open(scratch.path() + "/fine"));
  for (const char* name : {"/file", "/link", "/open", "/sticky"}) CHECK(!SocketFolder::open(scratch.path() + name));
  if (geteuid() != 0) return;
  CHECK(chown((scratch.path() + "/fine").c_str(), 61234, 61234) == 0);
  CHECK(!SocketFolder::open(scratch.path() + "/fine"));
}

TEST("socket folder: a name is given once, and again when nobody listens; the folder goes with the last") {
  const ScratchDirectory scratch;
  auto folder = SocketFolder::open(scratch.path() + "/sockets");
  CHECK(folder);
  auto first = folder->publish("name");
  CHECK(first);
  CHECK(!folder->publish("name"));
  CHECK(folder->connect("name"));
  const ino_t gone = first->inode;
  first->listener.reset();
  CHECK(!folder->connect("name"));
  auto dead = folder->publish("dead");
  dead->listener.reset();
  auto second = folder->publish("name");
  CHECK(second);
  CHECK(!exists(scratch.path() + "/sockets/dead"));
  if (gone != second->inode) folder->withdraw("name", gone);
  CHECK(folder->connect("name"));
  folder->withdraw("name", second->inode);
  CHECK(!exists(scratch.path() + "/sockets"));
}

TEST("shared key: another file, another time, another part of it, another way and another idle time are other keys") {
  const ScratchDirectory scratch;
  scratch.make("image", "1234");
  const auto part = openPart(scratch);
  using enum plan::SharedBy;
  const auto key = sharedKey(part, fuse, 5);
  CHECK(key);
  CHECK_EQUAL(*sharedKey(part, fuse, 5), *key);
  CHECK(*sharedKey(part, fuse, 6) != *key);
  CHECK(*sharedKey(part, loop, 5) != *key);
  CHECK(*sharedKey({part.image, 1, 3}, fuse, 5) != *key);
  CHECK(nameOfKey(*sharedKey(part, fuse, 6)) != nameOfKey(*key));
  const timespec times[2] = {{1, 0}, {1, 0}};
  futimens(part.image, times);
  CHECK(*sharedKey(part, fuse, 5) != *key);
  close(part.image);
}

TEST("shared server: one that is silent is not waited for, and loses its name") {
  const ScratchDirectory scratch;
  scratch.make("image", "1234");
  CHECK_EQUAL(answerOf(scratch, [](int) {}, plan::SharedBy::fuse, littlePatience), "wait for the image server: Connection timed out");
  CHECK(!exists(scratch.path() + "/sockets"));
}

TEST("shared server: one that ends each time, and answers that are none, are faults") {
  const ScratchDirectory scratch;
  scratch.make("image", "1234");
  CHECK_EQUAL(answerOf(scratch, [](int line) { shutdown(line, SHUT_RDWR); }), "The image server ended as often as it was asked");
  CHECK_EQUAL(answerOf(scratch, [](int line) { (void)sendMessage(line, "It is broken"); }), "It is broken");
  CHECK_EQUAL(answerOf(scratch, [](int line) { (void)sendMessage(line, ""); }), "Expected a mount from the image server, got something else");
  CHECK_EQUAL(answerOf(scratch, [](int line) { (void)sendMessage(line, "", {0, 0}); }), "Expected a mount from the image server, got something else");
}

TEST("shared server: what is not the kernel's mount of the image is not taken for it") {
  const ScratchDirectory scratch;
  scratch.make("image", "1234");
  CHECK_EQUAL(answerOf(scratch, [](int line) { (void)sendMessage(line, "", {0}); }, plan::SharedBy::loop), "Expected the kernel's mount of image, got another one");
  CHECK_EQUAL(answerOf(scratch, [](int line) { (void)sendMessage(line, "", {0}); }), "a mount");
}

TEST("shared server: one of another user is not asked") {
  if (geteuid() != 0) return;
  const ScratchDirectory scratch;
  scratch.make("image", "1234");
  const auto part = openPart(scratch);
  const auto request = requestFor(scratch, part);
  const FakeServer server(request, [](int line) { (void)sendMessage(line, "", {0}); }, 61234);
  const auto shared = shareImage(request);
  close(part.image);
  CHECK(!shared);
  if (!shared) CHECK_EQUAL(shared.fault().sentence(), "Expected an image server of user 0, got one of user 61234");
}

TEST("channel: what was said before the other end went away arrives, also when that took nothing") {
  auto channel = openChannel();
  CHECK(channel);
  CHECK(sendMessage(channel->there.get(), "last words"));
  CHECK(sendMessage(channel->here.get(), "not read"));
  channel->there.reset();
  auto message = receiveMessage(channel->here.get());
  CHECK(message);
  if (message) CHECK_EQUAL(message->text, "last words");
  CHECK(!receiveMessage(channel->here.get()));
}
