// The state of one launch while its steps are done.
#pragma once

#include <map>
#include <optional>

#include "../programs/outside.h"
#include "../squash/helper.h"
#include "../squash/unpacked.h"
#include "channel.h"
#include "namespaces.h"
#include "plan.h"

namespace sing {

/// What exists outside the new namespaces, or outside the PID namespace at least.
struct Helpers {
  std::map<size_t, Outcome<ImageHelper>> images;  // by step
  std::map<size_t, Outcome<Descriptor>> shared;   // by step: copies of mounts that starts share
  std::map<size_t, Outcome<Descriptor>> programs;  // by step: opened programs that serve a file system
  std::optional<OutsideStarter> outside;           // starts them
  std::optional<IdMapHelper> idMaps;
};

/// What was opened in the new mount namespace before the session hid its own mount point.
struct Opened {
  std::map<size_t, Outcome<Descriptor>> sources;       // by step: host sources, and directories behind handles; of recursive binds, copies with all mounts
  std::map<size_t, Outcome<Descriptor>> fuse;          // by step: /dev/fuse
  std::map<size_t, Outcome<Descriptor>> extractBases;  // by step: where images may be unpacked
  std::map<size_t, Outcome<UnpackedCache>> unpacked;   // by step: where unpacked images are kept
  Descriptor userNamespace;
};

/// Forks the helpers that the plan needs, and asks for mounts that are shared.
Outcome<Helpers> startHelpers(const plan::LaunchPlan& plan);

/// In the namespaces but that for PIDs: forks who starts the programs that serve file systems, if there are any.
Status startOutside(const plan::LaunchPlan& plan, Helpers& helpers);

/// Forks the helper of one image. `inside`: the namespaces of the launch were made already.
Outcome<ImageHelper> startImageHelper(const plan::MountImage& step, bool inside);

/// Opens what the steps name, with the caller's ids. What does not open is remembered with its reason.
Opened openSources(const plan::LaunchPlan& plan);

/// Does the steps in the session. `session` is its open root.
struct StepContext {
  const plan::LaunchPlan& plan;
  Helpers& helpers;
  Opened& opened;
  int session;
  /// Kept open by the servers that write to images, so that their end can be awaited, and told of what the kernel writes (WritersToAwait); or -1.
  int writers = -1;
};

/// Does one step. A fault is why it was not done; whether that matters is the caller's business.
Status doStep(StepContext& context, size_t index);

/// mount_image, the step with the most to it.
Status mountImage(StepContext& context, size_t index, const plan::MountImage& step);

/// What a step does, for messages ("binding /etc to /mnt"), and the path it is about.
std::string describeStep(const plan::Step& step);
std::string pathOfStep(const plan::Step& step);

/// What happens when it fails.
plan::OnFailure failurePolicy(const plan::Step& step);

}  // namespace sing
