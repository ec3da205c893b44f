// Between the engine's values and the core's.
#pragma once

#include "../core/json.h"

extern "C" {
#include "quickjs.h"
}

namespace sing {

/// A new value of the engine. Bytes become characters U+0000–U+00FF.
JSValue toEngine(JSContext* engine, const json::Value& value);

/// The core's copy of a whole value: objects, lists, texts, whole numbers below 2^53, in the bounds of `limits`. Members that are undefined are left out.
Outcome<json::Value> wholeFromEngine(JSContext* engine, JSValueConst value, const json::Limits& limits);

/// The core's copy of a primitive or a list of such. What cannot be one (a function, a text with other characters) becomes null.
json::Value fromEngine(JSContext* engine, JSValueConst value);

/// The bytes of a text of the engine; nothing when it has characters above U+00FF.
bool bytesOf(JSContext* engine, JSValueConst value, std::string& bytes);

}  // namespace sing
