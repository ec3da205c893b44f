// What the readers of a plan share: plan_reader.cc reads the document and its run, step_reader.cc one step.
#pragma once

#include <optional>
#include <string>

#include "fields.h"
#include "plan.h"

namespace sing::plan {

/// The word that tells a union apart, without counting it as read.
std::string kindOf(const json::Value& value);

/// The member `onFailure`.
OnFailure readOnFailure(Fields& fields);

/// One entry of `steps`; nothing for a kind that is not known (the fault is kept).
std::optional<Step> readStep(const json::Value& value, const std::string& where, Report& report);

}  // namespace sing::plan
