// Hostile plans, all of a seed: SEED and the number of one make it again. docs/adr/0017-fuzzing.md.
//
//   core-fuzz read FOLDER SEED SECONDS FAILURES   reads changed plans; one that fails is left in FAILURES
//   core-fuzz make FOLDER SEED COUNT              prints changed plans that are accepted, one a line
//   core-fuzz file FILE                           reads one, for example one that failed
//   core-fuzz --execute-plan NUMBER               starts the plan of a descriptor, as `sing` does, with the checks of the compiler
//
// FOLDER has good plans (test/fixtures/plans).
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>

#include "../core/descriptor.h"
#include "../core/execute.h"
#include "../core/files.h"
#include "../core/limits.h"
#include "../core/messages.h"
#include "mutate.h"
#include "relied.h"

namespace sing::fuzz {

namespace {

using json::Value;

/// Of the processor, with the checks of the compiler, for the largest plan there may be.
constexpr int mostSeconds = 2;

/// What is read at the moment, for who looks at how it ended.
struct {
  std::string text, file;
} now;

[[noreturn]] void giveUp(const std::string& why) {
  fprintf(stderr, "%s\n", why.c_str());
  _exit(1);
}

/// Called by the checks of the compiler, too, when they end the process.
void keepInput() {
  if (now.file.empty()) return;
  const Descriptor file(open(now.file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file || !writeAll(file.get(), now.text)) fprintf(stderr, "Could not leave the plan in %s\n", now.file.c_str());
  else fprintf(stderr, "The plan is in %s\n", now.file.c_str());
}

void takesTooLong(int) {
  keepInput();
  giveUp("Expected it to be read within " + std::to_string(mostSeconds) + " seconds of the processor");
}

void allowTime(int seconds) {
  const itimerval time{{}, {seconds, 0}};
  setitimer(ITIMER_PROF, &time, nullptr);
}

/// Texts of several lines are lists in the kept answers.
Value joined(const Value& value) {
  std::string text;
  for (const auto& line : value.list()) text += (&line == &value.list().front() ? "" : "\n") + line.text();
  return Value(std::move(text));
}

Value asPlanned(const Value& value, const std::string& name) {
  std::vector<Value> list;
  for (const auto& item : value.list()) list.push_back(name == "known" && item.kind() == Value::Kind::list ? joined(item) : asPlanned(item, ""));
  if (value.kind() == Value::Kind::list) return name == "text" || name == "content" ? joined(value) : Value(std::move(list));
  if (value.kind() != Value::Kind::object) return value;
  std::vector<Value::Member> members;
  for (const auto& [inner, member] : value.members()) members.emplace_back(inner, asPlanned(member, inner));
  return Value(std::move(members));
}

std::string fileText(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto text = file ? readToEnd(file.get(), limits::planBytes) : Outcome<std::string>(failed("open " + path));
  if (!text) giveUp(text.fault().sentence());
  return std::move(*text);
}

bool isJoin(const Value& plan) { return plan.member("init") != nullptr; }

/// The plans of the answers in the folder, as far as they have one.
Corpus readCorpus(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  Corpus corpus;
  for (const auto& path : paths) {
    auto answer = json::parse(fileText(path));
    if (!answer) giveUp(path + ": " + answer.fault().sentence());
    const Value* plan = answer->member("plan");
    if (plan) corpus.add(asPlanned(*plan, "plan"));
  }
  if (corpus.plans.empty()) giveUp("Expected plans in " + folder);
  for (const auto& plan : corpus.plans) {
    const auto read = isJoin(plan) ? Outcome<bool>(true) : plan::read(plan) ? Outcome<bool>(true) : Outcome<bool>(plan::read(plan).fault());
    if (!read) giveUp("Expected good plans in " + folder + ": " + read.fault().sentence());
  }
  return corpus;
}

struct Counts {
  size_t accepted = 0;
  std::set<std::string> refusals;
};

template <typename Plan>
void judge(const Outcome<Plan>& read, Counts& counts) {
  const auto broken = read ? brokenPromise(*read) : brokenPromise(read.fault());
  if (broken) {
    keepInput();
    giveUp((read ? "An accepted plan has " : "There is ") + *broken);
  }
  if (read) {
    ++counts.accepted;
    return;
  }
  std::string kind = read.fault().what;
  std::replace_if(kind.begin(), kind.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
  counts.refusals.insert(kind);
}

Outcome<plan::JoinPlan> readJoinText(std::string_view text) {
  auto document = json::parse(text, {.bytes = limits::planBytes});
  if (!document) return document.fault();
  return plan::readJoin(*document);
}

void readOne(bool join, Counts& counts) {
  allowTime(mostSeconds);
  if (join) judge(readJoinText(now.text), counts);
  else judge(plan::readText(now.text), counts);
  allowTime(0);
}

Random randomOf(uint64_t seed, uint64_t number) { return Random((seed << 32) ^ number); }

std::string hostile(Random& random, const Corpus& corpus, bool& join) {
  Value plan = random.of(corpus.plans);
  join = isJoin(plan) != random.once(50);
  for (size_t changes = random.below(4); changes > 0; --changes) plan = changedMildly(random, corpus, std::move(plan));
  for (size_t changes = random.below(3); changes > 0; --changes) plan = changedWildly(random, corpus, std::move(plan));
  const std::string text = textOf(random, plan);
  return random.once(4) ? damaged(random, text) : text;
}

int read(const Corpus& corpus, uint64_t seed, double seconds, const std::string& failures) {
  const auto elapsed = [] {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double end = elapsed() + seconds;
  Counts counts;
  size_t number = 0;
  for (; elapsed() < end; ++number) {
    Random random = randomOf(seed, number);
    bool join = false;
    now.text = hostile(random, corpus, join);
    now.file = failures + "/plans-" + std::to_string(seed) + "-" + std::to_string(number) + ".json";
    readOne(join, counts);
  }
  now.file.clear();
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  printf("%zu plans, %zu accepted, %zu kinds of refusals, %ld MiB\n", number, counts.accepted, counts.refusals.size(), used.ru_maxrss / 1024);
  return 0;
}

int make(const Corpus& corpus, uint64_t seed, size_t count) {
  for (uint64_t number = 0; count > 0; ++number) {
    Random random = randomOf(seed, number);
    Value plan = random.of(corpus.plans);
    for (size_t changes = 1 + random.below(5); changes > 0; --changes) plan = changedMildly(random, corpus, std::move(plan));
    if (isJoin(plan) || !plan::read(plan)) continue;
    printf("%s\n", json::print(plan).c_str());
    --count;
  }
  return 0;
}

/// The servers of images are confined too much for the checks of the compiler, and end at once. The program must not come to share them: who has other limits shares with others.
void shareNoServer() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur -= 1;
  setrlimit(RLIMIT_NOFILE, &files);
}

int executePlan(int number) {
  shareNoServer();
  fcntl(number, F_SETFD, FD_CLOEXEC);
  auto text = readToEnd(number, limits::planBytes);
  close(number);
  auto plan = text ? plan::readText(*text) : Outcome<plan::LaunchPlan>(text.fault());
  if (!plan) {
    say(Level::fatal, plan.fault().sentence());
    return 255;
  }
  const auto beside = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return execute(*plan, {.ownShell = beside / "sh"});
}

uint64_t numberOf(const std::string& word) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) giveUp("Expected a whole number, got " + word);
  return number;
}

int main(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[0] == "--execute-plan") return executePlan(static_cast<int>(numberOf(words[1])));
  __sanitizer_set_death_callback(keepInput);
  signal(SIGPROF, takesTooLong);
  if (words.size() == 5 && words[0] == "read") return read(readCorpus(words[1]), numberOf(words[2]), atof(words[3].c_str()), words[4]);
  if (words.size() == 4 && words[0] == "make") return make(readCorpus(words[1]), numberOf(words[2]), numberOf(words[3]));
  if (words.size() != 2 || words[0] != "file") giveUp("Expected read FOLDER SEED SECONDS FAILURES, make FOLDER SEED COUNT or file FILE");
  now.text = fileText(words[1]);
  Counts counts;
  for (const bool join : {false, true}) readOne(join, counts);
  printf("read, %zu times accepted\n", counts.accepted);
  return 0;
}

}  // namespace

}  // namespace sing::fuzz

int main(int count, char** arguments) { return sing::fuzz::main({arguments + 1, arguments + count}); }
