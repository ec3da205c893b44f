// Where the program's parts are, and what it hands to Node.
#pragma once

#include <string>
#include <vector>

namespace sing {

struct Installation {
  /// The folder that holds bin/, dist/, addon/, node_modules/.
  std::string root;
  /// The folder of this program itself, beside which its shell lies.
  std::string own;
};

/// Found from /proc/self/exe: `<root>/addon/build/sing`, or a copy `<root>/bin/sing`.
Installation findInstallation();

/// The environment as the caller gave it. Variables that were set aside for a Node process on the way are put back.
std::vector<std::string> originalEnvironment(char** environment);

/// The environment for Node: variables that would change how Node or its loader works are set aside as `SING_KEPT_<name>`.
std::vector<std::string> environmentForNode(const std::vector<std::string>& environment);

/// Replaces the process by the command line's Node part. Returns only when that failed, after saying why, with the status.
int becomeNode(const Installation& installation, const std::vector<std::string>& words, const std::vector<std::string>& environment);

}  // namespace sing
