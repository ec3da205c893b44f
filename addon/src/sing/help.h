// Help texts, printed without starting Node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "installation.h"

namespace sing {

/// Whether words may be a line of the help texts at all: looked at first, so that a start of a container reads no file for it.
bool mayAskForHelp(const std::vector<std::string>& words);

/// Prints the help text that the command line in Node would print for these words, and gives its status. Nothing when the words
/// ask for no help, a variable of the environment may change the answer, or the texts (dist/cli/sing.help; see
/// scripts/build-cli.mjs and libs/cli/src/help-index.ts) are not of the same build as the program and dist/cli/sing.cjs.
std::optional<int> answerHelp(const Installation& installation, const std::vector<std::string>& words,
                              const std::vector<std::string>& environment);

}  // namespace sing
