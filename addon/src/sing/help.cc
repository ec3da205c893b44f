#include "help.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "../core/limits.h"
#include "../core/messages.h"

namespace sing {

namespace {

/// Takes the part in front of a character off a text, and the character; everything when the character is not there.
std::string_view take(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(taken.size() + 1, text.size()));
  return taken;
}

std::optional<size_t> takeNumber(std::string_view& text, char end) {
  const std::string_view digits = take(text, end);
  size_t value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string readFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto content = file ? readRegular(file.get(), limits::helpFile) : Outcome<std::string>(failed("open"));
  return content ? std::move(*content) : std::string();
}

/// Whether the texts begin with the very entry of the command line that lies beside them, which they are moved past.
bool belongTo(const std::string& entry, std::string_view& texts) {
  if (entry.empty() || take(texts, ' ') != "entry") return false;
  const auto bytes = takeNumber(texts, '\n');
  if (!bytes || *bytes > texts.size() || texts.substr(0, *bytes) != entry) return false;
  texts.remove_prefix(*bytes);
  return true;
}

bool isSet(std::string_view name, const std::vector<std::string>& environment) {
  for (const auto& entry : environment) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) return true;
  }
  return false;
}

/// Whether one of the variables of a line `unless NAME NAME…` is set.
bool isUncertain(std::string_view names, const std::vector<std::string>& environment) {
  while (!names.empty()) {
    if (isSet(take(names, ' '), environment)) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

struct Text {
  int status;
  int descriptor;
  std::string_view text;
};

/// The text of the line with these words: `line STATUS STREAM OFFSET BYTES WORD…`, up to an empty line; offsets count from behind it.
std::optional<Text> findText(std::string_view index, const std::string& words) {
  const size_t end = index.find("\n\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view texts = index.substr(end + 2);
  std::string_view lines = index.substr(0, end + 1);
  while (!lines.empty()) {
    std::string_view line = take(lines, '\n');
    if (take(line, ' ') != "line") return std::nullopt;
    const auto status = takeNumber(line, ' ');
    const std::string_view stream = take(line, ' ');
    const auto offset = takeNumber(line, ' '), bytes = takeNumber(line, ' ');
    if (line != words) continue;
    if (!status || *status > 255 || !offset || !bytes) return std::nullopt;
    if (*offset > texts.size() || *bytes > texts.size() - *offset) return std::nullopt;
    return Text{static_cast<int>(*status), stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO, texts.substr(*offset, *bytes)};
  }
  return std::nullopt;
}

}  // namespace

bool mayAskForHelp(const std::vector<std::string>& words) {
  constexpr size_t most = 5;
  if (words.size() > most) return false;
  for (const auto& word : words) {
    // Words of the index are parted by blanks.
    if (word.empty() || word.find_first_of(" \n") != std::string::npos) return false;
  }
  // A group without its verb is answered with its help, too.
  return words.size() < 2 || words[0] == "help" || words.back() == "--help" || words.back() == "-h";
}

std::optional<int> answerHelp(const Installation& installation, const std::vector<std::string>& words,
                              const std::vector<std::string>& environment) {
  const std::string folder = installation.root + "/dist/cli";
  const std::string content = readFile(folder + "/sing.help");
  std::string_view index = content;
  if (!belongTo(readFile(folder + "/sing.cjs"), index)) return std::nullopt;
  if (take(index, '\n') != "help sing " SING_VERSION) return std::nullopt;
  if (take(index, ' ') != "unless") return std::nullopt;
  if (isUncertain(take(index, '\n'), environment)) return std::nullopt;
  const auto found = findText(index, joined(words));
  if (!found) return std::nullopt;
  return printResult(found->descriptor, found->text, found->status);
}

}  // namespace sing
