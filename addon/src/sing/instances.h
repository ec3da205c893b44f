// The commands about instances that run: list, stop, stats.
#pragma once

#include "../core/json.h"

namespace sing {

/// Does what an answer of the kind `instances` asks for (libs/runtime/src/answer.ts); the exit status. The answer comes from the planner, which
/// has checked the words; what is not as it should be is a fault of the planner.
int answerInstances(const json::Value& answer);

}  // namespace sing
