// Messages to stderr in the form of runtime contract §1.2.
#pragma once

#include <string>
#include <string_view>

namespace sing {

enum class Level { fatal = -4, error = -3, warning = -2, log = -1, info = 1, verbose = 3, debug = 5 };

/// Which messages are printed, and how. One per process.
struct MessageStyle {
  int level = 1;
  bool colour = false;
};

void setMessageStyle(MessageStyle style);

/// Prints `LEVEL:   text` when the level allows it. Control characters of `text` other than newline and tab are shown as `?`.
void say(Level level, const std::string& text);

/// Writes a result to a standard stream and gives `status`; when it cannot be written, says so and gives 255.
int printResult(int descriptor, std::string_view text, int status = 0);

/// The level of a word of the contract ("WARNING"); log when unknown.
Level levelNamed(const std::string& word);

}  // namespace sing
