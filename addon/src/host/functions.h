// The functions behind the table of host.cc, by topic.
#pragma once

#include <sys/stat.h>

#include "host.h"

namespace sing::host {

json::Value identity(const HostContext&, const HostArguments&);
json::Value environment(const HostContext&, const HostArguments&);
json::Value workingDirectory(const HostContext&, const HostArguments&);
json::Value installation(const HostContext&, const HostArguments&);
json::Value mayUseFuse(const HostContext&, const HostArguments&);
json::Value isTerminal(const HostContext&, const HostArguments&);

json::Value status(const HostContext&, const HostArguments&);
json::Value linkStatus(const HostContext&, const HostArguments&);
json::Value readLink(const HostContext&, const HostArguments&);
json::Value realPath(const HostContext&, const HostArguments&);
json::Value mayAccess(const HostContext&, const HostArguments&);
json::Value readFile(const HostContext&, const HostArguments&);

json::Value openImage(const HostContext&, const HostArguments&);

json::Value account(const HostContext&, const HostArguments&);
json::Value groupNames(const HostContext&, const HostArguments&);
json::Value accountNamed(const HostContext&, const HostArguments&);

json::Value instance(const HostContext&, const HostArguments&);

/// The path of an argument, or nothing when it is none that may be asked about (absolute, at most 4095 bytes, no NUL).
const std::string* pathArgument(const HostArguments& arguments, size_t index);

/// A FileStatus of host.ts.
json::Value fileStatus(const struct stat& status);

/// realpath: every link resolved.
Outcome<std::string> resolvePath(const std::string& path);

}  // namespace sing::host
