// Build tool: compiles the planner's bundle to the engine's bytecode. `compile_planner IN.js OUT.bc`
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

extern "C" {
#include "quickjs.h"
}

int main(int count, char** words) {
  if (count != 3) return 2;
  std::ifstream in(words[1], std::ios::binary);
  const std::string source((std::istreambuf_iterator<char>(in)), {});
  if (!in || source.empty()) {
    fprintf(stderr, "Expected a script in %s\n", words[1]);
    return 1;
  }
  JSContext* engine = JS_NewContext(JS_NewRuntime());
  JSValue script = JS_Eval(engine, source.c_str(), source.size(), "planner.js", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(script)) {
    JSValue exception = JS_GetException(engine);
    fprintf(stderr, "%s: %s\n", words[1], JS_ToCString(engine, exception));
    return 1;
  }
  size_t size = 0;
  uint8_t* bytes = JS_WriteObject(engine, &size, script, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  std::ofstream out(words[2], std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  return bytes && out.flush() ? 0 : 1;
}
