#include "values.h"

#include <cmath>
#include <optional>

namespace sing {

namespace {

JSValue textToEngine(JSContext* engine, const std::string& text) {
  bool ascii = true;
  for (const char c : text) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return JS_NewStringLen(engine, text.data(), text.size());
  std::vector<uint16_t> wide;
  wide.reserve(text.size());
  for (const char c : text) wide.push_back(static_cast<unsigned char>(c));
  return JS_NewStringUTF16(engine, wide.data(), wide.size());
}

constexpr int64_t maxList = 100'000;

/// Copies a value with everything in it, as its text in JSON would have it.
class Copier {
 public:
  Copier(JSContext* engine, const json::Limits& limits) : engine_(engine), limits_(limits) {}

  Outcome<json::Value> copy(JSValueConst value, int depth) {
    if (depth > limits_.depth) return wrong("nesting of at most " + std::to_string(limits_.depth));
    if (++count_ > limits_.values) return wrong("at most " + std::to_string(limits_.values) + " values");
    if (JS_IsNull(value)) return json::Value();
    if (JS_IsBool(value)) return json::Value(JS_ToBool(engine_, value) == 1);
    if (JS_IsNumber(value)) return number(value);
    if (JS_IsString(value)) return text(value);
    if (JS_IsArray(value)) return list(value, depth);
    if (JS_IsObject(value) && !JS_IsFunction(engine_, value)) return object(value, depth);
    return wrong("a value");
  }

 private:
  static Fault wrong(const std::string& expected) { return refused("Expected " + expected + " in the planner's answer"); }

  Outcome<json::Value> number(JSValueConst value) {
    double number = 0;
    JS_ToFloat64(engine_, &number, value);
    if (number != std::trunc(number) || std::fabs(number) > 9007199254740991.0) return wrong("a whole number below 2^53");
    return json::Value(number);
  }

  Outcome<json::Value> text(JSValueConst value) {
    std::string bytes;
    if (!bytesOf(engine_, value, bytes)) return wrong("a character up to U+00FF");
    bytes_ += bytes.size();
    if (bytes_ > limits_.bytes) return wrong("text of at most " + std::to_string(limits_.bytes) + " bytes");
    return json::Value(std::move(bytes));
  }

  Outcome<json::Value> list(JSValueConst value, int depth) {
    int64_t length = 0;
    if (JS_GetLength(engine_, value, &length) != 0 || length > static_cast<int64_t>(limits_.values)) return wrong("a list");
    std::vector<json::Value> items;
    items.reserve(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i) {
      JSValue item = JS_GetPropertyInt64(engine_, value, i);
      auto copied = copy(item, depth + 1);
      JS_FreeValue(engine_, item);
      if (!copied) return copied;
      items.push_back(std::move(*copied));
    }
    return json::Value(std::move(items));
  }

  Outcome<json::Value> object(JSValueConst value, int depth) {
    JSPropertyEnum* names = nullptr;
    uint32_t count = 0;
    if (JS_GetOwnPropertyNames(engine_, &names, &count, value, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) != 0) return wrong("an object");
    std::vector<json::Value::Member> members;
    members.reserve(count);
    std::optional<Fault> fault;
    if (count > limits_.members) fault = wrong("at most " + std::to_string(limits_.members) + " members");
    for (uint32_t i = 0; i < count && !fault; ++i) {
      JSValue member = JS_GetProperty(engine_, value, names[i].atom);
      if (!JS_IsUndefined(member)) {
        auto copied = copy(member, depth + 1);
        const char* name = JS_AtomToCString(engine_, names[i].atom);
        if (!copied) fault = copied.fault();
        else if (!name) fault = wrong("a member's name");
        else members.emplace_back(name, std::move(*copied));
        JS_FreeCString(engine_, name);
      }
      JS_FreeValue(engine_, member);
    }
    JS_FreePropertyEnum(engine_, names, count);
    if (fault) return *fault;
    return json::Value(std::move(members));
  }

  JSContext* engine_;
  const json::Limits& limits_;
  size_t count_ = 0, bytes_ = 0;
};

}  // namespace

Outcome<json::Value> wholeFromEngine(JSContext* engine, JSValueConst value, const json::Limits& limits) { return Copier(engine, limits).copy(value, 0); }

JSValue toEngine(JSContext* engine, const json::Value& value) {
  switch (value.kind()) {
    case json::Value::Kind::null: return JS_NULL;
    case json::Value::Kind::boolean: return JS_NewBool(engine, value.boolean());
    case json::Value::Kind::number: return JS_NewNumber(engine, value.number());
    case json::Value::Kind::text: return textToEngine(engine, value.text());
    case json::Value::Kind::list: {
      JSValue list = JS_NewArray(engine);
      uint32_t index = 0;
      for (const auto& item : value.list()) JS_SetPropertyUint32(engine, list, index++, toEngine(engine, item));
      return list;
    }
    case json::Value::Kind::object: {
      JSValue object = JS_NewObject(engine);
      for (const auto& [name, member] : value.members()) JS_SetPropertyStr(engine, object, name.c_str(), toEngine(engine, member));
      return object;
    }
  }
  return JS_NULL;
}

bool bytesOf(JSContext* engine, JSValueConst value, std::string& bytes) {
  size_t length = 0;
  const char* text = JS_ToCStringLen(engine, &length, value);
  if (!text) return false;
  bool fits = true;
  size_t ascii = 0;
  while (ascii < length && static_cast<unsigned char>(text[ascii]) < 0x80) ++ascii;
  bytes.assign(text, ascii);
  for (size_t i = ascii; i < length && fits; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      bytes.push_back(static_cast<char>(c));
    } else if ((c == 0xc2 || c == 0xc3) && i + 1 < length) {
      bytes.push_back(static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f)));
    } else {
      fits = false;
    }
  }
  JS_FreeCString(engine, text);
  return fits;
}

json::Value fromEngine(JSContext* engine, JSValueConst value) {
  if (JS_IsBool(value)) return JS_ToBool(engine, value) == 1;
  if (JS_IsNumber(value)) {
    double number = 0;
    JS_ToFloat64(engine, &number, value);
    return number;
  }
  if (JS_IsString(value)) {
    std::string bytes;
    return bytesOf(engine, value, bytes) ? json::Value(std::move(bytes)) : json::Value();
  }
  int64_t length = 0;
  if (!JS_IsArray(value) || JS_GetLength(engine, value, &length) != 0 || length > maxList) return {};
  std::vector<json::Value> list;
  for (int64_t i = 0; i < length; ++i) {
    JSValue item = JS_GetPropertyUint32(engine, value, static_cast<uint32_t>(i));
    // Only one level: no host function takes lists of lists.
    list.push_back(JS_IsArray(item) ? json::Value() : fromEngine(engine, item));
    JS_FreeValue(engine, item);
  }
  return list;
}

}  // namespace sing
