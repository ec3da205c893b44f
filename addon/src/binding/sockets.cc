#include "sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../core/fault.h"

namespace sing {

Napi::Value limitUnsent(const Napi::CallbackInfo& info) {
  const Napi::Env node = info.Env();
  const auto refuse = [&](const Fault& fault) {
    Napi::Error::New(node, fault.sentence()).ThrowAsJavaScriptException();
    return node.Undefined();
  };
  if (info.Length() != 2 || !info[0].IsNumber() || !info[1].IsNumber()) return refuse(refused("Expected a descriptor and a number of bytes"));
  const unsigned bytes = info[1].As<Napi::Number>().Uint32Value();
  if (setsockopt(info[0].As<Napi::Number>().Int32Value(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) < 0) {
    return refuse(failed("bound what a socket has not sent"));
  }
  return node.Undefined();
}

}  // namespace sing
