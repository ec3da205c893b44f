// openImage: opens an image once, and says what it is.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>

#include "../core/descriptor.h"
#include "../core/ext3.h"
#include "functions.h"
#include "sif.h"

namespace sing::host {

using json::Value;

namespace {

struct Described {
  std::string type = "unknown";
  std::optional<Partition> partition;
  std::vector<NumberedPartition> others;
  std::string problem;
};

const char* name(PartitionFileSystem fileSystem) {
  switch (fileSystem) {
    case PartitionFileSystem::squashfs: return "squashfs";
    case PartitionFileSystem::ext3: return "ext3";
    case PartitionFileSystem::encrypted: return "encrypted";
    default: return "other";
  }
}

/// Where the file system of a bare image begins: at 0, or after a launch line in the first 2048 bytes.
size_t afterLaunchLine(const std::string& head) {
  if (head.compare(0, 2, "#!") != 0) return 0;
  const size_t word = head.find(" run-singularity");
  const size_t newline = head.find('\n', word == std::string::npos || word == 0 ? head.size() : word);
  return newline == std::string::npos ? 0 : newline + 1;
}

Described bareImage(int file, uint64_t size, const std::string& head) {
  const size_t start = afterLaunchLine(head);
  Described out;
  auto begin = readAt(file, start, std::min<uint64_t>(2048, size - start));
  if (!begin) return out;
  const auto accept = [&](PartitionFileSystem fileSystem, const char* type, const std::optional<std::string>& problem) {
    out.type = type;
    if (problem) out.problem = *problem;
    else out.partition = Partition{fileSystem, start, size - start, ""};
  };
  if (begin->compare(0, 4, "hsqs") == 0) accept(PartitionFileSystem::squashfs, "squashfs", squashfsProblem(*begin));
  else if (looksLikeExt(*begin)) accept(PartitionFileSystem::ext3, "ext3", ext3Problem(*begin, size - start));
  return out;
}

Described describe(int file, const struct stat& status) {
  Described out;
  if (S_ISDIR(status.st_mode)) {
    out.type = "directory";
    return out;
  }
  if (!S_ISREG(status.st_mode) || status.st_size <= 0) return out;
  const auto size = static_cast<uint64_t>(status.st_size);
  auto head = readAt(file, 0, std::min<uint64_t>(2048, size));
  if (!head) {
    out.problem = head.fault().sentence();
    return out;
  }
  if (!looksLikeSif(*head)) return bareImage(file, size, *head);
  out.type = "sif";
  out.others = otherPartitions(file, size);
  auto partition = primaryPartition(file, size);
  if (partition) out.partition = *partition;
  else out.problem = partition.fault().sentence();
  return out;
}

std::vector<Value::Member> partitionMembers(const Partition& partition) {
  return {{"fileSystem", name(partition.fileSystem)},
          {"offset", static_cast<int64_t>(partition.offset)},
          {"size", static_cast<int64_t>(partition.size)},
          {"architecture", partition.architecture.empty() ? Value() : Value(partition.architecture)}};
}

Value otherValues(const std::vector<NumberedPartition>& others) {
  std::vector<Value> out;
  for (const auto& one : others) {
    auto members = partitionMembers(one.partition);
    members.emplace_back("id", static_cast<int64_t>(one.id));
    members.emplace_back("kind", one.overlay ? "overlay" : "data");
    members.emplace_back("problem", one.problem.empty() ? Value() : Value(one.problem));
    out.emplace_back(std::move(members));
  }
  return out;
}

}  // namespace

Value openImage(const HostContext&, const HostArguments& arguments) {
  const auto* path = pathArgument(arguments, 0);
  if (!path || arguments[1].kind() != Value::Kind::boolean) return hostFailure(EINVAL);
  auto resolved = resolvePath(*path);
  if (!resolved) return hostFailure(resolved.fault().error);
  const int common = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Descriptor file(open(resolved->c_str(), common | (arguments[1].boolean() ? O_RDWR : O_RDONLY)));
  if (!file && errno != EISDIR && errno != EACCES) return hostFailure(errno);
  if (!file && errno == EISDIR) file = Descriptor(open(resolved->c_str(), common | O_RDONLY | O_DIRECTORY));
  // A directory that may be entered but not listed can be a container, too.
  if (!file && errno == EACCES) file = Descriptor(open(resolved->c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return hostFailure(EACCES);
  // What was opened has to be what the name said: somebody may have put a link on the way in between.
  char opened[PATH_MAX + 1];
  const auto length = readlink(("/proc/self/fd/" + std::to_string(file.get())).c_str(), opened, sizeof opened);
  if (length <= 0 || std::string(opened, static_cast<size_t>(length)) != *resolved) return hostFailure(ESTALE);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return hostFailure(errno);
  const Described described = describe(file.get(), status);
  return std::vector<Value::Member>{{"handle", file.release()},
                                    {"path", *resolved},
                                    {"status", fileStatus(status)},
                                    {"type", described.type},
                                    {"partition", described.partition ? Value(partitionMembers(*described.partition)) : Value()},
                                    {"others", otherValues(described.others)},
                                    {"problem", described.problem.empty() ? Value() : Value(described.problem)}};
}

}  // namespace sing::host
