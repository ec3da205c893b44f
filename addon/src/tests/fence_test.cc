// What a fenced program cannot do, tried by a child that is fenced.
#include "../programs/fence.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/channel.h"
#include "check.h"

using namespace sing;

namespace {

/// The number of the first thing that could be done although it must not be; 0: none.
int tryCalls() {
  int number = 0;
  const auto denied = [&](bool refused) {
    ++number;
    return refused;
  };
  if (!denied(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM)) return number;
  if (!denied(kill(getppid(), 0) < 0 && errno == EPERM)) return number;
  if (!denied(ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr) < 0 && errno == EPERM)) return number;
  if (!denied(unshare(CLONE_NEWNS) < 0 && errno == EPERM)) return number;
  if (!denied(umount2("/", MNT_DETACH) < 0 && errno == EPERM)) return number;
  if (!denied(syscall(SYS_fsopen, "tmpfs", 0) < 0 && errno == ENOSYS)) return number;
  if (!denied(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr) < 0 && errno == EPERM)) return number;
  if (!denied(syscall(SYS_bpf, 0, nullptr, 0) < 0 && errno == EPERM)) return number;
  return 0;
}

int statusOf(const std::function<int()>& work) {
  auto child = forkChild(work);
  if (!child) return -1;
  const int status = waitFor(*child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST("fence: other processes, sockets, namespaces and mounts are out of reach; a mount call waits for an answer") {
  CHECK(statusOf([] {
          prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
          auto listener = fenceCalls();
          if (!listener) return 100;
          const int first = tryCalls();
          if (first) return first;
          // Nobody is left to answer: the call fails, and has mounted nothing.
          listener->reset();
          return mount("none", "/", "tmpfs", 0, "") < 0 && errno == ENOSYS ? 0 : 101;
        }) == 0);
}

TEST("fence: of files only the image is there, and it is not written unless it may be") {
  if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) return;
  const tests::ScratchDirectory scratch;
  scratch.make("image", "x");
  scratch.make("other", "x");
  for (const bool writes : {false, true}) {
    CHECK(statusOf([&] {
            const Descriptor image(openat(scratch.descriptor(), "image", O_RDWR));
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if (!fencePaths({.image = image.get(), .writes = writes})) return 1;
            const std::string again = "/proc/self/fd/" + std::to_string(image.get());
            if (!Descriptor(open(again.c_str(), O_RDONLY))) return 2;
            if (static_cast<bool>(Descriptor(open(again.c_str(), O_RDWR))) != writes) return 3;
            if (Descriptor(openat(scratch.descriptor(), "other", O_RDONLY))) return 4;
            if (Descriptor(openat(scratch.descriptor(), "new", O_WRONLY | O_CREAT, 0600))) return 5;
            if (Descriptor(open("/etc/passwd", O_RDONLY))) return 6;
            return Descriptor(open("/dev/null", O_RDWR)) ? 0 : 7;
          }) == 0);
  }
}
