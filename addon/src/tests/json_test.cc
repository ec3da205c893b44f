#include "../core/json.h"

#include "check.h"

using sing::json::parse;
using sing::json::print;

TEST("JSON: what is parsed is printed again") {
  const std::string text = R"({"a":[1,-2,true,false,null,"x"],"b":{"c":""}})";
  auto value = parse(text);
  CHECK(value);
  if (value) CHECK_EQUAL(print(*value), text);
}

TEST("JSON: one character up to U+00FF is one byte, in every spelling") {
  for (const char* text : {"\"\xc3\xbf\"", "\"\\u00ff\""}) {
    auto value = parse(text);
    CHECK(value);
    if (value) CHECK_EQUAL(value->text(), "\xff");
    if (value) CHECK_EQUAL(print(*value), "\"\\u00ff\"");
  }
}

TEST("JSON: refuses characters above U+00FF, also as surrogates or broken UTF-8") {
  for (const char* text : {"\"\xc4\x80\"", "\"\\u0100\"", "\"\\ud83d\\ude00\"", "\"\xff\"", "\"\xc3\"", "\"\xe2\x82\xac\""}) CHECK(!parse(text));
}

TEST("JSON: refuses what is no JSON") {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.5", "1e3", "-", "nul", "\"", "\"\n\"", "[1] 2", "{\"a\":1,\"a\":2}"}) {
    CHECK(!parse(text));
  }
}

TEST("JSON: limits hold for size, depth, values and members") {
  CHECK(!parse("[1]", {.bytes = 2}));
  CHECK(parse("[[1]]", {.depth = 2}));
  CHECK(!parse("[[[1]]]", {.depth = 2}));
  CHECK(!parse("[1,2,3]", {.values = 3}));
  CHECK(!parse(R"({"a":1,"b":2})", {.members = 1}));
  CHECK(!parse(std::string(100'000, '[')));
}

TEST("JSON: refuses numbers beyond 2^53") {
  CHECK(parse("9007199254740991"));
  CHECK(!parse("9007199254740993"));
}
