#include "mutate.h"

#include <algorithm>
#include <functional>

#include "../core/limits.h"

namespace sing::fuzz {

using json::Value;
using Kind = Value::Kind;
using Member = Value::Member;
using List = std::vector<Value>;
using Members = std::vector<Member>;
/// Of a value, and of the name of the member that it is or is an item of.
using Change = std::function<Value(const Value&, const std::string& name)>;

namespace {

constexpr double wildNumbers[] = {-1, 0, 1, 2, 3, 64, 340, 511, 512, 4095, 4096, 1 << 20, 4294967294.0, 4294967295.0, 9007199254740991.0, -9007199254740991.0};
const std::vector<std::string> wildTexts = {"",   "/",    "..",    ".",         "../x", "a/../../b", "a//b", "a/",         "/proc/self/fd/3", "/proc/self/root",
                                            "a:b", "a,b", "a\\b", "root:x:0\n", "/..",  "/a/../../b", "none", "all", std::string("a\0b", 3), "\xff\xc3\x28"};
/// A text that begins so is printed as one of these instead.
constexpr char rawMark = '\1';
const std::vector<std::string> rawTokens = {"1.5",  "1e999", "-0",     "1e3",  "99999999999999999999999999", "NaN", "\"\xff\xfe\"", "\"\xc4\x80\"",
                                            "\"\\ud800\"", "\"\\u0000\"", "\"\n\"", "tru", "{\"kind\":1,\"kind\":1}", "", "[", "0x10"};

size_t countOf(const Value& value) {
  size_t count = 1;
  for (const auto& item : value.list()) count += countOf(item);
  for (const auto& [name, member] : value.members()) count += countOf(member);
  return count;
}

/// The value with its part number `at`, counted from itself as 0, changed.
Value withChanged(const Value& value, size_t& at, const std::string& name, const Change& change) {
  if (at-- == 0) return change(value, name);
  const auto wanted = [&](const Value& part) {
    const size_t count = countOf(part);
    if (at < count) return true;
    at -= count;
    return false;
  };
  if (value.kind() == Kind::list) {
    List list = value.list();
    for (auto& item : list) {
      if (!wanted(item)) continue;
      item = withChanged(item, at, name, change);
      break;
    }
    return Value(std::move(list));
  }
  Members members = value.members();
  for (auto& [inner, member] : members) {
    if (!wanted(member)) continue;
    member = withChanged(member, at, inner, change);
    break;
  }
  return Value(std::move(members));
}

Value withOneChanged(Random& random, const Value& plan, const Change& change) {
  size_t at = random.below(countOf(plan));
  return withChanged(plan, at, "", change);
}

Value ofSameName(Random& random, const Corpus& corpus, const Value& value, const std::string& name) {
  const auto found = corpus.byName.find(name);
  return found == corpus.byName.end() ? value : random.of(found->second);
}

Value lessOrMore(Random& random, const Corpus& corpus, List list, const std::string& name) {
  if (list.empty() || random.once(4)) {
    // An entry of a list of the same name.
    const Value other = ofSameName(random, corpus, Value(), name);
    if (!other.list().empty()) list.insert(list.begin() + static_cast<long>(random.below(list.size() + 1)), random.of(other.list()));
    return Value(std::move(list));
  }
  const size_t one = random.below(list.size()), other = random.below(list.size());
  if (random.once(3)) list.erase(list.begin() + static_cast<long>(one));
  else if (random.once(2)) std::swap(list[one], list[other]);
  else list.insert(list.begin() + static_cast<long>(other), Value(list[one]));
  return Value(std::move(list));
}

Value nested(Random& random) {
  Value value(1);
  for (size_t depth = random.once(20) ? 2000 : random.below(40); depth > 0; --depth) value = Value(List{std::move(value)});
  return value;
}

Value made(Random& random, const Corpus& corpus) {
  switch (random.below(9)) {
    case 0: return Value();
    case 1: return Value(random.once(2));
    case 2: return Value(wildNumbers[random.below(std::size(wildNumbers))]);
    case 3: return Value(random.of(wildTexts));
    case 4: return Value(std::string(random.once(400) ? limits::textBytes + 1 : random.once(50) ? limits::contentBytes + 1 : random.below(5000), 'x'));
    case 5: return Value(List(random.once(50) ? limits::listEntries + 1 : random.below(400), Value(random.of(wildTexts))));
    case 6: return nested(random);
    case 7: return Value(std::string(1, rawMark));
    default: return ofSameName(random, corpus, Value(), random.of(corpus.names));
  }
}

Value otherText(Random& random, std::string text) {
  const std::string part = random.of(wildTexts);
  const size_t at = random.below(text.size() + 1);
  switch (random.below(4)) {
    case 0: return Value(part);
    case 1: return Value(text + "/" + part);
    case 2: return Value(text.insert(at, part));
    default: return Value(text.insert(at, 1, static_cast<char>(random.below(256))));
  }
}

Value otherMembers(Random& random, const Corpus& corpus, Members members) {
  if (members.empty()) return made(random, corpus);
  const size_t one = random.below(members.size());
  switch (random.below(5)) {
    case 0: members.erase(members.begin() + static_cast<long>(one)); break;
    case 1: members.push_back(members[one]); break;
    case 2: members[one].first = random.of(corpus.names); break;
    case 3: members.insert(members.begin() + static_cast<long>(one), Member(random.of(corpus.names), made(random, corpus))); break;
    default: members[one].first = random.of(wildTexts);
  }
  return Value(std::move(members));
}

Value changedAnyhow(Random& random, const Corpus& corpus, const Value& value, const std::string& name) {
  if (random.once(4)) return made(random, corpus);
  if (random.once(4)) return ofSameName(random, corpus, value, name);
  switch (value.kind()) {
    case Kind::boolean: return Value(!value.boolean());
    case Kind::number: return random.once(2) ? Value(value.number() + static_cast<double>(random.below(3)) - 1) : Value(wildNumbers[random.below(std::size(wildNumbers))]);
    case Kind::text: return otherText(random, value.text());
    case Kind::list: {
      if (!random.once(10) || value.list().empty()) return lessOrMore(random, corpus, value.list(), name);
      // Many of them.
      return Value(List(random.once(5) ? limits::steps + 1 : random.below(300), random.of(value.list())));
    }
    case Kind::object: return otherMembers(random, corpus, value.members());
    case Kind::null: return made(random, corpus);
  }
  return value;
}

}  // namespace

void Corpus::add(Value plan) {
  const std::function<void(const Value&)> note = [&](const Value& value) {
    for (const auto& item : value.list()) note(item);
    for (const auto& [name, member] : value.members()) {
      auto& known = byName[name];
      if (known.empty()) names.push_back(name);
      known.push_back(member);
      note(member);
    }
  };
  note(plan);
  plans.push_back(std::move(plan));
}

Value changedMildly(Random& random, const Corpus& corpus, Value plan) {
  return withOneChanged(random, plan, [&](const Value& value, const std::string& name) {
    if (value.kind() == Kind::list) return lessOrMore(random, corpus, value.list(), name);
    if (value.kind() == Kind::boolean) return Value(!value.boolean());
    if (value.kind() == Kind::number && random.once(3)) return Value(std::max(0.0, value.number() + static_cast<double>(random.below(3)) - 1));
    return ofSameName(random, corpus, value, name);
  });
}

Value changedWildly(Random& random, const Corpus& corpus, Value plan) {
  return withOneChanged(random, plan, [&](const Value& value, const std::string& name) { return changedAnyhow(random, corpus, value, name); });
}

std::string textOf(Random& random, const Value& plan) {
  std::string text = json::print(plan);
  const std::string mark = "\"\\u0001";
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    const size_t end = text.find('"', at + 1);
    text.replace(at, end + 1 - at, random.of(rawTokens));
  }
  return text;
}

std::string damaged(Random& random, std::string text) {
  for (size_t changes = 1 + random.below(4); changes > 0 && !text.empty(); --changes) {
    const size_t at = random.below(text.size()), length = std::min(random.below(64), text.size() - at);
    switch (random.below(5)) {
      case 0: text[at] = static_cast<char>(text[at] ^ (1 << random.below(8))); break;
      case 1: text[at] = "{}[]\",:\\0-.\xff"[random.below(12)]; break;
      case 2: text.erase(at, length); break;
      case 3: text.insert(at, text.substr(random.below(text.size()), length)); break;
      default: text.resize(at);
    }
  }
  return text;
}

}  // namespace sing::fuzz
