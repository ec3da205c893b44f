// stage_accounts: the image's passwd and group with the caller in them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plan.h"

namespace sing {

/// The text of a passwd file with the user's line, or nothing when a line of it is malformed.
std::optional<std::string> passwdWith(std::string_view original, const plan::AccountLine& user);

/// The text of a group file with the groups that it lacks, or nothing when a line of it is malformed.
std::optional<std::string> groupWith(std::string_view original, const plan::StagedGroup& staged);

/// Writes the session copies. What cannot be read or understood is said and left out; only a full session is a fault.
Status stageAccounts(int session, const plan::StageAccounts& step);

}  // namespace sing
