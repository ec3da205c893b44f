#include "enter_directory.h"

#include <unistd.h>

#include "messages.h"

namespace sing {

Outcome<std::string> enterFirst(const std::vector<plan::WorkingDirectory>& candidates) {
  Fault last;
  for (const auto& candidate : candidates) {
    if (chdir(candidate.path.c_str()) == 0) {
      char path[4096];
      return std::string(getcwd(path, sizeof path) ? path : "/");
    }
    last = failed("entering directory " + candidate.path);
    if (candidate.onFailure == plan::OnFailure::fatal) break;
    if (candidate.onFailure != plan::OnFailure::silent) say(candidate.onFailure == plan::OnFailure::warning ? Level::warning : Level::verbose, "while " + last.sentence());
  }
  return last;
}

}  // namespace sing
