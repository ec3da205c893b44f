#include "values.h"

namespace sing {

Napi::Value toNode(Napi::Env node, const json::Value& value) {
  switch (value.kind()) {
    case json::Value::Kind::null: return node.Null();
    case json::Value::Kind::boolean: return Napi::Boolean::New(node, value.boolean());
    case json::Value::Kind::number: return Napi::Number::New(node, value.number());
    case json::Value::Kind::text: {
      napi_value text = nullptr;
      napi_create_string_latin1(node, value.text().data(), value.text().size(), &text);
      return {node, text};
    }
    case json::Value::Kind::list: {
      Napi::Array list = Napi::Array::New(node, value.list().size());
      uint32_t index = 0;
      for (const auto& item : value.list()) list.Set(index++, toNode(node, item));
      return list;
    }
    case json::Value::Kind::object: {
      Napi::Object object = Napi::Object::New(node);
      for (const auto& [name, member] : value.members()) object.Set(name, toNode(node, member));
      return object;
    }
  }
  return node.Null();
}

bool bytesOf(const Napi::Value& value, std::string& bytes) {
  if (!value.IsString()) return false;
  bytes.clear();
  for (const char16_t c : value.As<Napi::String>().Utf16Value()) {
    if (c > 0xff) return false;
    bytes.push_back(static_cast<char>(c));
  }
  return true;
}

json::Value fromNode(const Napi::Value& value) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  std::string bytes;
  if (bytesOf(value, bytes)) return bytes;
  if (!value.IsArray()) return {};
  const auto array = value.As<Napi::Array>();
  std::vector<json::Value> list;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    list.push_back(item.IsArray() ? json::Value() : fromNode(item));
  }
  return list;
}

}  // namespace sing
