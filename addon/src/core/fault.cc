#include "fault.h"

#include <string.h>

namespace sing {

std::string errorText(int error) {
  // strerrordesc_np is not translated: messages are the same for everybody.
  const char* text = strerrordesc_np(error);
  return text ? text : "Unknown error " + std::to_string(error);
}

std::string errorName(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : "E" + std::to_string(error);
}

std::string Fault::sentence() const { return error ? what + ": " + errorText(error) : what; }

}  // namespace sing
