// Becoming the program that the container runs.
#pragma once

#include <string>

#include "descriptor.h"
#include "plan.h"

namespace sing {

/// What exec needs beyond the plan.
struct ExecContext {
  /// The static shell that ships beside the program, or no descriptor.
  const Descriptor& ownShell;
  /// Added to the environment as PWD.
  std::string workingDirectory;
};

/// Decides between script and program and replaces the process. Returns only when that failed: the sentence of why.
Fault becomePayload(const plan::Payload& payload, const ExecContext& context);

/// Replaces the process by a program. Returns only when that failed.
Fault becomeProgram(const plan::Exec& exec, const ExecContext& context);

/// Whether environment scripts of the image say something (ScriptWhen in plan.ts); looks at the process's own root.
bool imageSetsEnvironment(const plan::ImageSetsEnvironment& rule);

}  // namespace sing
