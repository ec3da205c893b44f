#include "relied.h"

#include <algorithm>
#include <string_view>

#include "../core/limits.h"

namespace sing::fuzz {

namespace {

constexpr size_t sentenceBytes = 1000;
constexpr uint32_t noId = 4294967295u;

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// Collects the first thing that is wrong.
class Look {
 public:
  void that(bool holds, const char* what) {
    if (!holds && !wrong_) wrong_ = what;
  }
  const std::optional<std::string>& wrong() const { return wrong_; }

  void text(std::string_view text, size_t limit) {
    that(text.size() <= limit, "a text that is too long");
    that(!has(text, std::string_view("\0", 1)), "a text with NUL");
  }
  void absolute(std::string_view path) {
    text(path, limits::pathBytes);
    that(path.starts_with('/'), "a path that is not absolute");
  }
  /// Cannot leave the session, and means one directory in the options of an overlay.
  void inSession(std::string_view path) {
    text(path, limits::pathBytes);
    that(!path.empty() && !path.starts_with('/') && !path.ends_with('/') && !has(path, "//"), "a session path with an empty part");
    const std::string whole = "/" + std::string(path) + "/";
    that(!has(whole, "/../") && !has(whole, "/./"), "a session path that goes up");
    that(path.find_first_of(":,\\") == path.npos, "a session path that an overlay reads as two");
  }
  void part(std::string_view part) {
    text(part, limits::nameBytes);
    that(!part.empty() && part != "." && part != ".." && !has(part, "/"), "a name that leads elsewhere");
  }
  void texts(const plan::Texts& list, size_t entries, size_t bytes) {
    that(list.size() <= entries, "a list that is too long");
    for (const auto& one : list) text(one, bytes);
  }
  void handle(int number) { that(number > 2 && number <= limits::maxHandle, "a handle that is a standard stream, or none"); }
  void mode(uint32_t mode) { that(mode <= 07777, "a mode with more bits than there are"); }
  void id(uint32_t id) { that(id != noId, "the id that is none"); }
  void account(std::string_view field) {
    text(field, limits::pathBytes);
    that(field.find_first_of(":\n") == field.npos, "a field of an account that makes another one");
  }

 private:
  std::optional<std::string> wrong_;
};

struct StepLook {
  Look& look;

  void operator()(const plan::MakeDirectory& step) {
    look.inSession(step.path);
    look.mode(step.mode);
  }
  void operator()(const plan::WriteFile& step) {
    look.inSession(step.path);
    look.text(step.content, limits::contentBytes);
    look.mode(step.mode);
  }
  void operator()(const plan::MakeLink& step) {
    look.inSession(step.path);
    look.text(step.target, limits::pathBytes);
  }
  void operator()(const plan::MountImage& step) {
    look.handle(step.image.handle);
    look.absolute(step.image.path);
    look.that(step.image.offset <= uint64_t{1} << 53 && step.image.size <= uint64_t{1} << 53, "an image whose end is no number");
    look.inSession(step.at);
    look.that(step.backends.size() <= limits::backends, "too many backends");
    for (const auto& backend : step.backends) {
      const bool named = backend.kind != plan::BackendKind::bind && backend.kind != plan::BackendKind::loop && backend.kind != plan::BackendKind::fuse;
      if (named) look.absolute(backend.directory);
      if (backend.kind == plan::BackendKind::shared) look.that(backend.idleSeconds >= 1 && backend.idleSeconds <= limits::idleSeconds, "a server that stays for ever");
      if (backend.kind == plan::BackendKind::unpacked) look.that(backend.sizeLimit >= 1, "a cache without room");
    }
  }
  void operator()(const plan::PrepareTargets& step) {
    look.inSession(step.rootfs);
    look.inSession(step.layer);
    look.that(step.targets.size() <= limits::targets, "too many targets");
    for (const auto& target : step.targets) {
      look.absolute(target.path);
      if (target.type != plan::TargetType::like) continue;
      look.inSession(target.at);
      look.absolute(target.inside);
    }
  }
  void operator()(const plan::MountOverlay& step) {
    look.that(!step.lower.empty() && step.lower.size() <= limits::lowerLayers, "an overlay of no layers, or too many");
    for (const auto& lower : step.lower) look.inSession(lower);
    look.inSession(step.at);
    if (step.upper) {
      look.inSession(step.upper->directory);
      look.inSession(step.upper->work);
    }
    if (step.by) look.absolute(step.by->program);
    if (step.underlay != plan::UnderlayUse::never) look.that(step.lower.size() == 2 && !step.upper && !step.by, "an underlay of more than two directories");
  }
  void operator()(const plan::MountUnderlay& step) {
    for (const auto& path : {step.layer, step.rootfs, step.at}) look.inSession(path);
  }
  void operator()(const plan::PrepareLayer& step) {
    look.inSession(step.image);
    if (step.at) look.inSession(*step.at);
  }
  void operator()(const plan::StageAccounts& step) {
    look.inSession(step.rootfs);
    if (step.passwd) {
      look.inSession(step.passwd->to);
      const auto& user = step.passwd->user;
      for (const auto& field : {user.name, user.gecos, user.home, user.shell}) look.account(field);
      look.id(user.uid);
      look.id(user.gid);
    }
    if (!step.group) return;
    look.inSession(step.group->to);
    look.account(step.group->userName);
    for (const auto& line : step.group->groups) {
      look.account(line.name);
      look.id(line.gid);
    }
  }
  void operator()(const plan::Bind& step) {
    const auto& source = step.source;
    if (source.kind == plan::SourceKind::host || source.kind == plan::SourceKind::image) look.absolute(source.path);
    if (source.kind == plan::SourceKind::session || source.kind == plan::SourceKind::made) look.inSession(source.path);
    if (source.kind == plan::SourceKind::handle) look.handle(source.handle);
    if (source.kind == plan::SourceKind::image) look.inSession(source.at);
    if (source.kind == plan::SourceKind::made) look.absolute(source.parent);
    look.mode(source.mode);
    place(step.target);
    for (const auto& unless : step.unless) {
      if (unless.kind == plan::UnlessKind::resolvesTo) look.absolute(unless.path);
    }
  }
  void operator()(const plan::MountFileSystem& step) {
    const std::string_view known[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue"};
    look.that(std::ranges::find(known, step.fileSystem) != std::end(known), "a file system that is not for users");
    place(step.target);
    look.mode(step.mode);
    look.id(step.ttyGroup.value_or(0));
  }

 private:
  void place(const plan::Place& place) {
    if (place.inContainer) look.absolute(place.path);
    else look.inSession(place.path);
  }
};

void lookAt(Look& look, const plan::Identity& identity) {
  look.id(identity.uid);
  look.id(identity.gid);
  if (!identity.groups) return;
  look.that(identity.groups->size() <= 65536, "more groups than a process has");
  for (const auto group : *identity.groups) look.id(group);
}

void lookAt(Look& look, const plan::Credentials& credentials) {
  if (credentials.identity) lookAt(look, *credentials.identity);
  look.that(credentials.choice == plan::CapabilityChoice::listed || credentials.capabilities == 0, "capabilities that nobody listed");
}

void lookAt(Look& look, const std::vector<plan::Shell>& shells) {
  for (const auto& shell : shells) {
    if (!shell.own) look.absolute(shell.path);
  }
}

void lookAt(Look& look, const plan::Exec& exec) {
  look.text(exec.file, limits::textBytes);
  look.that(!exec.argv.empty(), "a program without its name");
  for (const auto* list : {&exec.argv, &exec.env, &exec.searchPath}) look.texts(*list, limits::listEntries, limits::textBytes);
  lookAt(look, exec.shells);
}

void lookAt(Look& look, const plan::Become& become) {
  const auto& [exec, script, when] = become.payload;
  // What becomePayload takes for granted.
  look.that(exec || (script && !when), "a payload that may be nothing");
  if (exec) lookAt(look, *exec);
  if (script) {
    look.text(script->text, limits::textBytes);
    look.texts(script->args, limits::listEntries, limits::textBytes);
    look.texts(script->env, limits::listEntries, limits::textBytes);
    lookAt(look, script->shells);
  }
  if (when) look.absolute(when->directory);
  look.that(!become.workingDirectory.empty(), "no working directory");
  for (const auto& directory : become.workingDirectory) look.absolute(directory.path);
  look.that(become.umask <= 0777, "a mask with more bits than there are");
}

void lookAt(Look& look, const plan::Sequence& sequence) {
  look.that(sequence.commands.size() <= limits::commands, "too many commands");
  look.that(sequence.umask <= 0777, "a mask with more bits than there are");
  for (const auto& command : sequence.commands) {
    lookAt(look, command.exec);
    look.absolute(command.workingDirectory);
    if (!command.inContainer) look.absolute(command.exec.file);
  }
}

void lookAt(Look& look, const plan::Instance& instance) {
  lookAt(look, instance.become);
  look.part(instance.name);
  look.that(instance.name.size() <= limits::instanceName, "a name that is too long");
  look.absolute(instance.place.config);
  look.part(instance.place.host);
  look.part(instance.place.user);
  look.absolute(instance.image);
  look.absolute(instance.home);
  if (instance.pidFile) look.absolute(*instance.pidFile);
}

void lookAt(Look& look, const plan::Namespaces& namespaces) {
  if (namespaces.hostname) look.text(*namespaces.hostname, 64);
  look.that(namespaces.pid || !namespaces.shim, "a first process of no namespace");
  if (!namespaces.user) return;
  for (const auto* map : {&namespaces.user->uidMap, &namespaces.user->gidMap}) {
    look.that(!map->empty() && map->size() <= limits::idRanges, "no ids, or too many");
    for (const auto& range : *map) {
      look.id(range.inside);
      look.id(range.outside);
      look.that(range.count > 0, "a range of nothing");
    }
  }
  if (namespaces.user->writtenBy == plan::MapWriter::programs) {
    look.absolute(namespaces.user->newuidmap);
    look.absolute(namespaces.user->newgidmap);
  }
  if (namespaces.user->enterAs) lookAt(look, *namespaces.user->enterAs);
}

}  // namespace

std::optional<std::string> brokenPromise(const plan::LaunchPlan& plan) {
  Look look;
  look.that(plan.messages.level >= -5 && plan.messages.level <= 6, "a level that is none");
  lookAt(look, plan.namespaces);
  look.absolute(plan.session.mountPoint);
  look.that(plan.session.fileSystem == "tmpfs" || plan.session.fileSystem == "ramfs", "a session that is not in memory");
  look.that(plan.steps.size() <= limits::steps, "too many steps");
  for (const auto& step : plan.steps) std::visit(StepLook{look}, step);
  look.inSession(plan.root);
  lookAt(look, plan.credentials);
  std::visit([&](const auto& run) { lookAt(look, run); }, plan.run);
  if (!std::get_if<plan::Become>(&plan.run)) look.that(plan.namespaces.pid, "a run that ends with its namespace, without one");
  if (std::get_if<plan::Instance>(&plan.run)) look.that(!plan.inheritDescriptors, "an instance with descriptors of its caller");
  return look.wrong();
}

std::optional<std::string> brokenPromise(const plan::JoinPlan& plan) {
  Look look;
  look.text(plan.name, limits::instanceName);
  look.that(plan.init > 1 && plan.keeper > 1, "processes that no instance has");
  if (plan.enterAs) lookAt(look, *plan.enterAs);
  lookAt(look, plan.credentials);
  look.that(plan.credentials.noNewPrivileges, "new privileges in an instance");
  lookAt(look, plan.run);
  return look.wrong();
}

std::optional<std::string> brokenPromise(const Fault& fault) {
  const bool readable = std::ranges::all_of(fault.what, [](char c) { return c >= 0x20 && c < 0x7f; });
  const bool sentence = fault.error == 0 && fault.what.starts_with("Expected ") && fault.what.size() <= sentenceBytes && readable;
  return sentence ? std::nullopt : std::optional<std::string>("a refusal that is no sentence: " + fault.what.substr(0, sentenceBytes));
}

}  // namespace sing::fuzz
