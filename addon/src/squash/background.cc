#include "background.h"

#include <signal.h>
#include <unistd.h>

#include "../core/channel.h"

namespace sing {

void leaveCaller(const std::vector<int>& keep) {
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  closeAllBut(keep);
  detachStandardStreams();
  [[maybe_unused]] const int moved = chdir("/");
}

}  // namespace sing
