// The files of instances: one folder per person and host, one record per instance. What is found there is believed only after a look at the
// processes that it names.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "plan.h"
#include "process.h"

namespace sing {

struct InstanceRecord {
  std::string name, image, home;
  /// `root`, `user` or `fakeroot`.
  std::string mode;
  /// Other ids than the own exist in its user namespace.
  bool severalIds = false;
  /// Its process 1 is the image's /sbin/init.
  bool boot = false;
  /// Process 1 of the instance; pid 0: it is being started.
  ProcessMark init;
  /// Its parent, which stays outside and ends with it.
  ProcessMark keeper;
  /// Where the numbers of processes mean something.
  std::string bootId, pidNamespace;
};

/// `elsewhere`: its processes have their numbers in another PID namespace, so that nothing can be said about them from here.
enum class InstanceState { starting, running, gone, elsewhere };

InstanceState stateOf(const InstanceRecord& record, uid_t owner);

/// The name as it may be a part of a path: letters, digits, `.`, `_` and `-`, but not `.` and `..`.
bool isInstanceName(std::string_view name);

struct InstanceLogs {
  std::string out, error;
};
InstanceLogs logsOf(const plan::InstancePlace& place, const std::string& name);

class InstanceFolder {
 public:
  /// ENOENT: there is none, and it was not to be made. Every folder below the configuration folder has to belong to `owner`, be no link, and is
  /// closed to others (mode 0700), which is mended where it is not.
  static Outcome<InstanceFolder> open(const plan::InstancePlace& place, uid_t owner, bool make);

  /// The instances that have a folder, in order.
  std::vector<std::string> names() const;

  /// ENOENT: there is none. A file that is not the owner's own, or says something else than a record does: a sentence.
  Outcome<InstanceRecord> read(const std::string& name) const;

  /// Takes the name for this record. EEXIST: it is taken by an instance that is there. One that is gone gives way.
  Status claim(const InstanceRecord& record) const;

  /// Puts the record in place of the claim of the same keeper.
  Status replace(const InstanceRecord& record) const;

  /// For a process that has entered another user namespace: how its own files are owned from there.
  void setOwner(uid_t owner) { owner_ = owner; }

  /// Stays open as long as the record may have to be replaced or removed.
  int descriptor() const { return folder_.get(); }

  /// Removes the record if it still is that of this keeper, and its folder.
  void remove(const std::string& name, const ProcessMark& keeper) const;

  /// Removes the folder of a name that has no record: of a keeper that was killed while it took the name.
  void removeUnclaimed(const std::string& name) const;

 private:
  InstanceFolder(Descriptor folder, std::string path, uid_t owner) : folder_(std::move(folder)), path_(std::move(path)), owner_(owner) {}
  Outcome<Descriptor> openOwn(const std::string& name) const;
  Status write(int folder, const std::string& name, const InstanceRecord& record) const;
  std::string pathOf(const std::string& name) const { return path_ + "/" + name + "/" + name + ".json"; }

  Descriptor folder_;
  std::string path_;
  uid_t owner_;
};

/// Opens a log to write at its end, and makes it when it is not there (0600). It has to be a plain file of this user.
Outcome<Descriptor> openInstanceLog(const plan::InstancePlace& place, const std::string& name, const char* suffix);

}  // namespace sing
