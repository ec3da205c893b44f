// The launch plan as C++ data. Meaning and order of everything: libs/runtime/src/plan.ts, whose names these are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fault.h"
#include "json.h"

namespace sing::plan {

using Texts = std::vector<std::string>;

class Report;

struct MessageSettings {
  int level = 1;
  bool colour = false;
};

struct IdRange {
  uint32_t inside, outside, count;
};

struct Identity {
  uint32_t uid = 0, gid = 0;
  std::optional<std::vector<uint32_t>> groups;
};

enum class MapWriter { self, programs, parent };

struct UserNamespace {
  std::vector<IdRange> uidMap, gidMap;
  bool allowSetgroups = false;
  MapWriter writtenBy = MapWriter::self;
  std::string newuidmap, newgidmap;
  std::optional<Identity> enterAs;
};

struct Namespaces {
  std::optional<UserNamespace> user;
  bool slavePropagation = true;
  bool pid = false, shim = false;
  bool ipc = false;
  bool uts = false;
  std::optional<std::string> hostname;
  bool loopbackOnly = false;
};

struct Session {
  std::string mountPoint, fileSystem;
  std::optional<uint64_t> sizeLimit;
};

struct Place {
  bool inContainer = false;
  std::string path;
};

enum class SourceKind { host, session, handle, image, made };

struct Source {
  SourceKind kind = SourceKind::host;
  std::string path;
  int handle = -1;
  std::string at;  // image: where it is mounted
  std::string parent;  // made
  uint32_t mode = 0;   // made
};

struct MountFlags {
  bool readOnly = false, nosuid = false, nodev = false, noexec = false;
};

enum class OnFailure { fatal, warning, verbose, silent };

struct MakeDirectory {
  std::string path;
  uint32_t mode = 0;
};

struct WriteFile {
  std::string path, content;
  uint32_t mode = 0;
};

struct MakeLink {
  std::string path, target;
};

enum class FileSystem { directory, squashfs, ext3, erofs };

struct ImageFile {
  int handle = -1;
  std::string path;
  FileSystem fileSystem = FileSystem::directory;
  uint64_t offset = 0, size = 0;
};

enum class BackendKind { bind, loop, shared, fuse, unpacked, extract, program };

struct ImageBackend {
  BackendKind kind = BackendKind::bind;
  bool allowOther = false;
  std::string directory;
  uint64_t idleSeconds = 0;
  uint64_t sizeLimit = 0;  // bytes, of the unpacked cache
};

struct MountImage {
  ImageFile image;
  std::string at;
  MountFlags flags;
  std::vector<ImageBackend> backends;
};

enum class TargetType { directory, file, like };

struct PreparedTarget {
  std::string path;
  TargetType type = TargetType::directory;
  std::string at, inside;  // like: where the image is mounted, and the path in it
};

struct PrepareTargets {
  std::string rootfs, layer;
  std::vector<PreparedTarget> targets;
};

struct Upper {
  std::string directory, work;
};

struct ByProgram {
  std::string program;
  bool allowOther = false;
};

/// When an underlay takes the place of an overlay.
enum class UnderlayUse { never, unfit, refused };

struct MountOverlay {
  Texts lower;
  std::optional<Upper> upper;
  bool userXattr = false;
  std::string at;
  std::optional<ByProgram> by;
  UnderlayUse underlay = UnderlayUse::never;
};

struct MountUnderlay {
  std::string layer, rootfs, at;
};

struct PrepareLayer {
  std::string image;
  /// Absent: for writing.
  std::optional<std::string> at;
};

struct AccountLine {
  std::string name, gecos, home, shell;
  uint32_t uid = 0, gid = 0;
};

struct GroupLine {
  std::string name;
  uint32_t gid = 0;
};

struct StagedPasswd {
  std::string to;
  AccountLine user;
};

struct StagedGroup {
  std::string to, userName;
  std::vector<GroupLine> groups;
};

struct StageAccounts {
  std::string rootfs;
  std::optional<StagedPasswd> passwd;
  std::optional<StagedGroup> group;
};

enum class UnlessKind { sameFile, resolvesTo, leadsElsewhere };

struct BindUnless {
  UnlessKind kind = UnlessKind::sameFile;
  std::string path;
};

struct Bind {
  Source source;
  Place target;
  bool recursive = false;
  MountFlags flags;
  OnFailure onFailure = OnFailure::fatal;
  std::vector<BindUnless> unless;
};

struct MountFileSystem {
  std::string fileSystem;
  Place target;
  MountFlags flags;
  uint32_t mode = 0;
  std::optional<uint64_t> sizeLimit;
  std::optional<uint32_t> ttyGroup;
  OnFailure onFailure = OnFailure::fatal;
};

using Step = std::variant<MakeDirectory, WriteFile, MakeLink, MountImage, PrepareTargets, MountOverlay, StageAccounts,
                          Bind, MountFileSystem, PrepareLayer, MountUnderlay>;

enum class CapabilityChoice { none, all, listed };

struct Credentials {
  std::optional<Identity> identity;
  CapabilityChoice choice = CapabilityChoice::none;
  uint64_t capabilities = 0;  // bits, when listed
  bool noNewPrivileges = true;
};

struct Shell {
  bool own = false;
  std::string path;
};

struct Exec {
  std::string file;
  Texts argv, env, searchPath;
  std::vector<Shell> shells;
};

struct Script {
  std::string text;
  Texts args, env;
  std::vector<Shell> shells;
};

struct ImageSetsEnvironment {
  std::string directory;
  Texts files, known;
};

struct Payload {
  std::optional<Exec> exec;
  std::optional<Script> script;
  /// Absent: always.
  std::optional<ImageSetsEnvironment> scriptWhen;
};

struct WorkingDirectory {
  std::string path;
  OnFailure onFailure = OnFailure::fatal;
};

struct Become {
  Payload payload;
  std::vector<WorkingDirectory> workingDirectory;
  uint32_t umask = 022;
};

struct Command {
  std::string name;
  bool inContainer = true;
  Exec exec;
  std::string workingDirectory;
  bool inheritStdin = false;
  bool always = false;
};

struct Sequence {
  std::vector<Command> commands;
  uint32_t umask = 022;
};

/// Where somebody's instances are kept on a host: below `<config>/instances`.
struct InstancePlace {
  std::string config, host, user;
};

/// A payload in the background, below a process 1 of ours.
struct Instance {
  Become become;
  std::string name;
  InstancePlace place;
  std::string image, home, mode;
  /// The payload itself is process 1.
  bool boot = false;
  std::optional<std::string> pidFile;
};

struct LaunchPlan {
  MessageSettings messages;
  Namespaces namespaces;
  Session session;
  std::vector<Step> steps;
  std::string root;
  Credentials credentials;
  std::variant<Become, Sequence, Instance> run;
  bool inheritDescriptors = true;
  bool dieWithParent = false;
};

/// Starting a payload in an instance that runs. `init` and `keeper`: pid and start, as ProcessMark.
struct JoinPlan {
  MessageSettings messages;
  std::string name;
  uint32_t init = 0, keeper = 0;
  uint64_t initStart = 0, keeperStart = 0;
  bool boot = false;
  std::optional<Identity> enterAs;
  Credentials credentials;
  Become run;
};

/// The step's name in the plan ("mount_image").
std::string_view stepKind(const Step& step);

/// Reads and checks a plan: every field there, nothing unknown, every path and size in its bounds. The fault names the field.
Outcome<LaunchPlan> read(const json::Value& document);

/// The same for a plan that joins an instance.
Outcome<JoinPlan> readJoin(const json::Value& document);

/// A place of instances, of the member that is called so.
InstancePlace readInstancePlace(const json::Value& value, const std::string& where, Report& report);

/// The same as `read` from JSON text.
Outcome<LaunchPlan> readText(std::string_view text);

}  // namespace sing::plan
