// Between Node's values and the core's.
#pragma once

#include <napi.h>

#include "../core/json.h"

namespace sing {

/// A new value of Node. Bytes become characters U+0000–U+00FF.
Napi::Value toNode(Napi::Env node, const json::Value& value);

/// The core's copy of a primitive or a list of such; what cannot be one becomes null.
json::Value fromNode(const Napi::Value& value);

/// The bytes of a text; false when it is none, or has characters above U+00FF.
bool bytesOf(const Napi::Value& value, std::string& bytes);

}  // namespace sing
