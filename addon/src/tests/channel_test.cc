#include "../core/channel.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

// Who reads the output of a command waits for the end of everybody who still has it: an instance stays.
TEST("channel: standard streams are given up where there is no /dev/null, too") {
  const sing::tests::ScratchDirectory scratch;
  auto child = sing::forkChild([&] {
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) return 0;
    if (chroot(scratch.path().c_str()) != 0 || chdir("/") != 0) return 2;
    int ends[2];
    struct stat before {}, after {};
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &before) != 0) return 3;
    sing::detachStandardStreams();
    return fstat(STDERR_FILENO, &after) == 0 && before.st_ino != after.st_ino ? 0 : 1;
  });
  CHECK(child);
  if (child) CHECK(sing::waitFor(*child) == 0);
}
