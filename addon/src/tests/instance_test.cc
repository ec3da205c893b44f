// Records, names and plans of instances. What needs a container is in test/native.
#include "../core/instance_folder.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/join.h"
#include "check.h"

namespace {

using sing::InstanceFolder;
using sing::InstanceRecord;
using sing::InstanceState;
using sing::tests::ScratchDirectory;

sing::plan::InstancePlace placeIn(const ScratchDirectory& scratch) { return {scratch.path() + "/config", "host", "user"}; }

/// A record whose keeper is this process.
InstanceRecord recordOf(const std::string& name) {
  auto self = sing::lookAtProcess(getpid());
  return {.name = name, .image = "/img", .home = "/", .mode = "user", .keeper = self ? self->mark : sing::ProcessMark{}, .bootId = sing::bootId(), .pidNamespace = sing::pidNamespace()};
}

std::string sentenceOf(const sing::Status& status) { return status ? "" : status.fault().sentence(); }

mode_t modeOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

const char* const baseJoin = R"({"format":1,"messages":{"level":1,"colour":false},"name":"web","init":{"pid":4711,"start":815},
 "keeper":{"pid":4710,"start":814},"boot":false,"enterAs":null,
 "credentials":{"identity":null,"capabilities":"none","noNewPrivileges":true},
 "run":{"kind":"become","payload":{"exec":{"file":"true","argv":["true"],"env":["A=1"],"searchPath":["/bin"],"shells":[{"kind":"own"}]},
  "script":null,"scriptWhen":{"kind":"always"}},"workingDirectory":[{"path":"/","onFailure":"fatal"}],"umask":18}})";

sing::Outcome<sing::plan::JoinPlan> joinWith(const std::string& from, const std::string& to) {
  std::string text = baseJoin;
  const size_t at = text.find(from);
  if (at == std::string::npos) sing::tests::fail(__FILE__, __LINE__, "nothing to replace: " + from);
  else text.replace(at, from.size(), to);
  auto document = sing::json::parse(text);
  if (!document) return document.fault();
  return sing::plan::readJoin(*document);
}

void refusesJoin(const std::string& from, const std::string& to, const std::string& field) {
  auto plan = joinWith(from, to);
  CHECK(!plan);
  if (!plan && plan.fault().sentence().find(field) == std::string::npos) {
    sing::tests::fail(__FILE__, __LINE__, "Expected a sentence about " + field + ", got: " + plan.fault().sentence());
  }
}

}  // namespace

TEST("instance: names are one part of a path") {
  for (const char* name : {"a", "A.b_c-9", ".x", "..."}) CHECK(sing::isInstanceName(name));
  for (const char* name : {"", ".", "..", "a/b", "a b", "a\n", "+lock", "\xc3\xa4"}) CHECK(!sing::isInstanceName(name));
  CHECK(sing::isInstanceName(std::string(128, 'x')));
  CHECK(!sing::isInstanceName(std::string(129, 'x')));
  CHECK(!sing::isInstanceName(std::string_view("a\0b", 3)));
}

TEST("instance: a folder is made when it is wanted, closed to others, and not otherwise") {
  const ScratchDirectory scratch;
  auto missing = InstanceFolder::open(placeIn(scratch), geteuid(), false);
  CHECK(!missing && missing.fault().error == ENOENT);
  umask(0777);
  auto made = InstanceFolder::open(placeIn(scratch), geteuid(), true);
  umask(022);
  CHECK(made);
  for (const char* path : {"/config", "/config/instances", "/config/instances/scs", "/config/instances/scs/host/user"}) CHECK(modeOf(scratch.path() + path) == 0700);
  chmod((scratch.path() + "/config/instances").c_str(), 0777);
  CHECK(InstanceFolder::open(placeIn(scratch), geteuid(), false));
  CHECK(modeOf(scratch.path() + "/config/instances") == 0700);
}

TEST("instance: a folder of somebody else, and one that is a link, are refused") {
  const ScratchDirectory scratch;
  CHECK(InstanceFolder::open(placeIn(scratch), geteuid(), true));
  auto other = InstanceFolder::open(placeIn(scratch), geteuid() + 1, false);
  CHECK(!other && other.fault().sentence().find("to belong to user") != std::string::npos);
  const ScratchDirectory linked;
  linked.make("config/elsewhere/");
  linked.make("config/instances -> elsewhere");
  auto link = InstanceFolder::open(placeIn(linked), geteuid(), true);
  CHECK(!link && link.fault().sentence().find("got a link") != std::string::npos);
}

TEST("instance: a name is taken once, replaced by its keeper, and given back by nobody else") {
  const ScratchDirectory scratch;
  auto folder = InstanceFolder::open(placeIn(scratch), geteuid(), true);
  CHECK(folder);
  if (!folder) return;
  auto record = recordOf("web");
  CHECK_EQUAL(sentenceOf(folder->claim(record)), "");
  CHECK(modeOf(scratch.path() + "/config/instances/scs/host/user/web/web.json") == 0600);
  auto taken = folder->claim(record);
  CHECK(!taken && taken.fault().error == EEXIST);
  auto read = folder->read("web");
  CHECK(read && stateOf(*read, geteuid()) == InstanceState::starting);
  record.init = {4711, 815};
  CHECK(folder->replace(record));
  read = folder->read("web");
  CHECK(read && read->init == record.init && read->keeper == record.keeper);
  CHECK(read && stateOf(*read, geteuid()) == InstanceState::gone);
  folder->remove("web", {record.keeper.pid, record.keeper.start + 1});
  CHECK(folder->read("web"));
  folder->remove("web", record.keeper);
  CHECK(folder->names().empty());
}

TEST("instance: whoever is gone gives way; what is elsewhere, or somebody else's, does not") {
  const ScratchDirectory scratch;
  auto folder = InstanceFolder::open(placeIn(scratch), geteuid(), true);
  CHECK(folder);
  if (!folder) return;
  auto gone = recordOf("web");
  ++gone.keeper.start;
  CHECK(folder->claim(gone));
  // What a keeper that was killed had begun to write is in nobody's way.
  scratch.make("config/instances/scs/host/user/web/+1", "{");
  CHECK(folder->claim(recordOf("web")));
  scratch.make("config/instances/scs/host/user/web/+2", "{");
  folder->remove("web", recordOf("web").keeper);
  CHECK(folder->names().empty());
  CHECK(folder->claim(recordOf("web")));
  auto rebooted = recordOf("old");
  rebooted.bootId = "another";
  CHECK(folder->claim(rebooted));
  CHECK(folder->claim(recordOf("old")));
  auto elsewhere = recordOf("far");
  elsewhere.pidNamespace = "1";
  CHECK(folder->claim(elsewhere));
  CHECK(!folder->claim(recordOf("far")));
  CHECK(stateOf(recordOf("x"), geteuid() + 1) == InstanceState::gone);
}

TEST("instance: the folder of a keeper that was killed while it took the name is removed, and no other") {
  const ScratchDirectory scratch;
  auto folder = InstanceFolder::open(placeIn(scratch), geteuid(), true);
  CHECK(folder);
  if (!folder) return;
  const std::string place = scratch.path() + "/config/instances/scs/host/user/";
  CHECK(folder->claim(recordOf("web")));
  mkdir((place + "begun").c_str(), 0700);
  scratch.make("config/instances/scs/host/user/begun/+1", "{");
  mkdir((place + "own").c_str(), 0700);
  scratch.make("config/instances/scs/host/user/own/notes", "");
  for (const auto& name : folder->names()) folder->removeUnclaimed(name);
  CHECK(folder->names() == (std::vector<std::string>{"own", "web"}));
}

TEST("instance: a process that ended is none, before its parent noticed") {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t ended{};
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  auto facts = sing::lookAtProcess(child);
  CHECK(facts && facts->ended && facts->parent == getpid());
  CHECK(facts && !sing::isAlive(facts->mark, geteuid()));
  CHECK(facts && !sing::holdProcess(facts->mark));
  waitpid(child, nullptr, 0);
  CHECK(!sing::lookAtProcess(child));
}

TEST("instance: a held process is the one that was meant") {
  auto self = sing::lookAtProcess(getpid());
  CHECK(self && !self->first && self->user == getuid());
  if (!self) return;
  CHECK(sing::holdProcess(self->mark));
  auto other = sing::holdProcess({self->mark.pid, self->mark.start + 1});
  CHECK(!other && other.fault().error == ESRCH);
}

TEST("instance: a plan to join is read, and refused with any fault") {
  auto plan = joinWith("\"web\"", "\"web\"");
  CHECK(plan);
  if (!plan) return sing::tests::fail(__FILE__, __LINE__, plan.fault().sentence());
  CHECK(plan->init == 4711 && plan->initStart == 815 && plan->keeper == 4710 && !plan->enterAs);
  refusesJoin("\"format\":1", "\"format\":2", "format");
  refusesJoin("\"pid\":4711", "\"pid\":1", "init.pid");
  refusesJoin("\"pid\":4710", "\"pid\":-1", "keeper.pid");
  refusesJoin("\"start\":814", "\"start\":814,\"more\":1", "keeper");
  refusesJoin("\"boot\":false", "\"boot\":0", "boot");
  refusesJoin("\"noNewPrivileges\":true", "\"noNewPrivileges\":false", "noNewPrivileges");
  refusesJoin("\"kind\":\"become\"", "\"kind\":\"become\",\"more\":1", "run");
}

TEST("instance: who is not what the plan says is not joined") {
  auto plan = joinWith("\"web\"", "\"web\"");
  CHECK(plan);
  if (!plan) return;
  plan->messages.level = -5;
  // Gone, and started at another time.
  auto self = sing::lookAtProcess(getpid());
  plan->init = plan->keeper = static_cast<uint32_t>(getpid());
  CHECK(sing::joinInstance(*plan, {}) == 255);
  // This process, which is no process 1.
  plan->initStart = plan->keeperStart = self ? self->mark.start : 0;
  CHECK(sing::joinInstance(*plan, {}) == 255);
  plan->boot = true;
  CHECK(sing::joinInstance(*plan, {}) == 255);
}
