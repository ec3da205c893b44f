#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "files.h"

namespace sing {

namespace {

constexpr size_t procFile = 64u << 10;

/// Where things stand in /proc/PID/stat, behind the name (proc(5) counts from 1, and that is its third).
namespace field {
constexpr size_t state = 0, parent = 1, ticks = 11, threads = 17, start = 19, resident = 21;
}

char* titleStart = nullptr;
size_t titleRoom = 0;

Outcome<std::string> readProcFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  // A process that ended while it was looked at says so when it is read.
  if (!file) return Fault{"open " + path, errno == ENOENT ? ESRCH : errno};
  return readToEnd(file.get(), procFile);
}

/// The words behind `name:` in a status file.
std::string statusLine(const std::string& status, const std::string& name) {
  const size_t at = status.find("\n" + name + ":");
  if (at == std::string::npos) return {};
  const size_t start = at + name.size() + 2;
  return status.substr(start, status.find('\n', start) - start);
}

std::vector<std::string_view> wordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

/// 0 for what is no number: no process has that.
uint64_t numberOf(std::string_view word) {
  uint64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

}  // namespace

Outcome<ProcessFacts> lookAtProcess(pid_t pid) {
  if (pid <= 0) return Fault{"look at a process", ESRCH};
  const std::string folder = "/proc/" + std::to_string(pid);
  auto stat = readProcFile(folder + "/stat");
  if (!stat) return stat.fault();
  auto status = readProcFile(folder + "/status");
  if (!status) return status.fault();
  const size_t open = stat->find('('), shut = stat->rfind(')');
  if (open == std::string::npos || shut == std::string::npos || shut < open) return Fault{"read " + folder + "/stat", EINVAL};
  ProcessFacts facts;
  facts.name = stat->substr(open + 1, shut - open - 1);
  const auto fields = wordsOf(std::string_view(*stat).substr(shut + 1));
  const std::string user = statusLine(*status, "Uid"), numbers = statusLine(*status, "NSpid");
  const auto ids = wordsOf(user), pids = wordsOf(numbers);
  if (fields.size() <= field::resident || ids.empty()) return Fault{"read " + folder + "/stat", EINVAL};
  facts.mark = {pid, numberOf(fields[field::start])};
  facts.parent = static_cast<pid_t>(numberOf(fields[field::parent]));
  facts.ended = fields[field::state] == "Z" || fields[field::state] == "X";
  for (size_t index = field::ticks; index < field::ticks + 4; ++index) facts.ticks += numberOf(fields[index]);
  facts.threads = static_cast<unsigned>(numberOf(fields[field::threads]));
  facts.residentPages = numberOf(fields[field::resident]);
  facts.user = static_cast<uid_t>(numberOf(ids[0]));
  // From this namespace to its own.
  facts.first = pids.size() >= 2 && pids.back() == "1";
  return facts;
}

bool isAlive(const ProcessMark& mark, uid_t user) {
  auto facts = lookAtProcess(mark.pid);
  return facts && facts->mark == mark && !facts->ended && facts->user == user;
}

Outcome<HeldProcess> holdProcess(const ProcessMark& mark) {
  Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, mark.pid, 0)));
  if (!pidfd) return failed("hold process " + std::to_string(mark.pid));
  auto facts = lookAtProcess(mark.pid);
  if (!facts) return facts.fault();
  // Not ended by now: what was read in between was about this process and no other with its number.
  pollfd ended{pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, 0) != 0 || facts->mark != mark || facts->ended) return Fault{"hold process " + std::to_string(mark.pid), ESRCH};
  return HeldProcess{std::move(pidfd), std::move(*facts)};
}

std::string bootId() {
  auto id = readProcFile("/proc/sys/kernel/random/boot_id");
  return id ? id->substr(0, id->find('\n')) : std::string();
}

std::string pidNamespace() {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 ? std::to_string(status.st_ino) : std::string();
}

void rememberArguments(int count, char** arguments) {
  if (count < 1) return;
  titleStart = arguments[0];
  // The kernel puts them one behind the other.
  const char* end = titleStart;
  for (int i = 0; i < count && arguments[i] == end; ++i) end = arguments[i] + strlen(arguments[i]) + 1;
  titleRoom = static_cast<size_t>(end - titleStart);
}

void setProcessTitle(const std::string& title) {
  if (titleRoom == 0) return;
  memset(titleStart, 0, titleRoom);
  memcpy(titleStart, title.c_str(), std::min(title.size(), titleRoom - 1));
}

}  // namespace sing
