// What a server asks of its sockets and Node has no function for.
#pragma once

#include <napi.h>

namespace sing {

/// limitUnsent(descriptor, bytes): how much the system takes of a TCP socket's owner that it cannot send yet (TCP_NOTSENT_LOWAT, tcp(7));
/// of a listening socket, for every connection that it accepts from now on.
Napi::Value limitUnsent(const Napi::CallbackInfo& info);

}  // namespace sing
