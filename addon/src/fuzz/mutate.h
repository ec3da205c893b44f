// Makes hostile plans of good ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "../core/json.h"
#include "random.h"

namespace sing::fuzz {

/// Plans to begin with, and what they have under each name: a word or a part that fits elsewhere leads further than any that is made up.
struct Corpus {
  std::vector<json::Value> plans;
  std::vector<std::string> names;
  std::map<std::string, std::vector<json::Value>> byName;

  void add(json::Value plan);
};

/// Of a plan that mostly stays one: parts of others, other numbers in bounds, parts less or more.
json::Value changedMildly(Random& random, const Corpus& corpus, json::Value plan);

/// Of anything: other types, names and numbers, texts that lead elsewhere, deep and long parts.
json::Value changedWildly(Random& random, const Corpus& corpus, json::Value plan);

/// As JSON, with what no Value can be: fractions, numbers without end, texts that are no UTF-8.
std::string textOf(Random& random, const json::Value& plan);

/// The text with bytes changed, left out and doubled.
std::string damaged(Random& random, std::string text);

}  // namespace sing::fuzz
