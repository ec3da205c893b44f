#include "values.h"

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

}  // namespace

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
  bytes.clear();
  for (size_t i = 0; i < length && fits; ++i) {
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
