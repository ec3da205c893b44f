// JSON → LaunchPlan and JoinPlan, but for the steps (step_reader.cc). One function per type of libs/runtime/src/plan.ts, in its order.
#include "capabilities.h"
#include "fields.h"
#include "instance_folder.h"
#include "limits.h"
#include "plan_parts.h"

namespace sing::plan {

namespace {

using json::Value;

bool isText(const Value& value, std::string_view text) {
  return value.kind() == Value::Kind::text && value.text() == text;
}

MessageSettings readMessages(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  MessageSettings out{static_cast<int>(fields.number("level", -5, 6)), fields.boolean("colour")};
  fields.end();
  return out;
}

std::vector<IdRange> readRanges(Fields& parent, std::string_view name, Report& report) {
  std::vector<IdRange> out;
  parent.list(name, limits::idRanges, [&](const Value& item, std::string where) {
    Fields fields(item, where, report);
    out.push_back({static_cast<uint32_t>(fields.number("inside", 0, limits::maxId)),
                   static_cast<uint32_t>(fields.number("outside", 0, limits::maxId)),
                   static_cast<uint32_t>(fields.number("count", 1, limits::maxId))});
    fields.end();
  });
  if (out.empty()) parent.wrong(name, "at least one range");
  return out;
}

Identity readIdentity(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Identity out;
  out.uid = static_cast<uint32_t>(fields.number("uid", 0, limits::maxId));
  out.gid = static_cast<uint32_t>(fields.number("gid", 0, limits::maxId));
  if (const Value* groups = value.member("groups"); groups && !groups->isNull()) {
    out.groups.emplace();
    fields.list("groups", 65536, [&](const Value& item, std::string place) {
      if (item.kind() != Value::Kind::number || item.number() < 0 || item.number() > limits::maxId) {
        report.wrong(place, "a group id");
        return;
      }
      out.groups->push_back(static_cast<uint32_t>(item.number()));
    });
  } else {
    fields.member("groups");
  }
  fields.end();
  return out;
}

UserNamespace readUserNamespace(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  UserNamespace out;
  out.uidMap = readRanges(fields, "uidMap", report);
  out.gidMap = readRanges(fields, "gidMap", report);
  out.allowSetgroups = fields.choice("setgroups", {"deny", "allow"}) == 1;
  const Value& writer = fields.member("writtenBy");
  Fields writing(writer, fields.place("writtenBy"), report);
  out.writtenBy = static_cast<MapWriter>(writing.choice("kind", {"self", "programs", "parent"}));
  if (out.writtenBy == MapWriter::programs) {
    out.newuidmap = writing.absolutePath("newuidmap");
    out.newgidmap = writing.absolutePath("newgidmap");
  }
  writing.end();
  if (const Value& enter = fields.member("enterAs"); !enter.isNull()) {
    out.enterAs = readIdentity(enter, fields.place("enterAs"), report);
  }
  fields.end();
  return out;
}

Namespaces readNamespaces(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Namespaces out;
  if (const Value& user = fields.member("user"); !user.isNull()) {
    out.user = readUserNamespace(user, fields.place("user"), report);
  }
  out.slavePropagation = fields.choice("propagation", {"private", "slave"}) == 1;
  if (const Value& pid = fields.member("pid"); !pid.isNull()) {
    Fields inner(pid, fields.place("pid"), report);
    out.pid = true;
    out.shim = inner.boolean("shim");
    inner.end();
  }
  out.ipc = fields.boolean("ipc");
  if (const Value& uts = fields.member("uts"); !uts.isNull()) {
    Fields inner(uts, fields.place("uts"), report);
    out.uts = true;
    out.hostname = inner.optionalText("hostname", 64);
    inner.end();
  }
  out.loopbackOnly = fields.choice("net", {"host", "loopback"}) == 1;
  fields.end();
  return out;
}

Credentials readCredentials(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Credentials out;
  if (const Value& identity = fields.member("identity"); !identity.isNull()) {
    out.identity = readIdentity(identity, fields.place("identity"), report);
  }
  const Value* sets = value.member("capabilities");
  if (sets && isText(*sets, "none")) {
    fields.member("capabilities");
  } else if (sets && isText(*sets, "all")) {
    fields.member("capabilities");
    out.choice = CapabilityChoice::all;
  } else {
    out.choice = CapabilityChoice::listed;
    for (const auto& name : fields.texts("capabilities", 64, 64)) {
      const auto number = capabilityNumber(name);
      if (!number) fields.wrong("capabilities", "names of capabilities");
      else out.capabilities |= uint64_t{1} << *number;
    }
  }
  out.noNewPrivileges = fields.boolean("noNewPrivileges");
  fields.end();
  return out;
}

std::vector<Shell> readShells(Fields& parent, Report& report) {
  std::vector<Shell> out;
  parent.list("shells", 8, [&](const Value& item, std::string where) {
    Fields fields(item, where, report);
    Shell shell;
    shell.own = fields.choice("kind", {"image", "own"}) == 1;
    if (!shell.own) shell.path = fields.absolutePath("path");
    fields.end();
    out.push_back(std::move(shell));
  });
  return out;
}

Exec readExec(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Exec out;
  out.file = fields.text("file", limits::textBytes);
  out.argv = fields.texts("argv", limits::listEntries, limits::textBytes);
  out.env = fields.texts("env", limits::listEntries, limits::textBytes);
  out.searchPath = fields.texts("searchPath", 1024, limits::textBytes);
  out.shells = readShells(fields, report);
  if (out.argv.empty()) fields.wrong("argv", "the zeroth argument");
  fields.end();
  return out;
}

Payload readPayload(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Payload out;
  if (const Value& exec = fields.member("exec"); !exec.isNull()) out.exec = readExec(exec, fields.place("exec"), report);
  if (const Value& script = fields.member("script"); !script.isNull()) {
    Fields inner(script, fields.place("script"), report);
    out.script.emplace();
    out.script->text = inner.text("text", limits::textBytes);
    out.script->args = inner.texts("args", limits::listEntries, limits::textBytes);
    out.script->env = inner.texts("env", limits::listEntries, limits::textBytes);
    out.script->shells = readShells(inner, report);
    inner.end();
  }
  Fields when(fields.member("scriptWhen"), fields.place("scriptWhen"), report);
  if (when.choice("kind", {"always", "image_sets_environment"}) == 1) {
    out.scriptWhen.emplace();
    out.scriptWhen->directory = when.absolutePath("directory");
    out.scriptWhen->files = when.texts("files", 64, limits::pathBytes);
    out.scriptWhen->known = when.texts("known", 64, limits::contentBytes);
  }
  when.end();
  if (!out.exec && (!out.script || out.scriptWhen)) fields.wrong("exec", "a program");
  fields.end();
  return out;
}

Become readBecome(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  fields.member("kind");
  Become out;
  out.payload = readPayload(fields.member("payload"), fields.place("payload"), report);
  fields.list("workingDirectory", 64, [&](const Value& item, std::string place) {
    Fields inner(item, place, report);
    WorkingDirectory directory{inner.absolutePath("path"), readOnFailure(inner)};
    inner.end();
    out.workingDirectory.push_back(std::move(directory));
  });
  if (out.workingDirectory.empty()) fields.wrong("workingDirectory", "at least one entry");
  out.umask = static_cast<uint32_t>(fields.number("umask", 0, 0777));
  fields.end();
  return out;
}

Sequence readSequence(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  fields.member("kind");
  Sequence out;
  fields.list("commands", limits::commands, [&](const Value& item, std::string place) {
    Fields inner(item, place, report);
    Command command;
    command.name = inner.text("name", 4095);
    command.inContainer = inner.choice("view", {"host", "container"}) == 1;
    command.exec = readExec(inner.member("exec"), inner.place("exec"), report);
    command.workingDirectory = inner.absolutePath("workingDirectory");
    command.inheritStdin = inner.choice("stdin", {"null", "inherit"}) == 1;
    command.always = inner.boolean("always");
    inner.end();
    if (!command.inContainer && !isAbsolutePath(command.exec.file)) inner.wrong("exec.file", "an absolute path in the host's view");
    out.commands.push_back(std::move(command));
  });
  out.umask = static_cast<uint32_t>(fields.number("umask", 0, 0777));
  fields.end();
  return out;
}

Instance readInstance(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  fields.member("kind");
  Instance out;
  out.become = readBecome(fields.member("become"), fields.place("become"), report);
  out.name = fields.text("name", limits::instanceName);
  if (!isInstanceName(out.name)) fields.wrong("name", "letters, digits, '.', '_' and '-'");
  out.place = readInstancePlace(fields.member("place"), fields.place("place"), report);
  out.image = fields.absolutePath("image");
  out.home = fields.absolutePath("home");
  static constexpr std::string_view modes[] = {"root", "user", "fakeroot"};
  out.mode = modes[fields.choice("mode", {modes[0], modes[1], modes[2]})];
  out.boot = fields.boolean("boot");
  if (const Value& file = fields.member("pidFile"); !file.isNull()) {
    if (file.kind() != Value::Kind::text || !isAbsolutePath(file.text())) fields.wrong("pidFile", "an absolute path");
    else out.pidFile = file.text();
  }
  fields.end();
  return out;
}

}  // namespace

std::string kindOf(const Value& value) {
  const Value* kind = value.member("kind");
  return kind && kind->kind() == Value::Kind::text ? kind->text() : std::string();
}

OnFailure readOnFailure(Fields& fields) {
  return static_cast<OnFailure>(fields.choice("onFailure", {"fatal", "warning", "verbose", "silent"}));
}

InstancePlace readInstancePlace(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  InstancePlace out;
  out.config = fields.absolutePath("config");
  // Each is one part of a path.
  for (auto [name, part] : {std::pair{"host", &out.host}, {"user", &out.user}}) {
    *part = fields.text(name, limits::nameBytes);
    if (!isPathPart(*part)) fields.wrong(name, "a name without '/'");
  }
  fields.end();
  return out;
}

Outcome<JoinPlan> readJoin(const Value& document) {
  Report report;
  Fields fields(document, "", report);
  JoinPlan out;
  fields.number("format", 1, 1);
  out.messages = readMessages(fields.member("messages"), "messages", report);
  out.name = fields.text("name", limits::instanceName);
  for (auto [name, pid, start] : {std::tuple{"init", &out.init, &out.initStart}, {"keeper", &out.keeper, &out.keeperStart}}) {
    Fields mark(fields.member(name), name, report);
    *pid = static_cast<uint32_t>(mark.number("pid", 2, 1 << 30));
    *start = static_cast<uint64_t>(mark.number("start", 0, limits::maxSize));
    mark.end();
  }
  out.boot = fields.boolean("boot");
  if (const Value& enter = fields.member("enterAs"); !enter.isNull()) out.enterAs = readIdentity(enter, "enterAs", report);
  out.credentials = readCredentials(fields.member("credentials"), "credentials", report);
  if (!out.credentials.noNewPrivileges) report.wrong("credentials.noNewPrivileges", "true (an instance is joined without new privileges)");
  out.run = readBecome(fields.member("run"), "run", report);
  fields.end();
  if (report.fault()) return *report.fault();
  return out;
}

Outcome<LaunchPlan> readText(std::string_view text) {
  auto document = json::parse(text, {.bytes = limits::planBytes});
  if (!document) return document.fault();
  return read(*document);
}

Outcome<LaunchPlan> read(const Value& document) {
  Report report;
  Fields fields(document, "", report);
  LaunchPlan out;
  fields.number("format", 1, 1);
  out.messages = readMessages(fields.member("messages"), "messages", report);
  out.namespaces = readNamespaces(fields.member("namespaces"), "namespaces", report);
  Fields session(fields.member("session"), "session", report);
  out.session.mountPoint = session.absolutePath("mountPoint");
  out.session.fileSystem = session.choice("fileSystem", {"tmpfs", "ramfs"}) == 1 ? "ramfs" : "tmpfs";
  if (const auto limit = session.optionalNumber("sizeLimit", 1, limits::maxSize)) out.session.sizeLimit = static_cast<uint64_t>(*limit);
  session.end();
  fields.list("steps", limits::steps, [&](const Value& item, std::string where) {
    if (auto step = readStep(item, where, report)) out.steps.push_back(std::move(*step));
  });
  out.root = fields.sessionPath("root");
  out.credentials = readCredentials(fields.member("credentials"), "credentials", report);
  const Value& run = fields.member("run");
  const std::string kind = kindOf(run);
  if (kind == "become") out.run = readBecome(run, "run", report);
  else if (kind == "sequence") out.run = readSequence(run, "run", report);
  else if (kind == "instance") out.run = readInstance(run, "run", report);
  else report.wrong("run.kind", "'become', 'sequence' or 'instance'");
  if (kind != "become" && !out.namespaces.pid) {
    // Only with a PID namespace is "everything that was left running" a well-defined set.
    report.wrong("namespaces.pid", "a PID namespace (run is a " + kind + ")");
  }
  out.inheritDescriptors = fields.boolean("inheritDescriptors");
  if (kind == "instance" && out.inheritDescriptors) report.wrong("inheritDescriptors", "false (an instance keeps nothing of its caller open)");
  out.dieWithParent = fields.boolean("dieWithParent");
  if (kind == "instance" && out.dieWithParent) report.wrong("dieWithParent", "false (an instance outlives who starts it)");
  fields.end();
  if (report.fault()) return *report.fault();
  return out;
}

}  // namespace sing::plan
