#include "instance_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "fields.h"
#include "files.h"
#include "json.h"
#include "limits.h"

namespace sing {

namespace {

using json::Value;

constexpr size_t recordBytes = 64u << 10;
constexpr size_t mostInstances = 10'000;
/// No name of an instance: it has a `+`.
constexpr const char* lockName = "+lock";
constexpr const char* ours = "scs";

/// What is made here has exactly its mode, whatever the caller's umask.
class ExactModes {
 public:
  ExactModes() : before_(umask(0)) {}
  ~ExactModes() { umask(before_); }

 private:
  mode_t before_;
};

std::string modeText(mode_t mode) {
  char text[8];
  snprintf(text, sizeof text, "%04o", mode & 07777);
  return text;
}

Fault notOwn(const std::string& path, uid_t owner, const struct stat& status) {
  return refused("Expected " + path + " to belong to user " + std::to_string(owner) + ", got user " + std::to_string(status.st_uid));
}

/// A folder of the owner, closed to others.
Status closeToOthers(int folder, const std::string& path, uid_t owner) {
  struct stat status {};
  if (fstat(folder, &status) != 0) return failed("look at " + path);
  if (status.st_uid != owner) return notOwn(path, owner, status);
  if ((status.st_mode & 0077) == 0) return {};
  if (owner == geteuid() && fchmod(folder, 0700) == 0) return {};
  return refused("Expected " + path + " to be closed to others, got mode " + modeText(status.st_mode));
}

Outcome<Descriptor> openBelow(int parent, const std::string& name, const std::string& path, uid_t owner, bool make) {
  const ExactModes modes;
  if (make && mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder " + path);
  Descriptor folder(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder && (errno == ELOOP || errno == ENOTDIR)) return refused("Expected a folder at " + path + ", got a link or something else");
  if (!folder) return failed("open " + path);
  SING_TRY(closeToOthers(folder.get(), path, owner));
  return folder;
}

/// The person's own folder, which may be a link of that person. One of somebody else could lead root, started with that person's HOME, to any
/// folder of the machine, which would then be closed to others.
Outcome<Descriptor> openConfig(const std::string& config, uid_t owner) {
  Descriptor folder(open(config.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder) return folder;
  if (errno != ELOOP && errno != ENOTDIR) return failed("open " + config);
  struct stat link {};
  if (lstat(config.c_str(), &link) != 0) return failed("look at " + config);
  if (!S_ISLNK(link.st_mode)) return refused("Expected a folder at " + config + ", got something else");
  if (link.st_uid != owner) return refused("Expected the link " + config + " to belong to user " + std::to_string(owner) + ", got user " + std::to_string(link.st_uid));
  folder = Descriptor(open(config.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return failed("open " + config);
  return folder;
}

/// Opens `<config>/instances/<parts…>`.
Outcome<Descriptor> openChain(const std::string& config, const std::vector<std::string>& parts, uid_t owner, bool make) {
  const ExactModes modes;
  if (make && mkdir(config.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder " + config);
  auto folder = openConfig(config, owner);
  if (!folder) return folder;
  SING_TRY(closeToOthers(folder->get(), config, owner));
  std::string path = config;
  for (const auto& part : parts) {
    path += "/" + part;
    auto next = openBelow(folder->get(), part, path, owner, make);
    if (!next) return next;
    folder = std::move(next);
  }
  return folder;
}

/// Held while a name is taken or given back: microseconds. Where files cannot be locked, names are still taken by one only, since a link is made
/// once.
class NameLock {
 public:
  explicit NameLock(int folder) : file_(openat(folder, lockName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) {
    for (int tries = 0; file_ && tries < 500; ++tries) {
      held_ = flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
      if (held_ || errno != EWOULDBLOCK) return;
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }
  explicit operator bool() const { return held_; }

 private:
  Descriptor file_;
  bool held_ = false;
};

/// Records that were never put in place: of keepers that were killed while they wrote.
void removeUnfinished(int folder) {
  DIR* stream = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] == '+') unlinkat(folder, entry->d_name, 0);
  }
  closedir(stream);
}

ProcessMark readMark(plan::Fields& fields, std::string_view pid, std::string_view start) {
  const auto number = static_cast<pid_t>(fields.number(pid, 0, 1 << 30));
  return {number, static_cast<uint64_t>(fields.number(start, 0, limits::maxSize))};
}

Outcome<InstanceRecord> readRecord(const std::string& text, const std::string& path) {
  auto document = json::parse(text, {.bytes = recordBytes, .depth = 4, .values = 64});
  if (!document) return refused("Expected the record of an instance in " + path + ", got something else: " + document.fault().sentence());
  plan::Report report;
  plan::Fields fields(*document, "", report);
  InstanceRecord record;
  fields.number("format", 1, 1);
  record.name = fields.text("name", limits::nameBytes);
  record.image = fields.absolutePath("image");
  record.home = fields.absolutePath("home");
  static constexpr std::string_view modes[] = {"root", "user", "fakeroot"};
  record.mode = modes[fields.choice("mode", {modes[0], modes[1], modes[2]})];
  record.severalIds = fields.boolean("severalIds");
  record.boot = fields.boolean("boot");
  record.init = readMark(fields, "pid", "pidStart");
  record.keeper = readMark(fields, "ppid", "ppidStart");
  record.bootId = fields.text("bootId", 64);
  record.pidNamespace = fields.text("pidNamespace", 32);
  fields.end();
  if (report.fault()) return refused("Expected the record of an instance in " + path + ", got something else: " + report.fault()->sentence());
  return record;
}

std::string textOf(const InstanceRecord& record) {
  const auto number = [](uint64_t value) { return Value(static_cast<double>(value)); };
  return json::print(Value(std::vector<Value::Member>{{"format", 1},
                                                      {"name", record.name},
                                                      {"image", record.image},
                                                      {"home", record.home},
                                                      {"mode", record.mode},
                                                      {"severalIds", record.severalIds},
                                                      {"boot", record.boot},
                                                      {"pid", record.init.pid},
                                                      {"pidStart", number(record.init.start)},
                                                      {"ppid", record.keeper.pid},
                                                      {"ppidStart", number(record.keeper.start)},
                                                      {"bootId", record.bootId},
                                                      {"pidNamespace", record.pidNamespace}})) +
         "\n";
}

}  // namespace

bool isInstanceName(std::string_view name) {
  if (name.empty() || name.size() > limits::instanceName || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

InstanceLogs logsOf(const plan::InstancePlace& place, const std::string& name) {
  const std::string start = place.config + "/instances/logs/" + place.host + "/" + place.user + "/" + name;
  return {start + ".out", start + ".err"};
}

InstanceState stateOf(const InstanceRecord& record, uid_t owner) {
  if (record.bootId != bootId()) return InstanceState::gone;
  if (record.pidNamespace != pidNamespace()) return InstanceState::elsewhere;
  if (!isAlive(record.keeper, owner)) return InstanceState::gone;
  if (record.init.pid == 0) return InstanceState::starting;
  // Numbers that somebody wrote there himself are not those of an instance.
  auto init = lookAtProcess(record.init.pid);
  const bool ours = init && init->mark == record.init && !init->ended && init->user == owner && init->parent == record.keeper.pid && init->first;
  return ours ? InstanceState::running : InstanceState::gone;
}

Outcome<InstanceFolder> InstanceFolder::open(const plan::InstancePlace& place, uid_t owner, bool make) {
  auto folder = openChain(place.config, {"instances", ours, place.host, place.user}, owner, make);
  if (!folder) return folder.fault();
  return InstanceFolder(std::move(*folder), place.config + "/instances/" + ours + "/" + place.host + "/" + place.user, owner);
}

std::vector<std::string> InstanceFolder::names() const {
  std::vector<std::string> names;
  DIR* stream = fdopendir(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return names;
  while (const dirent* entry = readdir(stream)) {
    if (isInstanceName(entry->d_name) && names.size() < mostInstances) names.emplace_back(entry->d_name);
  }
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

Outcome<Descriptor> InstanceFolder::openOwn(const std::string& name) const { return openBelow(folder_.get(), name, path_ + "/" + name, owner_, false); }

Outcome<InstanceRecord> InstanceFolder::read(const std::string& name) const {
  const std::string path = pathOf(name);
  auto folder = openOwn(name);
  if (!folder) return folder.fault();
  const Descriptor file(openat(folder->get(), (name + ".json").c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ELOOP) return refused("Expected a file at " + path + ", got a link");
  if (!file) return failed("open " + path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return failed("look at " + path);
  if (!S_ISREG(status.st_mode)) return refused("Expected a regular file at " + path + ", got something else");
  if (status.st_uid != owner_) return notOwn(path, owner_, status);
  if (status.st_mode & 0022) return refused("Expected " + path + " to be written by its owner only, got mode " + modeText(status.st_mode));
  auto text = readRegular(file.get(), recordBytes);
  if (!text && text.fault().error == EFBIG) return refused("Expected at most " + std::to_string(recordBytes) + " bytes in " + path + ", got more");
  if (!text) return Fault{"read " + path, text.fault().error};
  auto record = readRecord(*text, path);
  if (record && record->name != name) return refused("Expected the record of " + name + " in " + path + ", got that of another instance");
  return record;
}

Status InstanceFolder::write(int folder, const std::string& name, const InstanceRecord& record) const {
  unlinkat(folder, name.c_str(), 0);
  const Descriptor file(openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("make the record of the instance in " + path_);
  if (auto written = writeAll(file.get(), textOf(record)); !written) {
    unlinkat(folder, name.c_str(), 0);
    return Fault{"write the record of the instance in " + path_, written.fault().error};
  }
  return {};
}

Status InstanceFolder::claim(const InstanceRecord& record) const {
  const ExactModes modes;
  const NameLock lock(folder_.get());
  auto present = read(record.name);
  if (!present && present.fault().error != ENOENT) return present.fault();
  if (present && stateOf(*present, owner_) != InstanceState::gone) return Fault{"take the name " + record.name, EEXIST};
  if (mkdirat(folder_.get(), record.name.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder of instance " + record.name);
  auto folder = openOwn(record.name);
  if (!folder) return folder.fault();
  const std::string file = record.name + ".json", fresh = "+" + std::to_string(record.keeper.pid);
  removeUnfinished(folder->get());
  SING_TRY(write(folder->get(), fresh, record));
  if (present) unlinkat(folder->get(), file.c_str(), 0);
  const int linked = linkat(folder->get(), fresh.c_str(), folder->get(), file.c_str(), 0);
  const int error = errno;
  unlinkat(folder->get(), fresh.c_str(), 0);
  if (linked != 0) return Fault{"take the name " + record.name, error};
  return {};
}

Status InstanceFolder::replace(const InstanceRecord& record) const {
  const ExactModes modes;
  auto folder = openOwn(record.name);
  if (!folder) return folder.fault();
  const std::string fresh = "+" + std::to_string(record.keeper.pid);
  SING_TRY(write(folder->get(), fresh, record));
  if (renameat(folder->get(), fresh.c_str(), folder->get(), (record.name + ".json").c_str()) == 0) return {};
  const Fault fault = failed("put the record of the instance in place");
  unlinkat(folder->get(), fresh.c_str(), 0);
  return fault;
}

void InstanceFolder::remove(const std::string& name, const ProcessMark& keeper) const {
  const NameLock lock(folder_.get());
  auto present = read(name);
  if (!present || present->keeper != keeper) return;
  {
    auto folder = openOwn(name);
    if (!folder) return;
    unlinkat(folder->get(), (name + ".json").c_str(), 0);
    removeUnfinished(folder->get());
  }
  unlinkat(folder_.get(), name.c_str(), AT_REMOVEDIR);
}

void InstanceFolder::removeUnclaimed(const std::string& name) const {
  const NameLock lock(folder_.get());
  // Without it somebody may be taking the name.
  if (!lock) return;
  auto present = read(name);
  if (present || present.fault().error != ENOENT) return;
  {
    auto folder = openOwn(name);
    if (!folder) return;
    removeUnfinished(folder->get());
  }
  unlinkat(folder_.get(), name.c_str(), AT_REMOVEDIR);
}

Outcome<Descriptor> openInstanceLog(const plan::InstancePlace& place, const std::string& name, const char* suffix) {
  auto folder = openChain(place.config, {"instances", "logs", place.host, place.user}, geteuid(), true);
  if (!folder) return folder;
  const ExactModes modes;
  const std::string file = name + suffix;
  // Without blocking: it may be a FIFO by now.
  Descriptor log(openat(folder->get(), file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (!log) return failed("open the log " + file + " of the instance");
  struct stat status {};
  if (fstat(log.get(), &status) != 0) return failed("look at the log " + file);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) return refused("Expected the log " + file + " to be a plain file of this user, got something else");
  return log;
}

}  // namespace sing
