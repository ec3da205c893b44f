#include "engine.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "../core/limits.h"
#include "state.h"
#include "values.h"

// The planner's bytecode, made by tools/compile_planner.cc and put into the program's read-only data.
extern "C" const unsigned char sing_planner_bytecode[];
extern "C" const unsigned char sing_planner_bytecode_end[];

namespace sing {

namespace {

constexpr size_t memoryLimit = 256u << 20;
constexpr size_t stackLimit = 1u << 20;
// Each is some ten thousand operations; a plan takes a few hundred.
constexpr int maxInterrupts = 200'000;

struct State {
  const HostContext& context;
  int interrupts = 0;
};

int countInterrupt(JSRuntime*, void* opaque) { return ++static_cast<State*>(opaque)->interrupts > maxInterrupts; }

JSValue callFromEngine(JSContext* engine, JSValueConst, int count, JSValueConst* values, int index) {
  const auto* state = static_cast<State*>(JS_GetContextOpaque(engine));
  HostArguments arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(fromEngine(engine, values[i]));
  return toEngine(engine, callHost(state->context, hostFunctions()[static_cast<size_t>(index)], arguments));
}

void defineHost(JSContext* engine, JSValueConst global) {
  JSValue host = JS_NewObject(engine);
  int index = 0;
  for (const auto& function : hostFunctions()) {
    const std::string name(function.name);
    JS_SetPropertyStr(engine, host, name.c_str(),
                      JS_NewCFunctionMagic(engine, callFromEngine, name.c_str(), static_cast<int>(function.arguments),
                                           JS_CFUNC_generic_magic, index++));
  }
  JS_SetPropertyStr(engine, global, "host", host);
}

Fault exceptionOf(JSContext* engine) {
  JSValue exception = JS_GetException(engine);
  std::string text, stack;
  if (!bytesOf(engine, exception, text)) text = "an exception that is no text";
  JSValue trace = JS_IsError(exception) ? JS_GetPropertyStr(engine, exception, "stack") : JS_UNDEFINED;
  if (JS_IsString(trace) && bytesOf(engine, trace, stack)) {
    while (!stack.empty() && stack.back() == '\n') stack.pop_back();
    text += "\n" + stack;
  }
  JS_FreeValue(engine, trace);
  JS_FreeValue(engine, exception);
  return refused("planner: " + text);
}

JSContext* newContext(JSRuntime* runtime) {
  // No Date, no Promise, no typed arrays, no modules, no eval: the planner is a pure function and needs none.
  JSContext* engine = JS_NewContextRaw(runtime);
  if (!engine) return nullptr;
  JS_AddIntrinsicBaseObjects(engine);
  JS_AddIntrinsicRegExp(engine);
  JS_AddIntrinsicJSON(engine);
  JS_AddIntrinsicMapSet(engine);
  JS_AddIntrinsicBigInt(engine);
  return engine;
}

/// An engine that has evaluated the planner's bundle, and has not been asked anything.
Outcome<Engine> newEngine(bool toKeep) {
  Engine engine;
  engine.arena = Arena::make(true);
  if (engine.arena && toKeep) engine.arena->clear(true);
  if (engine.arena) engine.runtime = JS_NewRuntime2(&Arena::functions, engine.arena);
  if (engine.runtime) {
    // Nothing is collected: the process is over as the engine's in a few milliseconds, and its memory is bounded.
    JS_SetGCThreshold(engine.runtime, SIZE_MAX);
    JS_SetMemoryLimit(engine.runtime, memoryLimit);
    engine.context = newContext(engine.runtime);
  }
  if (!engine.context) return refused("planner: no memory for the script engine");
  JSValue global = JS_GetGlobalObject(engine.context);
  defineHost(engine.context, global);
  JS_FreeValue(engine.context, global);
  const auto* code = sing_planner_bytecode;
  JSValue script = JS_ReadObject(engine.context, code, static_cast<size_t>(sing_planner_bytecode_end - code), JS_READ_OBJ_BYTECODE);
  if (JS_IsException(script)) return exceptionOf(engine.context);
  JSValue loaded = JS_EvalFunction(engine.context, script);
  if (JS_IsException(loaded)) return exceptionOf(engine.context);
  JS_FreeValue(engine.context, loaded);
  return engine;
}

Outcome<json::Value> ask(JSContext* engine, const std::vector<std::string>& words) {
  JSValue global = JS_GetGlobalObject(engine);
  JSValue plan = JS_GetPropertyStr(engine, global, "plan");
  JSValue list = toEngine(engine, std::vector<json::Value>(words.begin(), words.end()));
  JSValue answer = JS_Call(engine, plan, JS_UNDEFINED, 1, &list);
  if (JS_IsException(answer)) return exceptionOf(engine);
  return wholeFromEngine(engine, answer, {.bytes = limits::planBytes});
}

}  // namespace

Outcome<json::Value> askPlanner(const std::vector<std::string>& words, const HostContext& context) {
  Engine engine = keptEngine();
  if (!engine.context) {
    auto made = newEngine(false);
    if (!made) return made.fault();
    engine = *made;
  }
  State state{context};
  rlimit stack{};
  getrlimit(RLIMIT_STACK, &stack);
  JS_UpdateStackTop(engine.runtime);
  JS_SetMaxStackSize(engine.runtime, std::min<size_t>(stackLimit, stack.rlim_cur / 2));
  JS_SetInterruptHandler(engine.runtime, countInterrupt, &state);
  JS_SetContextOpaque(engine.context, &state);
  auto answer = ask(engine.context, words);
  // The engine is not taken down, its memory goes at once: helpers that are forked from here on have none of it.
  Arena::drop(engine.arena);
  return answer;
}

Outcome<std::string> plannerToKeep() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  auto engine = newEngine(true);
  if (!engine) return engine.fault();
  return engineToKeep(*engine, static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000);
}

}  // namespace sing
