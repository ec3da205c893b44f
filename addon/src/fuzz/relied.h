// What the core relies on in a plan that was accepted, said a second time and in other words than the readers'.
#pragma once

#include <optional>
#include <string>

#include "../core/plan.h"

namespace sing::fuzz {

/// What is wrong with it; nothing when all is well.
std::optional<std::string> brokenPromise(const plan::LaunchPlan& plan);
std::optional<std::string> brokenPromise(const plan::JoinPlan& plan);

/// The same of why one was refused: a sentence of ours on one line, which a person can read.
std::optional<std::string> brokenPromise(const Fault& fault);

}  // namespace sing::fuzz
