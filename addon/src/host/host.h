// The host functions of libs/runtime/src/host.ts, once for both of their users: the planner's engine and Node.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../core/json.h"

namespace sing {

/// What the functions need to know about the program they run in.
struct HostContext {
  /// The folder that holds bin/, dist/, addon/.
  std::string root;
  /// The environment as the program was given it, `NAME=value`.
  std::vector<std::string> environment;
  /// The effective capabilities that the program was started with: the functions may run with fewer.
  uint64_t capabilities = 0;
  /// The umask, where the process has one thread that could ask the kernel for it.
  std::optional<unsigned> umask;
};

using HostArguments = std::vector<json::Value>;

/// One function of the host, by the name that host.ts gives it.
struct HostFunction {
  std::string_view name;
  size_t arguments;
  json::Value (*call)(const HostContext& context, const HostArguments& arguments);
};

/// All of them. They act with the caller's rights, change nothing, and answer `{ error, message }` for what cannot be had.
const std::vector<HostFunction>& hostFunctions();

/// Calls one after checking the number of its arguments. Unknown names and wrong arguments answer EINVAL.
json::Value callHost(const HostContext& context, const HostFunction& function, const HostArguments& arguments);

/// `{ error: "ENOENT", message: "…" }`.
json::Value hostFailure(int error);

}  // namespace sing
