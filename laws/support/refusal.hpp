// What a call that must be refused says.
#pragma once

#include <string>

#include <heed/error.hpp>

namespace heed::laws {

/// The message of the Error that `act` throws, or "" where it throws none.
template <class Act>
[[nodiscard]] std::string refusal(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace heed::laws
