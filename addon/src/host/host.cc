#include "host.h"

#include "functions.h"

namespace sing {

const std::vector<HostFunction>& hostFunctions() {
  static const std::vector<HostFunction> functions = {
      {"identity", 0, host::identity},
      {"environment", 0, host::environment},
      {"workingDirectory", 0, host::workingDirectory},
      {"installation", 0, host::installation},
      {"status", 1, host::status},
      {"linkStatus", 1, host::linkStatus},
      {"readLink", 1, host::readLink},
      {"realPath", 1, host::realPath},
      {"mayAccess", 2, host::mayAccess},
      {"readFile", 3, host::readFile},
      {"openImage", 2, host::openImage},
      {"account", 1, host::account},
      {"accountNamed", 1, host::accountNamed},
      {"groupNames", 1, host::groupNames},
      {"instance", 4, host::instance},
      {"mayUseFuse", 0, host::mayUseFuse},
      {"isTerminal", 1, host::isTerminal},
  };
  return functions;
}

json::Value hostFailure(int error) {
  return std::vector<json::Value::Member>{{"error", errorName(error)}, {"message", errorText(error)}};
}

json::Value callHost(const HostContext& context, const HostFunction& function, const HostArguments& arguments) {
  return arguments.size() == function.arguments ? function.call(context, arguments) : hostFailure(EINVAL);
}

}  // namespace sing
