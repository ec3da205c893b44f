// Names of users and groups: the files first, then the site's name services through getent (a static program cannot load them).
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <optional>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "../core/limits.h"
#include "functions.h"

namespace sing::host {

using json::Value;

namespace {

constexpr int deadlineMilliseconds = 5000;
constexpr size_t answerBytes = 4u << 20;

std::vector<std::string> fieldsOf(std::string_view line) {
  std::vector<std::string> fields;
  for (size_t start = 0; start <= line.size();) {
    const size_t colon = std::min(line.find(':', start), line.size());
    fields.emplace_back(line.substr(start, colon - start));
    start = colon + 1;
  }
  return fields;
}

/// Calls `each` with the fields of every line that has one of the keys somewhere in it, until it returns false.
template <typename Each>
void forEachLine(std::string_view text, const std::vector<std::string>& keys, const Each& each) {
  while (!text.empty()) {
    const size_t newline = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, newline);
    bool wanted = false;
    for (const auto& key : keys) wanted = wanted || line.find(key) != std::string_view::npos;
    if (wanted && !each(fieldsOf(line))) return;
    text.remove_prefix(std::min(newline + 1, text.size()));
  }
}

std::optional<uint32_t> idOf(const std::string& text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return id;
}

std::string fileText(const char* path) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  auto text = readRegular(file.get(), limits::accountsFile);
  return text ? *text : std::string();
}

int64_t nowMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

/// What the pipe gives until its end or the deadline.
std::string readUntilDeadline(int pipe, bool& late) {
  const int64_t deadline = nowMilliseconds() + deadlineMilliseconds;
  std::string text;
  char part[4096];
  while (text.size() < answerBytes) {
    const int64_t left = deadline - nowMilliseconds();
    pollfd waiting{pipe, POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      late = true;
      return text;
    }
    const auto got = read(pipe, part, sizeof part);
    if (got <= 0) return text;
    text.append(part, static_cast<size_t>(got));
  }
  late = true;
  return text;
}

/// The output of `getent DATABASE KEY…`, or nothing when there is no getent or it took too long.
std::string getent(const std::string& database, const std::vector<std::string>& keys) {
  // Behind `--`: a name is no flag.
  std::vector<std::string> words = {"getent", "--", database};
  words.insert(words.end(), keys.begin(), keys.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin", language[] = "LC_ALL=C";
  char* environment[] = {path, language, nullptr};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  Descriptor reading(ends[0]), writing(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int error = posix_spawn(&child, "/usr/bin/getent", &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  writing.reset();
  bool late = false;
  std::string text = readUntilDeadline(reading.get(), late);
  if (late) kill(child, SIGKILL);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

/// The first whose field `index` is the key: 0 is the name, 2 the id.
std::optional<Value> accountIn(std::string_view text, size_t index, const std::string& key) {
  std::optional<Value> found;
  forEachLine(text, {key}, [&](const std::vector<std::string>& fields) {
    if (fields.size() < 7) return true;
    const auto id = idOf(fields[2]), group = idOf(fields[3]);
    if (!id || !group || (index == 2 ? std::to_string(*id) : fields[index]) != key) return true;
    found = Value(std::vector<Value::Member>{{"name", fields[0]},
                                             {"uid", *id},
                                             {"gid", *group},
                                             {"gecos", fields[4]},
                                             {"home", fields[5]},
                                             {"shell", fields[6]}});
    return false;
  });
  return found;
}

Value findAccount(size_t index, const std::string& key) {
  if (auto found = accountIn(fileText("/etc/passwd"), index, key)) return *found;
  if (auto found = accountIn(getent("passwd", {key}), index, key)) return *found;
  return hostFailure(ENOENT);
}

std::optional<uint32_t> idArgument(const Value& value) {
  if (value.kind() != Value::Kind::number || value.number() < 0 || value.number() > limits::maxId) return std::nullopt;
  return static_cast<uint32_t>(value.number());
}

void nameGroups(std::string_view text, const std::vector<uint32_t>& ids, std::vector<Value>& names) {
  std::vector<std::string> keys;
  for (const uint32_t id : ids) keys.push_back(std::to_string(id));
  forEachLine(text, keys, [&](const std::vector<std::string>& fields) {
    if (fields.size() < 4) return true;
    const auto id = idOf(fields[2]);
    for (size_t i = 0; id && i < ids.size(); ++i) {
      if (ids[i] == *id && names[i].isNull()) names[i] = Value(fields[0]);
    }
    return true;
  });
}

}  // namespace

Value account(const HostContext&, const HostArguments& arguments) {
  const auto uid = idArgument(arguments[0]);
  return uid ? findAccount(2, std::to_string(*uid)) : hostFailure(EINVAL);
}

Value accountNamed(const HostContext&, const HostArguments& arguments) {
  const std::string& name = arguments[0].text();
  if (name.empty() || name.find_first_of(std::string_view(":\n\0", 3)) != std::string::npos) return hostFailure(EINVAL);
  return findAccount(0, name);
}

Value groupNames(const HostContext&, const HostArguments& arguments) {
  std::vector<uint32_t> ids;
  for (const auto& value : arguments[0].list()) {
    const auto id = idArgument(value);
    if (!id) return hostFailure(EINVAL);
    ids.push_back(*id);
  }
  std::vector<Value> names(ids.size());
  nameGroups(fileText("/etc/group"), ids, names);
  std::vector<std::string> missing;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (names[i].isNull()) missing.push_back(std::to_string(ids[i]));
  }
  if (!missing.empty()) nameGroups(getent("group", missing), ids, names);
  return names;
}

}  // namespace sing::host
