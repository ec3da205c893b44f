#include "background.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../core/channel.h"

namespace sing {

void leaveCaller(const std::vector<int>& keep) {
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "sing-image");
  closeAllBut(keep);
  detachStandardStreams();
  [[maybe_unused]] const int moved = chdir("/");
}

}  // namespace sing
