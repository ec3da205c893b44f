#include "found_instances.h"

#include <fnmatch.h>
#include <unistd.h>

#include <cerrno>

#include "../core/messages.h"

namespace sing {

std::vector<InstanceRecord> findInstances(const InstanceQuery& query) {
  std::vector<InstanceRecord> found;
  auto folder = InstanceFolder::open(query.place, query.owner, false);
  if (!folder) {
    if (folder.fault().error != ENOENT) say(Level::warning, folder.fault().sentence());
    return found;
  }
  for (const auto& name : folder->names()) {
    if (!query.glob.empty() && fnmatch(query.glob.c_str(), name.c_str(), 0) != 0) continue;
    auto record = folder->read(name);
    if (!record) {
      if (record.fault().error != ENOENT) say(Level::warning, record.fault().sentence());
      else if (query.owner == geteuid()) folder->removeUnclaimed(name);
      continue;
    }
    const auto state = stateOf(*record, query.owner);
    if (state == InstanceState::running) found.push_back(std::move(*record));
    // In a folder of somebody else nothing is changed.
    if (state == InstanceState::gone && query.owner == geteuid()) folder->remove(name, record->keeper);
  }
  return found;
}

}  // namespace sing
