#include "messages.h"

#include <unistd.h>

#include <iterator>

#include "files.h"

namespace sing {

namespace {

MessageStyle style;

struct Look {
  Level level;
  const char* word;
  const char* colour;
};

constexpr Look looks[] = {{Level::fatal, "FATAL", "\x1b[31m"},   {Level::error, "ERROR", "\x1b[31m"},
                          {Level::warning, "WARNING", "\x1b[33m"}, {Level::log, "LOG", ""},
                          {Level::info, "INFO", "\x1b[34m"},     {Level::verbose, "VERBOSE", "\x1b[34m"},
                          {Level::debug, "DEBUG", ""}};

}  // namespace

void setMessageStyle(MessageStyle wanted) { style = wanted; }

Level levelNamed(const std::string& word) {
  for (const auto& look : looks) {
    if (word == look.word) return look.level;
  }
  return Level::log;
}

void say(Level level, const std::string& text) {
  if (static_cast<int>(level) > style.level) return;
  const Look* look = &looks[3];
  for (const auto& candidate : looks) {
    if (candidate.level == level) look = &candidate;
  }
  const bool coloured = style.colour && *look->colour;
  const bool debugging = style.level >= static_cast<int>(Level::debug);
  std::string head = look->word;
  if (!debugging) head += ':';
  if (head.size() < 8) head.append(8 - head.size(), ' ');
  if (debugging) head += " [U=" + std::to_string(getuid()) + ",P=" + std::to_string(getpid()) + "]  ";
  std::string line = coloured ? look->colour + head + "\x1b[0m " : head + ' ';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    line.push_back((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f ? '?' : c);
  }
  line.push_back('\n');
  // One write, so that lines of several processes do not mix; a reader that is gone is not our failure.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

int printResult(int descriptor, std::string_view text, int status) {
  const auto written = writeAll(descriptor, text);
  if (written) return status;
  say(Level::fatal, "Cannot write the output: " + errorText(written.fault().error));
  return 255;
}

}  // namespace sing
