// The program `sing`: the verbs that start something are answered here, everything else becomes Node.
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "../core/capabilities.h"
#include "../core/execute.h"
#include "../core/files.h"
#include "../core/join.h"
#include "../core/limits.h"
#include "../core/messages.h"
#include "../core/process.h"
#include "../core/report.h"
#include "../planner/engine.h"
#include "../squash/unpacked.h"
#include "help.h"
#include "installation.h"
#include "instances.h"
#include "planning.h"

extern char** environ;

namespace sing {

namespace {

using json::Value;

constexpr int fatalStatus = 255;

/// Closed standard descriptors would be given to the next file that is opened, and then be read or written by mistake.
void openStandardStreams() {
  for (int number = 0; number <= 2; ++number) {
    while (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDWR) >= 0) {
    }
  }
}

int sayFatal(const std::string& text) {
  say(Level::fatal, text);
  return fatalStatus;
}

/// The index of the verb: past the flags that stand before it.
size_t verbIndex(const std::vector<std::string>& words) {
  size_t index = 0;
  while (index < words.size() && words[index].size() > 1 && words[index][0] == '-') {
    const bool takesValue = words[index] == "-c" || words[index] == "--config";
    index += takesValue ? 2 : 1;
  }
  return index;
}

bool isNativeVerb(std::string_view verb) {
  for (const std::string_view native : {"exec", "run", "shell", "test", "instance"}) {
    if (verb == native) return true;
  }
  return false;
}

std::string textMember(const Value& value, std::string_view name) {
  const Value* member = value.member(name);
  return member && member->kind() == Value::Kind::text ? member->text() : std::string();
}

void printMessages(const Value& answer) {
  const Value* messages = answer.member("messages");
  if (!messages) return;
  for (const auto& message : messages->list()) say(levelNamed(textMember(message, "level")), textMember(message, "text"));
}

int printAnswer(const Value& answer) {
  const Value *level = answer.member("level"), *colour = answer.member("colour"), *status = answer.member("status");
  if (!level || !colour || !status) return sayFatal("planner: an answer without level, colour or status");
  setMessageStyle({static_cast<int>(level->number()), colour->boolean()});
  printMessages(answer);
  const int wanted = static_cast<int>(status->number());
  const int said = printResult(STDERR_FILENO, textMember(answer, "stderr"), wanted);
  return said == wanted ? printResult(STDOUT_FILENO, textMember(answer, "stdout"), wanted) : said;
}

int launch(const Value& answer, const Installation& installation) {
  const Value* document = answer.member("plan");
  auto plan = document ? plan::read(*document) : Outcome<plan::LaunchPlan>(refused("an answer without a plan"));
  if (!plan) return sayFatal("planner: " + plan.fault().sentence());
  setMessageStyle({plan->messages.level, plan->messages.colour});
  printMessages(answer);
  return execute(*plan, {.ownShell = installation.own + "/sh"});
}

int join(const Value& answer, const Installation& installation) {
  const Value* document = answer.member("plan");
  auto plan = document ? plan::readJoin(*document) : Outcome<plan::JoinPlan>(refused("an answer without a plan"));
  if (!plan) return sayFatal("planner: " + plan.fault().sentence());
  setMessageStyle({plan->messages.level, plan->messages.colour});
  printMessages(answer);
  return joinInstance(*plan, {.ownShell = installation.own + "/sh"});
}

/// Nobody else is there to see the moment in which it is another one.
unsigned ownUmask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

void closeHandles(const Value& answer) {
  const Value* handles = answer.member("close");
  if (!handles) return;
  for (const auto& handle : handles->list()) {
    if (handle.kind() == Value::Kind::number && handle.number() > 2) close(static_cast<int>(handle.number()));
  }
}

int answerWords(const std::vector<std::string>& words) {
  const Installation installation = findInstallation();
  HostContext context{installation.root, originalEnvironment(environ), effectiveCapabilities(), ownUmask()};
  if (mayAskForHelp(words)) {
    if (const auto status = answerHelp(installation, words, context.environment)) return *status;
  }
  const size_t verb = verbIndex(words);
  if (verb >= words.size() || !isNativeVerb(words[verb])) return becomeNode(installation, words, context.environment);
  auto answer = planCommandLine(words, context);
  if (!answer) return sayFatal(answer.fault().sentence());
  const std::string kind = textMember(*answer, "kind");
  if (kind == "launch") return launch(*answer, installation);
  if (kind == "join") return join(*answer, installation);
  if (kind == "instances") return answerInstances(*answer);
  if (kind == "print") return printAnswer(*answer);
  if (kind != "node") return sayFatal("planner: an answer of the unknown kind '" + kind + "'");
  closeHandles(*answer);
  return becomeNode(installation, words, context.environment);
}

std::optional<int> descriptorNumber(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 3) return std::nullopt;
  return fcntl(number, F_SETFD, FD_CLOEXEC) == 0 ? std::optional(number) : std::nullopt;
}

/// `--execute-plan PLAN [REPORT LIFELINE]`, descriptors all: how the binding of Node starts a plan. Whoever can call this could
/// do the same by hand: the program has no privilege that its caller has not.
int executeGivenPlan(const std::vector<std::string>& words) {
  const auto source = words.size() >= 2 ? descriptorNumber(words[1]) : std::nullopt;
  if (!source) return sayFatal("Expected an open descriptor with a launch plan after --execute-plan");
  ExecuteOptions options{.ownShell = findInstallation().own + "/sh"};
  if (words.size() >= 4) {
    const auto report = descriptorNumber(words[2]), lifeline = descriptorNumber(words[3]);
    if (!report || !lifeline) return sayFatal("Expected open descriptors for report and lifeline after --execute-plan");
    setReportDescriptor(*report);
    options.lifeline = *lifeline;
  }
  auto text = readToEnd(*source, limits::planBytes);
  close(*source);
  if (!text) return sayFatal("while reading the launch plan: " + text.fault().sentence());
  auto plan = plan::readText(*text);
  if (!plan) {
    reportFault({std::nullopt, "plan", "", plan.fault()}, plan.fault().sentence());
    return sayFatal(plan.fault().sentence());
  }
  return execute(*plan, options);
}

/// `--clean-unpacked FOLDER [NAME...]`: how `sing cache clean` removes unpacked images, whose users Node cannot see. Prints the names of those in use.
int cleanUnpacked(const std::vector<std::string>& words) {
  if (words.size() < 2) return sayFatal("Expected a folder after --clean-unpacked");
  auto cache = UnpackedCache::find(words[1]);
  if (!cache) return sayFatal(cache.fault().sentence());
  auto used = cache->remove({words.begin() + 2, words.end()});
  if (!used) return sayFatal(used.fault().sentence());
  std::string answer;
  for (const auto& name : *used) answer += name + "\n";
  return printResult(STDOUT_FILENO, answer);
}

/// `--print-planner`: what the build puts into the program, made by itself since functions in it are where they are.
int printPlanner() {
  const auto bytes = plannerToKeep();
  return bytes ? printResult(STDOUT_FILENO, *bytes) : sayFatal(bytes.fault().sentence());
}

int main(int count, char** arguments) {
  // Memory comes from the kernel in few pieces, and stays: the process is about to become another one.
  mallopt(M_TOP_PAD, 512 << 10);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  openStandardStreams();
  rememberArguments(count, arguments);
  std::vector<std::string> words;
  for (int i = 1; i < count; ++i) words.emplace_back(arguments[i]);
  const std::string_view path = count > 0 ? arguments[0] : "sing";
  if (path.substr(path.rfind('/') + 1) == "run-singularity") words.insert(words.begin(), "run");
  if (!words.empty() && words[0] == "--execute-plan") return executeGivenPlan(words);
  if (!words.empty() && words[0] == "--clean-unpacked") return cleanUnpacked(words);
  if (words == std::vector<std::string>{"--print-planner"}) return printPlanner();
  if (words == std::vector<std::string>{"version"}) return printResult(STDOUT_FILENO, SING_VERSION "\n");
  if (words == std::vector<std::string>{"--version"}) return printResult(STDOUT_FILENO, "sing version " SING_VERSION "\n");
  return answerWords(words);
}

}  // namespace

}  // namespace sing

int main(int count, char** arguments) { return sing::main(count, arguments); }
